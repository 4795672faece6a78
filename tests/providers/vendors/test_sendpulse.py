"""SendPulse: what all providers do, and what only it does."""

import json
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.reading import parse_body
from tests.providers.sample_events import EARLIER, NOW, all_kinds_but, sample
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.sendpulse import CAMPAIGN_EVENTS, PROVIDER, SMTP_EVENTS
from worker.samples.sendpulse import SendPulseSamples, sample_values


class TestSendPulse(BatchConformance):
    provider_name = "sendpulse"
    make_sender = SendPulseSamples
    event_field = "event"
    told_at_least = ("event", "recipient")
    signs_body = False
    kinds = all_kinds_but(Kind.ACCEPTED, Kind.DEFERRED, Kind.DROPPED)


def read(*elements: Any) -> list[FeedbackEvent]:
    return parse_body(PROVIDER, json.dumps(elements).encode())


def smtp(event: str, **fields: Any) -> FeedbackEvent:
    (read_event,) = read({"event": event, "timestamp": 1772622000, "recipient": "jane@example.org", **fields})
    return read_event


def campaign(event: str, **fields: Any) -> FeedbackEvent:
    (read_event,) = read(
        {"event": event, "timestamp": "1772622000", "task_id": "77", "email": "jane@example.org", **fields}
    )
    return read_event


# https://sendpulse.com/knowledge-base/smtp/smtp-webhooks, and the spellings of the vendor's skills
DOCUMENTED_SMTP_EVENTS = (
    *("delivered", "undelivered", "opened", "clicked", "unsubscribed", "resubscribed", "spam_by_user", "spam"),
    *("soft_bounces", "hard_bounces", "soft_bounced", "hard_bounced"),
)
# https://sendpulse.com/knowledge-base/email-service/additional/webhooks, and the vendor's skills
DOCUMENTED_CAMPAIGN_EVENTS = (
    *("delivered", "open", "redirect", "unsubscribe", "spam", "hard_bounces", "soft_bounces", "new_emails"),
    *("delete", "task_status_update"),
)


def test_every_documented_event_of_both_products_is_mapped() -> None:
    assert set(DOCUMENTED_SMTP_EVENTS) == set(SMTP_EVENTS)
    assert set(DOCUMENTED_CAMPAIGN_EVENTS) == set(CAMPAIGN_EVENTS)
    assert set(PROVIDER.vocabulary) == {*DOCUMENTED_SMTP_EVENTS, *DOCUMENTED_CAMPAIGN_EVENTS}


def test_events_of_both_products_mean_the_same_where_they_share_a_name() -> None:
    assert all(SMTP_EVENTS[name] == CAMPAIGN_EVENTS[name] for name in set(SMTP_EVENTS) & set(CAMPAIGN_EVENTS))


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            smtp("undelivered", smtp_server_response_code="550", smtp_server_response_subcode="5.1.1"),
            (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ),
        (
            smtp("hard_bounces", smtp_server_response_code="552", smtp_server_response="5.2.2 mailbox full"),
            (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ),
        (
            smtp("hard_bounced", smtp_server_response_code="554", smtp_server_response="listed by spamhaus"),
            (Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ),
        (smtp("undelivered", smtp_server_response_code=""), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
        (campaign("hard_bounces"), (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        (campaign("soft_bounces"), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    ],
)
def test_a_bounce_is_what_the_servers_words_say(event: FeedbackEvent, expected: tuple[Kind, Cause]) -> None:
    assert (event.kind, event.cause) == expected


def test_both_products_ways_of_naming_and_dating_are_read() -> None:
    for event in (smtp("opened", message_id=900001), campaign("open")):
        assert (event.kind, event.address, event.occurred_at) == (Kind.OPENED, "jane@example.org", EARLIER)
    assert smtp("opened", message_id=900001).message_id == "900001"
    assert campaign("open").message_id == "77"


@pytest.mark.parametrize(
    ("fields", "scope"),
    [
        ({"book_id": "7", "from_all": "0"}, "address book 7"),
        ({"book_id": 7, "from_all": False}, "address book 7"),
        ({"book_id": "7", "from_all": "1"}, None),
        ({"book_id": "7"}, None),
    ],
)
def test_leaving_one_address_book_is_kept_with_the_book(fields: dict[str, Any], scope: str | None) -> None:
    event = campaign("unsubscribe", **fields)
    assert (event.kind, event.scope) == (Kind.UNSUBSCRIBE, scope)


def test_a_campaigns_own_events_concern_no_contact() -> None:
    (event,) = read({"event": "task_status_update", "timestamp": "1772622000", "task_id": "77"})
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)


def test_a_bad_element_spoils_no_other() -> None:
    events = read(sample_values(sample()), {"event": "opened"}, {}, [], sample_values(sample(Kind.OPENED)))
    assert [event.vendor_event for event in events] == ["hard_bounces", *["malformed"] * 3, "opened"]


def test_clicks_on_two_links_at_once_are_two_events() -> None:
    first, second = (smtp("clicked", link_url=f"https://example.com/{path}").event_key for path in "ab")
    assert first != second


def test_the_sending_domain_is_reported_by_the_smtp_service() -> None:
    event = smtp("delivered", sender="news@example.com")
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "example.com"


def test_five_hundred_events_are_one_request() -> None:
    events = [sample(address=f"p{number}@example.org") for number in range(501)]
    assert len(SendPulseSamples().requests(events, now=NOW)) == 2
