"""Which DKIM signatures of a mail are valid (RFC 6376), by dkimpy, with keys from the DNS by dnspython.

If a key cannot be looked up now, the answer is "later", not "no".
"""

import logging
from collections.abc import Callable

import dkim
import dns.exception
import dns.rdatatype
import dns.resolver
from msgspec import Struct

from worker.providers.mail.dkim_verdict import header_values, signing_domains

MAX_SIGNATURES = 5  # real mail has one to three; each costs a look-up that its sender chooses
_silent = logging.getLogger("worker.mailbox.dkim_check")  # dkimpy logs every bad signature as an error
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class LookupFailed(Exception):  # noqa: N818 - named after what happened
    """The DNS did not answer now; it may answer later."""


# The TXT record of a name, or None if there is none; raises LookupFailed.
KeyLookup = Callable[[str], bytes | None]


class DkimResult(Struct, frozen=True, kw_only=True):
    """What is known about a mail's signatures now."""

    passed: tuple[str, ...] = ()  # the d= domains whose signature is valid and covers the whole body
    undecided: str = ""  # why the key of another signature is not known; "" if all are decided


def check_dkim(message: bytes, look_up: KeyLookup) -> DkimResult:
    """Checks each signature of the mail. Blocks while keys are looked up; does not raise, whatever the mail holds."""
    domains = signing_domains(message)
    if not domains:
        return DkimResult()
    undecided = ""

    def key(name: bytes | str, timeout: float = 0) -> bytes | None:
        nonlocal undecided
        del timeout  # the look-up has its own
        try:
            return look_up(name.decode("ascii") if isinstance(name, bytes) else name)
        except LookupFailed as error:
            undecided = str(error)
            raise dkim.DnsTimeoutError(str(error)) from error
        except UnicodeError:
            return None

    passed: dict[str, None] = {}
    signatures = len(header_values(message, "dkim-signature"))
    for number in range(min(signatures, MAX_SIGNATURES)):
        verifier = dkim.DKIM(message, logger=_silent)
        try:
            holds = verifier.verify(idx=number, dnsfunc=key)
        except Exception:  # noqa: BLE001 - a stranger's mail and key: if dkimpy fails, so does the signature
            holds = False
        domain = bytes(verifier.domain or b"").decode("ascii", "replace").lower()
        is_weak = verifier.signature_fields.get(b"a") == b"rsa-sha1"  # RFC 8301, 3.1
        if holds and not is_weak and domains.get(domain, False):
            passed[domain] = None
        if undecided:
            break  # the whole mail is checked again later; one time-out per mail is enough
    return DkimResult(passed=tuple(passed), undecided=undecided)


def dns_lookup(timeout_seconds: float) -> KeyLookup:
    """Looks keys up with this machine's resolvers."""

    def look_up(name: str) -> bytes | None:
        try:
            answer = dns.resolver.resolve(name, dns.rdatatype.TXT, lifetime=timeout_seconds, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        except (dns.exception.DNSException, OSError) as error:
            if isinstance(error, dns.exception.SyntaxError | dns.exception.FormError):
                return None  # the DNS cannot hold such a name
            raise LookupFailed(f"{name} cannot be looked up now ({error})") from error
        return b"".join(answer[0].strings)

    return look_up
