"""Finds what a wording is about if it does not say so: the nearest noun before it, otherwise after it."""

from worker.providers.classification.foreign_nouns import FOREIGN_NOUNS
from worker.providers.classification.reply_words import ADDRESS, HOST, IP, RECIPIENT, SENDER
from worker.providers.classification.subject import Subject

NOUNS: dict[str, Subject] = {
    **FOREIGN_NOUNS,
    **dict.fromkeys(
        (
            *("user", "username", "recipient", "recipients", "mailbox", "mailboxes", "inbox", "account", "addressee"),
            *("address", "alias", "destination", "customer", "subscriber", "person", "employee", "mbox", "box", "uid"),
            *("userid", "recipient's", "user's", RECIPIENT, ADDRESS, "mailaddress", "list", "group", "forward"),
        ),
        Subject.MAILBOX,
    ),
    **dict.fromkeys(("domain", "domains", "zone", "mx", HOST, "hostname", "dns", "site"), Subject.DOMAIN),
    **dict.fromkeys(
        ("sender", "sender's", "from", "mfrom", "originator", "envelope", "return", SENDER, "reverse"), Subject.SENDER
    ),
    **dict.fromkeys(("ip", "ips", "client", IP, "helo", "ehlo", "network", "netblock", "relay"), Subject.CLIENT),
    **dict.fromkeys(
        ("outgoing", "outbound", "smtpclientauthentication", "tenant", "credentials", "login", "password"),
        Subject.ACCOUNT,
    ),
    **dict.fromkeys(
        (
            "command",
            "argument",
            "arguments",
            "parameter",
            "orcpt",
            "notify",
            "envid",
            "protocol",
            "syntax",
            "pipelining",
        ),
        Subject.DIALOGUE,
    ),
    **dict.fromkeys(
        (
            "message",
            "mail",
            "email",
            "content",
            "attachment",
            "attachments",
            "letter",
            "header",
            "headers",
            "body",
            "url",
        ),
        Subject.MESSAGE,
    ),
    **dict.fromkeys(
        ("server", "system", "service", "resources", "host", "disk", "mailserver", "storage"), Subject.SYSTEM
    ),
    **dict.fromkeys(("connection", "connect", "session", "network"), Subject.CONNECTION),
}
# After one of these words, a noun is on our side.
_OURS = {
    "your": {
        Subject.MAILBOX: Subject.ACCOUNT,
        Subject.DOMAIN: Subject.SENDER,
        Subject.SYSTEM: Subject.CLIENT,
        Subject.MESSAGE: Subject.MESSAGE,
        Subject.CLIENT: Subject.CLIENT,
    },
    "sending": {Subject.DOMAIN: Subject.SENDER, Subject.SYSTEM: Subject.CLIENT, Subject.MAILBOX: Subject.SENDER},
    "sender": {Subject.DOMAIN: Subject.SENDER, Subject.MAILBOX: Subject.SENDER},
    "sender's": {Subject.DOMAIN: Subject.SENDER, Subject.MAILBOX: Subject.SENDER},
    "from": {Subject.DOMAIN: Subject.SENDER, Subject.MAILBOX: Subject.SENDER},
    "originating": {Subject.DOMAIN: Subject.SENDER, Subject.SYSTEM: Subject.CLIENT},
    "envelope": {Subject.DOMAIN: Subject.SENDER, Subject.MAILBOX: Subject.SENDER},
    "return": {Subject.DOMAIN: Subject.SENDER, Subject.MAILBOX: Subject.SENDER},
    "client": {Subject.SYSTEM: Subject.CLIENT, Subject.DOMAIN: Subject.CLIENT},
    "helo": {Subject.DOMAIN: Subject.CLIENT, Subject.SYSTEM: Subject.CLIENT},
    "ehlo": {Subject.DOMAIN: Subject.CLIENT, Subject.SYSTEM: Subject.CLIENT},
}
# Those of them that always mean our side.
_OWNERS = frozenset({"sender", "sender's", "originating", "envelope", "client", "helo", "ehlo", "return"})
_COMPOUNDING = frozenset({"email", "mail", "user"})
_FAR = 8  # words
_NEAR = 4


def nearest_subject(words: str, start: int, end: int) -> Subject | None:
    """What the words from `start` to `end` are about; None if there is no noun near them."""
    before = words[:start].split()[-_FAR:]
    for place in range(len(before) - 1, -1, -1):
        if (subject := NOUNS.get(before[place])) is not None:
            return _side_of(before, place, subject)
    after = words[end:].split()[:_FAR]
    for place, word in enumerate(after):
        if (subject := NOUNS.get(word)) is not None:
            return _side_of(after, place, subject)
    return None


def owner_before(words: str, start: int, subject: Subject) -> Subject:
    """The subject that a wording names, or its counterpart on our side: the domain in "the helo domain is invalid"."""
    near = words[:start].split()[-_NEAR:]
    if near and near[-1] in _COMPOUNDING:
        near.pop()
    if near and near[-1] == "your" and not words.startswith((" recipient", " RECIPIENT"), start):
        return _OURS["your"][subject]
    for word in near:
        if word in _OWNERS and (ours := _OURS[word].get(subject)) is not None:
            return ours
    return subject


def _side_of(words: list[str], place: int, subject: Subject) -> Subject:
    for word in words[max(0, place - 2) : place]:
        if (ours := _OURS.get(word)) is not None and subject in ours:
            return ours[subject]
    return subject
