"""Whom to believe: the vendor's class or the server's words."""

import pytest

from schemas.vocabulary import Cause, Kind
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import cause_of_drop, settle


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


@pytest.mark.parametrize(
    "words",
    [
        "Invalid recipient address",
        "invalid_recipient",
        "malformed address",
        "the recipient's email address is not valid",
    ],
)
def test_an_address_that_the_vendor_calls_invalid_was_never_tried(words: str) -> None:
    assert cause_of_drop(Cause.SUPPRESSED_BY_PROVIDER, words) is Cause.INVALID_ADDRESS


@pytest.mark.parametrize(
    "words",
    [
        None,
        "",
        "domain not verified",
        "Malformed email",
        "Invalid sender address",
        "Invalid From address",
        "invalid API key",
        "550 5.1.1 user unknown",
        "Recipient is on the suppression list: invalid address",
        "previously bounced: 550 5.1.3 invalid address",
        "daily quota reached",
    ],
)
def test_any_other_word_about_mail_that_was_not_tried_changes_nothing(words: str | None) -> None:
    assert cause_of_drop(Cause.SENDER_CONFIGURATION, words) is Cause.SENDER_CONFIGURATION
