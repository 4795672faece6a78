"""The recipients that a bounce in prose names, found by the lines on which servers name recipients.

Other addresses in it may be the sender's, a postmaster's or a Message-ID. So an address counts only in a place where
servers write recipients, or if it is the only one that is also in the To of the returned mail.
"""

import re

from worker.providers.mail.mail_part import Headers, MailPart
from worker.providers.mail.mail_text import addresses_in

_ADDRESS = r"<?([^<>\s\"',;:()]{1,64}@[^<>\s\"',;:()]{3,255})>?"
_LINES = (
    # `<jane@example.org>: words`, `jane@example.org: words`, `<jane@example.org> (reason: …)`:
    # Postfix, qmail, OpenSMTPD
    re.compile(rf"^[ \t>*-]{{0,12}}{_ADDRESS}[ \t]*(?::|\(|\.\.\.|$)", re.MULTILINE),
    # `jane@example.org on 4/29/01 11:34:45 PM`: Exchange 5.5
    re.compile(rf"^[ \t]{{0,12}}{_ADDRESS} on [A-Za-z0-9,]", re.MULTILINE),
    # `jane@example.org Invalid Address, …`, `jane@example.org 550 …`: words on the same line
    re.compile(
        rf"^[ \t]{{0,12}}{_ADDRESS}[ \t,;-]{{1,4}}"
        r"(?:[45]\d\d\b|[A-Za-z ]{0,30}(?:invalid|unknown|not found|fail|reject|error|undeliver))",
        re.MULTILINE | re.IGNORECASE,
    ),
    # `error delivering your mail to <jane@example.org>`: DragonFly; `wasn't delivered to jane@example.org`: Gmail
    re.compile(
        r"(?:deliver(?:ed|ing|y)?|reach|send|sent|message|mail)\b[^\n@]{0,60}\bto\b[^\n@]{0,30}?[ \t]" + _ADDRESS,
        re.IGNORECASE,
    ),
    # `Recipient: <jane@example.org>`, `Failed recipient: …`, `Address: …`, `To: …`
    re.compile(
        r"^[ \t]{0,12}(?:failed |intended |original |unknown )?(?:recipients?|addressee?s?|user|mailbox)"
        rf"[^\n@:]{{0,30}}:[ \t]*{_ADDRESS}",
        re.MULTILINE | re.IGNORECASE,
    ),
)
_ROLES = re.compile(
    r"(?:mailer-daemon|postmaster|mail-?daemon|mdaemon|no-?reply|do-?not-?reply|abuse|fbl|feedback(?:loop)?|arf|jmrp|scomp)"
    r"(?:[+-].*)?@"
)
_MOST = 50


def named_recipients(notice: str, returned: Headers) -> list[str]:
    """The recipients that the notice names, each once; [] if it names none, or if it is not clear whom."""
    recipients: dict[str, None] = {}
    for line in _LINES:
        for match in line.finditer(notice):
            recipients.update(dict.fromkeys(addresses_in(match.group(1))))
    people = [address for address in recipients if not is_role(address)][:_MOST]
    if people:
        return people
    recipients_of_original = set(addresses_in(" ".join((*returned.all("to"), *returned.all("cc")))))
    common = [address for address in addresses_in(notice) if address in recipients_of_original]
    return common if len(common) == 1 else []


def senders_of(mail: MailPart, returned: Headers) -> frozenset[str]:
    """Our own addresses and the reporter's, which are never blamed."""
    theirs = [mail.headers.get("from"), mail.headers.get("to"), mail.headers.get("reply-to")]
    own = [returned.get(name) for name in ("from", "sender", "reply-to", "return-path", "message-id", "errors-to")]
    addresses = {address for value in (*theirs, *own) for address in addresses_in(value)}
    return frozenset(addresses - set(addresses_in(returned.get("to"))))


def is_role(address: str) -> bool:
    """True for a mail system's own addresses, and those of feedback loops."""
    return bool(_ROLES.match(address))
