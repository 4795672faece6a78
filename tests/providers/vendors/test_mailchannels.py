"""MailChannels: what all providers do, and what only it does."""

import json
from datetime import timedelta
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.reading import parse_body
from tests.providers.sample_events import ALL_KINDS, EARLIER, NOW, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.mailchannels import EVENTS, PROVIDER
from worker.samples.mailchannels import MailChannelsSamples, sample_values


class TestMailChannels(BatchConformance):
    provider_name = "mailchannels"
    make_sender = MailChannelsSamples
    event_field = "event"
    told_at_least = ("event", "recipients")
    max_age = timedelta(minutes=5)
    kinds = tuple(
        (kind, Cause.TEST if kind is Kind.OTHER else cause) for kind, cause in ALL_KINDS if kind is not Kind.DEFERRED
    )


def read(*elements: Any) -> list[FeedbackEvent]:
    return parse_body(PROVIDER, json.dumps(elements).encode())


def bounced(name: str, status: str, reason: str) -> FeedbackEvent:
    (event,) = read({**sample_values(sample()), "event": name, "status": status, "reason": reason})
    return event


# https://docs.mailchannels.net/email-api/advanced/delivery-events, and `bounced` of its older version
DOCUMENTED_EVENTS = (
    *("processed", "delivered", "open", "click", "hard-bounced", "soft-bounced", "dropped", "complained"),
    *("unsubscribed", "test", "bounced"),
)


def test_every_documented_event_is_mapped() -> None:
    assert set(DOCUMENTED_EVENTS) == set(EVENTS)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (bounced("hard-bounced", "550", "5.7.1 listed by spamhaus"), (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        (bounced("hard-bounced", "550", ""), (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        (bounced("soft-bounced", "550", "5.1.1 user unknown"), (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        (bounced("soft-bounced", "", ""), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
        (bounced("bounced", "552", "5.2.2 mailbox full"), (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        (bounced("bounced", "550", "5.1.1 user unknown"), (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
    ],
)
def test_a_bounce_is_what_the_servers_words_say(event: FeedbackEvent, expected: tuple[Kind, Cause]) -> None:
    assert (event.kind, event.cause) == expected


def test_each_recipient_of_an_event_gets_their_own_and_the_sender_none() -> None:
    events = read({**sample_values(sample()), "recipients": ["a@example.org", "b@example.org"]})
    assert [event.address for event in events] == ["a@example.org", "b@example.org"]
    assert len({event.event_key for event in events}) == 2


def test_a_test_event_counts_for_nothing() -> None:
    for recipients in ({}, {"recipients": ["test@mailchannels.com"]}):
        (event,) = read({"email": "test@mailchannels.com", "event": "test", "timestamp": 1772619072, **recipients})
        assert (event.kind, event.cause, event.recognised) == (Kind.OTHER, Cause.TEST, True)


def test_a_bad_element_spoils_no_other() -> None:
    events = read(sample_values(sample()), {"recipients": ["a@example.org"]}, 7, sample_values(sample(Kind.OPENED)))
    assert [event.vendor_event for event in events] == ["hard-bounced", "malformed", "malformed", "open"]


def test_clicks_on_two_links_at_once_are_two_events() -> None:
    click = sample_values(sample(Kind.CLICKED, Cause.NONE))
    first, second = read(click, {**click, "url": "https://example.com/other"})
    assert first.event_key != second.event_key


def test_an_event_tells_its_account_and_its_senders_domain() -> None:
    (event,) = read(sample_values(sample()))
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "made-up"
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "example.com"


def test_a_campaign_is_kept_as_tag_and_the_time_is_the_events() -> None:
    (event,) = read(sample_values(sample(tags=("spring",))))
    assert (event.tags, event.occurred_at) == (("spring",), EARLIER)


def test_a_thousand_events_are_one_request() -> None:
    events = [sample(address=f"p{number}@example.org") for number in range(1001)]
    assert len(MailChannelsSamples().requests(events, now=NOW)) == 2


def test_an_event_about_a_flood_of_people_is_malformed_and_not_copied_for_each() -> None:
    (event,) = read({**sample_values(sample()), "recipients": ["a@example.org"] * 1_001})
    assert event.vendor_event == "malformed"


def test_a_dropped_message_counts_only_where_its_address_is_invalid() -> None:
    told = {"event": "dropped", "recipients": ["jane@example.org"], "timestamp": 1772619072}
    (invalid,) = read(told | {"reason": "invalid recipient address"})
    assert (invalid.kind, invalid.cause) == (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)
    (listed,) = read(told | {"reason": "recipient is on the suppression list"})
    assert (listed.kind, listed.cause) == (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)
