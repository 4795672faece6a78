"""What Brevo reports: transactional and marketing events, their many spellings, their many clocks."""

from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.reading import parse_request
from tests.providers.sample_events import EARLIER, NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.brevo import EVENTS, PROVIDER
from worker.samples.brevo import BrevoSamples, sample_object

SECONDS = int(EARLIER.timestamp())

# https://developers.brevo.com/docs/transactional-webhooks and https://developers.brevo.com/docs/marketing-webhooks:
# what each event means without a reason.
VENDOR_EVENTS = {
    "request": (Kind.ACCEPTED, Cause.NONE),
    "sent": (Kind.ACCEPTED, Cause.NONE),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "deferred": (Kind.DEFERRED, Cause.UNDETERMINED),
    "soft_bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "hard_bounce": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "invalid_email": (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
    "blocked": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "error": (Kind.OTHER, Cause.NONE),
    "spam": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    "opened": (Kind.OPENED, Cause.NONE),
    "unique_opened": (Kind.OPENED, Cause.NONE),
    "proxy_open": (Kind.OPENED, Cause.NONE),
    "unique_proxy_open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
    "list_addition": (Kind.OTHER, Cause.NONE),
    "contact_updated": (Kind.OTHER, Cause.NONE),
    "contact_deleted": (Kind.OTHER, Cause.NONE),
    "unique_coupon_sent": (Kind.OTHER, Cause.NONE),
    "inbound_email_processed": (Kind.OTHER, Cause.NONE),
    "reply": (Kind.OTHER, Cause.NONE),
}


class TestBrevo(BatchConformance):
    provider_name = "brevo"
    make_sender = BrevoSamples
    event_field = "event"
    told_at_least = ("event", "email")
    signs_body = False


def read(document: Any) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, BrevoSamples().posted(document))


def one(event: str, **values: Any) -> FeedbackEvent:
    told = {"event": event, "email": "jane@example.org", "id": 12345, "message-id": "<m1@smtp-relay.mailin.fr>"}
    (read_event,) = read({**told, "ts_event": SECONDS, **values})
    return read_event


def test_the_vendors_events_are_all_mapped() -> None:
    assert set(EVENTS) == set(VENDOR_EVENTS)


@pytest.mark.parametrize("name", VENDOR_EVENTS)
def test_an_event_without_a_reason_means_what_its_name_says(name: str) -> None:
    event = one(name)
    assert (event.kind, event.cause, event.recognised, event.vendor_event) == (*VENDOR_EVENTS[name], True, name)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("hardBounce", "hard_bounce"),
        ("hard_bounced", "hard_bounce"),
        ("softBounce", "soft_bounce"),
        ("Soft Bounced", "soft_bounce"),
        ("invalid", "invalid_email"),
        ("clicked", "click"),
        ("open", "opened"),
        ("uniqueOpened", "unique_opened"),
        ("proxy_opened", "proxy_open"),
        ("unique_proxy_opened", "unique_proxy_open"),
        ("listAddition", "list_addition"),
        ("contactDeleted", "contact_deleted"),
        ("inboundEmailProcessed", "inbound_email_processed"),
    ],
)
def test_a_name_in_another_spelling_is_known(written: str, name: str) -> None:
    event = one(written)
    assert (event.vendor_event, event.recognised) == (name, True)
    assert (event.kind, event.cause) == (one(name).kind, one(name).cause)


@pytest.mark.parametrize(
    ("name", "reason", "kind", "cause"),
    [
        ("hard_bounce", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("hard_bounce", "RecipientError: 550 5.1.1 no such user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("hard_bounce", "554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("hard_bounce", " 452 4.2.2\nmailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("hard_bounce", "", Kind.HARD_BOUNCE, Cause.UNDETERMINED),
        ("soft_bounce", "552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("soft_bounce", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("soft_bounce", "domain does not exist", Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
        ("deferred", "550 5.1.1 user unknown", Kind.DEFERRED, Cause.MAILBOX_DOES_NOT_EXIST),
        ("blocked", "blocked : due to blacklist user", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        ("blocked", "blocked : due to unsubscribed user", Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER),
        ("blocked", "blocked : due to spam complaint", Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER),
        ("blocked", "550 5.1.1 user unknown", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        ("blocked", "blocked : invalid email address", Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
        ("invalid_email", "email is not valid", Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
    ],
)
def test_the_reason_refines_what_the_name_leaves_open(name: str, reason: str, kind: Kind, cause: Cause) -> None:
    event = one(name, reason=reason)
    assert (event.kind, event.cause, event.diagnostic) == (kind, cause, reason or None)


def test_a_delivery_has_a_reason_too_and_is_no_failure() -> None:
    for name in ("request", "delivered"):
        event = one(name, reason="sent")
        assert (event.cause, event.diagnostic) == (Cause.NONE, None)


@pytest.mark.parametrize(
    "told",
    [
        {"ts_epoch": SECONDS * 1000, "ts_event": SECONDS + 7200},
        {"ts_epoch": SECONDS, "ts_event": SECONDS + 7200},
        {"s_epoch": SECONDS * 1000, "ts_event": SECONDS + 7200},
        {"ts_epoch": None, "ts_event": SECONDS},
        {"ts_event": str(SECONDS), "ts": SECONDS + 7200, "date": "2031-01-01 00:00:00"},
    ],
)
def test_time_is_read_from_the_clock_that_is_in_utc(told: dict[str, Any]) -> None:
    event = one("delivered", **told)
    assert (event.occurred_at, event.arrival_dated) == (EARLIER, False)


def test_a_time_in_the_accounts_own_zone_is_no_time() -> None:
    event = one("complaint", ts_event=None, ts=SECONDS, date="2026-03-04 06:06:07")
    assert (event.occurred_at, event.arrival_dated) == (NOW, True)


def test_a_marketing_event_has_no_message_and_a_key_by_its_campaign() -> None:
    told = {"id": 678, "email": "jane@example.org", "campaign name": "Spring", "event": "spam", "ts_event": SECONDS}
    first, second = read([{**told, "camp_id": 55}, {**told, "camp_id": 56}])
    assert (first.kind, first.message_id) == (Kind.COMPLAINT, None)
    assert first.event_key != second.event_key
    assert first.event_key == read({**told, "camp_id": 55, "reason": "undesired"})[0].event_key


def test_events_of_one_message_have_keys_of_their_own() -> None:
    events = [
        one("opened"),
        one("unique_opened"),
        one("opened", ts_event=SECONDS + 1),
        one("opened", email="john@example.org"),
        one("click", link="https://example.org/a"),
        one("click", link="https://example.org/b"),
    ]
    assert len({event.event_key for event in events}) == len(events)
    assert one("opened", id=99).event_key == one("opened").event_key


@pytest.mark.parametrize("name", ["proxy_open", "unique_proxy_open"])
def test_an_open_by_a_proxy_is_a_machines(name: str) -> None:
    assert one(name).machine
    assert not one(name.replace("proxy_open", "opened")).machine


@pytest.mark.parametrize("wrap", [lambda events: events, lambda events: {"events": events}])
def test_a_batch_is_an_array_or_stands_in_one(wrap: Any) -> None:
    told = [sample_object(sample()), sample_object(sample(Kind.COMPLAINT, Cause.ABUSE_REPORT))]
    events = read(wrap(told))
    assert [event.event_key for event in events] == [read(values)[0].event_key for values in told]


def test_an_array_of_texts_is_not_taken_for_the_batch() -> None:
    (event,) = read({"labels": ["news"], "events": [sample_object(sample())]})
    assert event.vendor_event == "hard_bounce"


def test_a_batch_inside_an_object_is_as_limited_as_any() -> None:
    with pytest.raises(UnreadablePayload, match="elements"):
        read({"events": [{}] + [0] * 100_000})


def test_a_batch_inside_a_batch_is_malformed() -> None:
    (event,) = read([{"events": [sample_object(sample())] * 2}])
    assert event.vendor_event == "malformed"


def test_what_cannot_be_read_in_a_batch_spoils_no_other() -> None:
    good = sample_object(sample())
    for document in ([3, {}, good], {"events": [3, {}, good]}):
        assert [event.vendor_event for event in read(document)] == ["malformed", "malformed", "hard_bounce"]


def test_inbound_mail_and_text_messages_concern_no_contact() -> None:
    inbound, sms = read({"items": [{"Subject": "hello"}]}) + read({"msg_status": "delivered", "to": "33600000000"})
    assert [(event.kind, event.address, event.vendor_event) for event in (inbound, sms)] == [
        (Kind.OTHER, None, "inbound"),
        (Kind.OTHER, None, "sms"),
    ]


def test_several_contacts_deleted_at_once_are_nobodys_event() -> None:
    event = one("contact_deleted", email=["a@example.org", "b@example.org"])
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)


@pytest.mark.parametrize("name", VENDOR_EVENTS)
def test_the_documentations_samples_count_for_nothing(name: str) -> None:
    for told in ({"email": "example@domain.com"}, {"message-id": "201798300811.5787683@relay.domain.com"}):
        event = one(name, **told)
        assert (event.kind, event.cause) == (Kind.OTHER, Cause.TEST)


@pytest.mark.parametrize("written", ["<m1@smtp-relay.mailin.fr>", "m1@smtp-relay.mailin.fr"])
def test_a_message_id_is_the_same_with_and_without_brackets(written: str) -> None:
    event = one("delivered", **{"message-id": written})
    assert event.message_id == "m1@smtp-relay.mailin.fr"
    assert event.event_key == one("delivered").event_key


@pytest.mark.parametrize(
    ("told", "tags"),
    [
        ({"tags": ["a", "b"], "tag": '["c"]'}, ("a", "b")),
        ({"tag": '["c", "d"]'}, ("c", "d")),
        ({"tag": "welcome"}, ("welcome",)),
        ({"tag": "[welcome"}, ("[welcome",)),
        ({"tag": ""}, ()),
        ({}, ()),
    ],
)
def test_tags_may_be_an_array_its_json_or_a_text(told: dict[str, Any], tags: tuple[str, ...]) -> None:
    assert one("delivered", **told).tags == tags


@pytest.mark.parametrize(
    ("custom", "metadata"),
    [
        ('{"subscriber_ref": "u-1001"}', {"subscriber_ref": "u-1001"}),
        ("order 7", {"X-Mailin-custom": "order 7"}),
        ("{broken", {"X-Mailin-custom": "{broken"}),
        ("", None),
        (None, None),
    ],
)
def test_what_the_sender_gave_along_is_kept(custom: str | None, metadata: dict[str, Any] | None) -> None:
    assert one("delivered", **{"X-Mailin-custom": custom}).metadata == metadata


def test_the_account_may_come_from_the_senders_address() -> None:
    (event,) = read(sample_object(sample()))
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "example.org"


def test_later_is_said_by_the_one_refusal_that_is_sent_again() -> None:
    assert (PROVIDER.success_status, PROVIDER.later_status) == (200, 429)
