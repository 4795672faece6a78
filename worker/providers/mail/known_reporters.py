"""The known feedback loops: the addresses of their reports, and the domains whose DKIM signature proves them.

A report is believed if the signature of the From field's domain was verified (RFC 9477, 3.1, requires the same), and
only for domains where nobody but the reporter can have mail signed. Anybody can have a mailbox at hotmail.com, so there
the whole address must be the reporter's.

Yahoo documents that it signs as arf.mail.yahoo.com (https://senders.yahooinc.com/faqs/). All others are known as sender
addresses, from Comcast's former page and two public parsers of such reports; the domain by which they sign is not
known. If it is another one, their reports stay unverified unless they have a token, and the operator adds the domain to
`known_reporters`.
"""

from collections.abc import Iterable

from worker.providers.mail.mail_part import Headers
from worker.providers.mail.mail_text import addresses_in

DEFAULTS = "defaults"  # in `known_reporters`: the table below

# An entry is a domain, with everything below it, or one whole address.
KNOWN_REPORTERS: tuple[str, ...] = (
    "arf.mail.yahoo.com",  # Yahoo and AOL
    "staff@hotmail.com",  # Microsoft, Junk Mail Reporting Program
    "scomp@aol.net",  # AOL before it belonged to Yahoo
    # Validity (Return Path) for others: each has a domain of its own, which only the loop uses.
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
    """The entry of `known` that sent the mail, by a verified signature of its From domain; None if there is none."""
    senders = [address for field in headers.all("from") for address in addresses_in(field)]
    if len(senders) != 1 or len(headers.all("from")) != 1:  # it must be clear who sent the mail
        return None
    sender = senders[0]
    domain = sender.rpartition("@")[2]
    signers = [signer.lower().rstrip(".") for signer in dkim_pass]
    for entry in known:
        if "@" in entry and sender != entry:
            continue
        # The signer must be this domain or one below it: a parent domain also signs the mail of others.
        if any(_covers(entry.rpartition("@")[2], signer) and _covers(signer, domain) for signer in signers):
            return entry
    return None


def _covers(parent: str, domain: str) -> bool:
    """True for the domain itself and those below it. A top-level domain covers nothing."""
    return "." in parent and (domain == parent or domain.endswith("." + parent))
