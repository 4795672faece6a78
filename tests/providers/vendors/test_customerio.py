"""Customer.io: what all providers do, and what only it does."""

import json
from datetime import timedelta
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_body
from tests.providers.sample_events import sample
from worker.errors import UnreadablePayload
from worker.providers.vendors.customerio import EVENTS, OTHER_OBJECTS, PROVIDER
from worker.samples.customerio import CustomerIoSamples, sample_values


class TestCustomerIo(ProviderConformance):
    provider_name = "customerio"
    make_sender = CustomerIoSamples
    event_field = "metric"
    told_at_least = ("object_type", "metric", "data.recipient")
    max_age = timedelta(days=8)


def one(values: dict[str, Any]) -> FeedbackEvent:
    (event,) = parse_body(PROVIDER, json.dumps(values).encode())
    return event


def about(object_type: str, metric: str, **data: Any) -> FeedbackEvent:
    return one({"event_id": "e1", "object_type": object_type, "metric": metric, "timestamp": 1772619072, "data": data})


@pytest.mark.parametrize("metric", ["dropped", "failed", "undeliverable"])
def test_an_invalid_address_counts_though_nothing_was_sent(metric: str) -> None:
    invalid = about("email", metric, recipient="jane@example.org", failure_message="invalid email address")
    assert (invalid.kind, invalid.cause) == (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)
    listed = about("email", metric, recipient="jane@example.org", failure_message="suppressed: invalid email address")
    assert listed.kind is Kind.DROPPED


# https://docs.customer.io/api/webhooks
DOCUMENTED_METRICS = (
    *("drafted", "attempted", "sent", "delivered", "deferred", "bounced", "dropped", "failed", "undeliverable"),
    *("spammed", "unsubscribed", "opened", "clicked", "converted"),
)
DOCUMENTED_CUSTOMER_METRICS = ("subscribed", "unsubscribed", "cio_subscription_preferences_changed")


def test_every_documented_metric_is_mapped() -> None:
    emails = {f"email/{metric}" for metric in DOCUMENTED_METRICS}
    assert emails | {f"customer/{metric}" for metric in DOCUMENTED_CUSTOMER_METRICS} == set(EVENTS)
    assert set(PROVIDER.vocabulary) == set(EVENTS) | {f"{name}/*" for name in OTHER_OBJECTS}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("550 5.1.1 user unknown", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ("552 5.2.2 mailbox full", (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        ("550 5.7.1 blocked using spamhaus", (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        (None, (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    ],
)
def test_only_the_servers_words_tell_a_hard_bounce_from_a_soft_one(
    words: str | None, expected: tuple[Kind, Cause]
) -> None:
    event = about("email", "bounced", recipient="jane@example.org", failure_message=words)
    assert (event.kind, event.cause) == expected


@pytest.mark.parametrize("object_type", OTHER_OBJECTS)
def test_other_channels_concern_no_address(object_type: str) -> None:
    event = about(object_type, "bounced", recipient="+15550100", identifiers={"email": "jane@example.org"})
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)


def test_a_person_who_unsubscribes_everywhere_is_named_by_their_identifiers() -> None:
    event = about("customer", "unsubscribed", identifiers={"email": "jane@example.org"})
    assert (event.kind, event.address) == (Kind.UNSUBSCRIBE, "jane@example.org")


def test_a_person_without_an_address_is_nobody_here() -> None:
    event = about("customer", "unsubscribed", identifiers={"id": "42"})
    assert (event.kind, event.address) == (Kind.UNSUBSCRIBE, None)


def test_an_attribute_that_was_set_takes_no_unsubscribe_back() -> None:
    event = about("customer", "subscribed", identifiers={"email": "jane@example.org"})
    assert (event.kind, event.recognised) == (Kind.OTHER, True)


def test_a_recipient_may_come_with_a_name() -> None:
    assert about("email", "delivered", recipient='"Jane" <Jane@Example.org>').address == "jane@example.org"


@pytest.mark.parametrize(
    ("word", "name", "kind"),
    [
        ("email_bounced", "email/bounced", Kind.HARD_BOUNCE),
        ("customer_unsubscribed", "customer/unsubscribed", Kind.UNSUBSCRIBE),
        ("in_app_clicked", "in_app/clicked", Kind.OTHER),
        ("sms_bounced", "sms/bounced", Kind.OTHER),
    ],
)
def test_the_older_format_has_both_names_in_one_word(word: str, name: str, kind: Kind) -> None:
    data = {"email_address": "jane@example.org", "email_id": "m1", "failure_message": "550 5.1.1 user unknown"}
    event = one({"event_id": "e1", "event_type": word, "timestamp": 1772619072, "data": data})
    assert (event.vendor_event, event.kind, event.recognised) == (name, kind, True)


def test_an_event_that_cannot_be_told_is_set_aside() -> None:
    with pytest.raises(UnreadablePayload, match="nobody"):
        about("email", "bounced")
    with pytest.raises(UnreadablePayload, match="no event"):
        one({"data": {}})


def test_the_same_event_id_is_the_same_event_whatever_else_changes() -> None:
    values = sample_values(sample())
    again = {**values, "data": {**values["data"], "subject": "Hello again"}}
    assert one(values).event_key == one(again).event_key
