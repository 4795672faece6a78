"""Wordings that mean something only together with one enhanced code, by its subject and detail (RFC 3463)."""

from worker.providers.classification.subject import Predicate, Subject
from worker.providers.classification.wording import WordingTable, say, say_patterns

BESIDE_CODES: dict[str, WordingTable] = {
    # Exchange uses x.1.0 for senders. If the words name the recipient, it is about the recipient.
    "1.0": WordingTable((say(Subject.MAILBOX, Predicate.NOT_FOUND, "recipient", "address rejected", plain=True),)),
    "2.1": WordingTable(
        (
            say(Subject.CLIENT, Predicate.RATE_EXCEEDED, "rate that", "rate limit", plain=True),
            say(Subject.MESSAGE, Predicate.UNWANTED, "quarantine", "quarantined", plain=True),
        )
    ),
    # Microsoft's directory-based edge blocking: the tenant's directory does not know the person.
    "4.1": WordingTable(
        (say(Subject.MAILBOX, Predicate.NOT_FOUND, "recipient address rejected access denied", plain=True),)
    ),
    "4.5": WordingTable((say(Subject.ACCOUNT, Predicate.RATE_EXCEEDED, "daily", "limit", plain=True),)),
    # Microsoft: only for senders inside the recipient's organisation.
    "7.12": WordingTable(
        (say(Subject.MAILBOX, Predicate.RESTRICTED, "organization", "internal", "recipient", plain=True),)
    ),
    # Officially it is our own login that is disabled.
    "7.13": WordingTable(
        (
            say_patterns(
                Subject.MAILBOX,
                Predicate.DISABLED,
                ("disabled", r" (?:recipient|recipient's|mailbox) (?:\S+ ){0,6}disabled "),
                ("inactive", r" (?:recipient|recipient's|mailbox) (?:\S+ ){0,6}inactive "),
                plain=True,
            ),
        )
    ),
}
