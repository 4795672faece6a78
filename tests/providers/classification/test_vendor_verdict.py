"""Whom to believe: the vendor's class or the server's words."""

import pytest

from schemas.vocabulary import Cause, Kind
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import settle


@pytest.mark.parametrize(
    ("vendors", "words", "believed"),
    [
        (
            (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
            "550 5.1.1 no such user",
            (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ),
        (
            (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            "552 5.2.2 mailbox full",
            (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ),
        ((Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS), "", (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)),
        (
            (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            "550 5.7.1 refused by policy",
            (Kind.BLOCKED, Cause.POLICY),
        ),
        (
            (Kind.BLOCKED, Cause.SENDER_REPUTATION),
            "550 5.7.1 refused by policy",
            (Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ),
        ((Kind.DEFERRED, Cause.UNDETERMINED), "552 5.2.2 mailbox full", (Kind.DEFERRED, Cause.MAILBOX_FULL)),
    ],
)
def test_the_servers_words_are_believed_where_they_say_something(
    vendors: tuple[Kind, Cause], words: str, believed: tuple[Kind, Cause]
) -> None:
    found = classify(smtp_code=None, enhanced_status=None, diagnostic=words, permanent=None)
    assert settle(*vendors, found) == believed
