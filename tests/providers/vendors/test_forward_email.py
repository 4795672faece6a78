"""Forward Email: what all providers do, and what only it does."""

import json
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_body
from tests.providers.sample_events import ALL_KINDS, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.forward_email import ACTIONS, CATEGORIES, PROVIDER
from worker.samples.forward_email import ForwardEmailSamples, sample_values

FAILURES = {Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED}


class TestForwardEmail(ProviderConformance):
    provider_name = "forward_email"
    event_field = "bounce.action"
    make_sender = ForwardEmailSamples
    told_at_least = ("recipient",)
    kinds = tuple(pair for pair in ALL_KINDS if pair[0] in FAILURES)


def one(**fields: Any) -> FeedbackEvent:
    body = json.dumps(sample_values(sample()) | fields).encode()
    (event,) = parse_body(PROVIDER, body)
    return event


def refused(code: int, words: str, **bounce: Any) -> FeedbackEvent:
    return one(response_code=code, response=words, message="", bounce={"action": "reject", "status": False, **bounce})


# https://github.com/forwardemail/forwardemail.net/blob/master/helpers/get-bounce-info.js
NAMED_CATEGORIES = (
    *("blocklist", "block", "envelope", "policy", "message", "other", "virus", "spam", "network", "recipient"),
    "greylist",
)


MEANINGS = meanings(
    {
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "recipient",
        (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED): "network",
        (Kind.SOFT_BOUNCE, Cause.GREYLISTED): "greylist",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "other",
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "block blocklist",
        (Kind.BLOCKED, Cause.SENDER_CONFIGURATION): "envelope",
        (Kind.BLOCKED, Cause.POLICY): "policy",
        (Kind.BLOCKED, Cause.CONTENT): "spam message",
        (Kind.BLOCKED, Cause.VIRUS): "virus",
    }
)


def test_every_category_of_the_vendors_program_is_mapped() -> None:
    assert set(NAMED_CATEGORIES) == set(CATEGORIES)
    assert {f"reject/{category}" for category in NAMED_CATEGORIES} | set(ACTIONS) == set(PROVIDER.vocabulary)


@pytest.mark.parametrize("category", NAMED_CATEGORIES)
def test_a_category_without_words_is_what_its_name_says(category: str) -> None:
    event = refused(550, "", category=category)
    assert (event.kind, event.cause) == MEANINGS[category]
    assert event.vendor_event == f"reject/{category}"


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        # The vendor's program takes a refusal of the sender for one of the recipient, and the other way round.
        (
            refused(550, "550 5.7.1 blocked using spamhaus", category="recipient"),
            (Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ),
        (refused(550, "550 5.1.1 user unknown", category="block"), (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        (refused(552, "552 5.2.2 mailbox full", category="recipient"), (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        (refused(451, "451 4.3.2 busy", category="other"), (Kind.DEFERRED, Cause.SERVER_UNAVAILABLE)),
        (refused(550, "550 greylisted", action="defer"), (Kind.DEFERRED, Cause.GREYLISTED)),
        (refused(421, "", action="slowdown"), (Kind.DEFERRED, Cause.SERVER_UNAVAILABLE)),
        (refused(550, "", category="invented"), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    ],
)
def test_the_servers_words_decide_and_4xx_is_tried_again(event: FeedbackEvent, expected: tuple[Kind, Cause]) -> None:
    assert (event.kind, event.cause) == expected


def test_the_several_tries_of_one_mail_are_events_of_their_own() -> None:
    tries = [one(bounced_at=f"2026-03-04T1{hour}:00:00.000Z").event_key for hour in range(2)]
    assert len(set(tries)) == 2


def test_fields_of_changing_types_are_read() -> None:
    event = one(truth_source="example.org", bounce={"action": "reject", "status": True, "code": "550"})
    assert event.kind is Kind.HARD_BOUNCE


def test_own_header_fields_are_kept_as_variables() -> None:
    event = one(headers={"Message-ID": "<m@example.com>", "X-Order": "77", "Subject": "Hello"})
    assert (event.metadata, event.message_id) == ({"X-Order": "77"}, "<m@example.com>")
    assert one(headers=None, email_id="e1").message_id == "e1"


def test_the_sending_domain_is_that_of_the_from_field() -> None:
    assert with_own_account(one(), "sending_domain", PROVIDER.account_paths).account == "example.com"


def test_a_failure_about_nobody_is_set_aside() -> None:
    with pytest.raises(UnreadablePayload, match="nobody"):
        one(recipient=None)


def test_a_refusal_of_the_sender_that_is_filed_under_recipients_harms_no_address() -> None:
    words = "550 permanent failure for one or more recipients (jane@example.org:{})"
    blocked = refused(550, words.format("blocked"), category="recipient")
    assert (blocked.kind, blocked.cause, blocked.recognised) == (Kind.BLOCKED, Cause.POLICY, True)
    gone = refused(550, words.format("550 5.1.1 user unknown"), category="recipient")
    assert (gone.kind, gone.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)
