"""The known feedback loops: the addresses of their reports, and the domains whose DKIM signature proves them.

A report is believed when the signature of the From field's own domain was verified (RFC 9477, 3.1, asks the same),
and only at domains where nobody but the reporter can have mail signed. At hotmail.com anybody has a mailbox, so
there the whole address must be the reporter's.

Verified at the operator's page: Yahoo (signs as arf.mail.yahoo.com, https://senders.yahooinc.com/faqs/). Verified
as sender addresses, at Comcast's former page and in two public parsers of such reports, but not with which domain
they sign: all others. Where it is another one, their reports stay unverified unless they carry a token, and the
operator adds the domain to `known_reporters`.
"""

from collections.abc import Iterable

from worker.providers.mail.mail_part import Headers
from worker.providers.mail.mail_text import addresses_in

DEFAULTS = "defaults"  # in `known_reporters`: all of these

# An entry is a domain, with everything below it, or one whole address.
KNOWN_REPORTERS: tuple[str, ...] = (
    "arf.mail.yahoo.com",  # Yahoo and AOL
    "staff@hotmail.com",  # Microsoft, Junk Mail Reporting Program
    "scomp@aol.net",  # AOL before it was Yahoo's
    # Validity (Return Path) for others: each has its name in a domain that only the loop uses.
    "feedbackloop@comcastfbl.senderscore.net",
    "feedback.comcast.net",
    "mailru.senderscore.net",
    "yandexfbl.senderscore.net",
    "app.returnpath.net",
    "fbl.apps.rackspace.com",
    "feedback.apps.rackspace.com",
    "feedback.bluetie.com",
    "feedback.postmaster.rr.com",
    "feedback.terra.com",
    "fbl.cox.net",
    "fbl.fastmail.com",
    "fbl.hostedemail.com",
    "fbl.italiaonline.net",
    "fbl.synacor.com",
    "fbl.usa.net",
    "fbl.xs4all.net",
    "fbl.zoho.com",
)


def believed_reporter(headers: Headers, dkim_pass: Iterable[str], known: Iterable[str]) -> str | None:
    """The entry of `known` that a mail is from, by a verified signature of its From domain; None if of none."""
    senders = [address for field in headers.all("from") for address in addresses_in(field)]
    if len(senders) != 1 or len(headers.all("from")) != 1:  # the owner of the mail must not be ambiguous
        return None
    sender = senders[0]
    domain = sender.rpartition("@")[2]
    signers = [signer.lower().rstrip(".") for signer in dkim_pass]
    for entry in known:
        if "@" in entry and sender != entry:
            continue
        # The signer must be at or below it: anybody with a mailbox at a parent domain can have mail signed by that.
        if any(_covers(entry.rpartition("@")[2], signer) and _covers(signer, domain) for signer in signers):
            return entry
    return None


def _covers(parent: str, domain: str) -> bool:
    """The domain itself or one below it; a top-level domain covers nothing."""
    return "." in parent and (domain == parent or domain.endswith("." + parent))
