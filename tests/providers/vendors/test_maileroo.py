"""Maileroo: what all providers do, and what only it does."""

import json
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_body
from tests.providers.sample_events import EARLIER, all_kinds_but, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.maileroo import EVENTS, PROVIDER
from worker.samples.maileroo import MailerooSamples, sample_values


class TestMaileroo(ProviderConformance):
    provider_name = "maileroo"
    make_sender = MailerooSamples
    event_field = "event_type"
    told_at_least = ("event_type", "event_data.to")
    kinds = all_kinds_but(Kind.UNSUBSCRIBE, Kind.OTHER)


def read(values: Any) -> list[FeedbackEvent]:
    return parse_body(PROVIDER, json.dumps(values).encode())


def one(event_type: str, **data: Any) -> FeedbackEvent:
    (event,) = read({**sample_values(sample()), "event_type": event_type, "event_data": data})
    return event


# https://maileroo.com/help/use-webhooks
DOCUMENTED_EVENTS = ("accepted", "delivered", "rejected", "deferred", "failed", "opened", "clicked", "complained")


def test_every_documented_event_is_mapped() -> None:
    assert set(DOCUMENTED_EVENTS) == set(EVENTS) == set(PROVIDER.vocabulary)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("550 5.1.1 user unknown", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ("552 5.2.2 mailbox full", (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        ("554 5.7.1 listed by zen.spamhaus.org", (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        ("", (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    ],
)
def test_only_the_servers_words_tell_a_hard_failure_from_a_soft_one(words: str, expected: tuple[Kind, Cause]) -> None:
    event = one("failed", to="jane@example.org", reason=words)
    assert (event.kind, event.cause) == expected


def test_a_rejection_of_an_invalid_address_counts_and_one_of_a_former_bounce_is_its_echo() -> None:
    invalid = one("rejected", to=["jane@example"], reject_reason="Invalid recipient address")
    assert (invalid.kind, invalid.cause) == (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)
    bounced = one("rejected", to=["jane@example.org"], reject_reason="Recipient previously bounced: user unknown")
    assert (bounced.kind, bounced.cause) == (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)


def test_a_deferral_stays_one_whatever_the_words() -> None:
    event = one("deferred", to="jane@example.org", reason="550 5.1.1 user unknown")
    assert event.kind is Kind.DEFERRED


def test_each_recipient_of_a_rejection_gets_their_own_event() -> None:
    values = {**sample_values(sample(Kind.DROPPED)), "event_data": {"to": ["a@example.org", "b@example.org"]}}
    events = read(values)
    assert [event.address for event in events] == ["a@example.org", "b@example.org"]
    assert len({event.event_key for event in events}) == 2


def test_opens_and_clicks_name_nobody() -> None:
    for name, kind in (("opened", Kind.OPENED), ("clicked", Kind.CLICKED)):
        event = one(name, ip="192.0.2.1")
        assert (event.kind, event.address, event.recognised) == (kind, None, True)


def test_other_events_about_nobody_are_set_aside() -> None:
    assert one("failed", reason="550 5.1.1 user unknown").vendor_event == "malformed"


def test_several_events_in_an_array_are_read_too() -> None:
    values = sample_values(sample())
    (alone,) = read(values)
    assert [event.event_key for event in read([values])] == [alone.event_key]


def test_tags_are_kept_as_variables_and_the_time_is_the_events() -> None:
    (event,) = read(sample_values(sample(metadata={"campaign": "spring"})))
    assert (event.metadata, event.occurred_at) == ({"campaign": "spring"}, EARLIER)
    assert read({**sample_values(sample()), "event_time": None})[0].occurred_at == EARLIER


def test_an_event_tells_its_domain() -> None:
    (event,) = read(sample_values(sample()))
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "774"
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "example.com"


def test_a_rejection_of_a_flood_of_people_is_malformed_and_not_copied_for_each() -> None:
    assert len(read({**sample_values(sample()), "event_data": {"to": ["a@example.org"] * 1_000}})) == 1_000
    assert one("rejected", to=["a@example.org"] * 1_001).vendor_event == "malformed"
