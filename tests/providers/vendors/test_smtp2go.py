"""SMTP2GO: what all providers do, and what only it does."""

import base64
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_request
from tests.providers.sample_events import EARLIER, all_kinds_but, sample
from worker.errors import UnreadablePayload
from worker.providers.vendors.smtp2go import BOUNCES, EVENTS, PROVIDER, SMS_EVENTS
from worker.providers.webhook_request import WebhookRequest
from worker.samples.smtp2go import Smtp2goSamples, sample_values

# https://developers.smtp2go.com/docs/webhooks-overview: the events, those of text messages, and the sorts of bounces.
VENDOR_EVENTS = {
    "processed",
    "delivered",
    "open",
    "click",
    "bounce",
    "spam",
    "unsubscribe",
    "resubscribe",
    "reject",
}
VENDOR_SMS_EVENTS = {"sms_sending", "sms_submitted", "sms_delivered", "sms_failed", "sms_rejected", "opt-out"}
VENDOR_BOUNCES = {"hard", "soft"}


class TestSmtp2go(ProviderConformance):
    provider_name = "smtp2go"
    make_sender = Smtp2goSamples
    event_field = "event"
    told_at_least = ("event", "rcpt")
    signs_body = False
    # SMTP2GO has no word for deferred mail.
    kinds = all_kinds_but(Kind.DEFERRED)

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        wrong = "Basic " + base64.b64encode(b"smtp2go:guess").decode()
        return msgspec.structs.replace(request, headers={**request.headers, "authorization": wrong})


def read(request: WebhookRequest) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, request)


def one(**values: Any) -> FeedbackEvent:
    (event,) = read(Smtp2goSamples().posted({"event": "bounce", "rcpt": "jane@example.org", **values}))
    return event


def test_every_documented_event_and_bounce_has_a_meaning() -> None:
    assert set(EVENTS) == VENDOR_EVENTS
    assert set(BOUNCES) == VENDOR_BOUNCES
    assert set(SMS_EVENTS) == VENDOR_SMS_EVENTS


def test_a_rejection_of_an_invalid_address_counts_and_any_other_is_an_echo() -> None:
    invalid = one(event="reject", message="invalid recipient address")
    assert (invalid.kind, invalid.cause) == (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)
    listed = one(event="reject", message="recipient is suppressed")
    assert (listed.kind, listed.cause) == (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)


def test_a_refusal_of_our_greeting_is_reported_by_its_context_and_blames_nobody_else() -> None:
    event = one(bounce="hard", context="MAIL FROM:<news@example.com>", message="550 does not exist")
    assert (event.kind, event.cause) == (Kind.BLOCKED, Cause.SENDER_CONFIGURATION)
    event = one(bounce="hard", context="RCPT TO:<jane@example.org>", message="550 does not exist")
    assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)


@pytest.mark.parametrize(
    ("name", "documented_name"),
    [
        ("spam_complaint", "spam"),
        ("unsubscribed", "unsubscribe"),
        ("resubscribed", "resubscribe"),
        ("opened", "open"),
        ("clicked", "click"),
    ],
)
def test_an_event_by_its_other_name_means_the_same(name: str, documented_name: str) -> None:
    said = {"email_id": "m1", "time": "2026-03-04T11:00:00Z"}
    event, documented = one(event=name, **said), one(event=documented_name, **said)
    assert (event.kind, event.cause, event.recognised) == (documented.kind, documented.cause, True)
    assert event.vendor_event == name


@pytest.mark.parametrize(
    ("bounce", "words", "kind", "cause"),
    [
        ("hard", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("hard", None, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("hard", "554 5.7.1 your IP address is listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("soft", "552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("soft", "", Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
        (None, None, Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    ],
)
def test_the_servers_words_decide_about_a_bounce(
    bounce: str | None, words: str | None, kind: Kind, cause: Cause
) -> None:
    event = one(bounce=bounce, message=words)
    assert (event.kind, event.cause, event.recognised) == (kind, cause, True)


def test_a_bounce_of_a_new_sort_is_noticed() -> None:
    event = one(bounce="squishy")
    assert (event.kind, event.vendor_event, event.recognised) == (Kind.SOFT_BOUNCE, "bounce/squishy", False)


def test_a_processed_mail_is_reported_for_each_of_its_recipients() -> None:
    values = sample_values(sample(Kind.ACCEPTED, Cause.NONE)) | {
        "recipients": ["a@example.org", "b@example.org", 3, ""]
    }
    events = read(Smtp2goSamples().posted(values))
    assert [event.address for event in events] == ["a@example.org", "b@example.org"]
    assert len({event.event_key for event in events}) == 2
    values["recipients"] = "a@example.org,b@example.org"
    assert [event.address for event in read(Smtp2goSamples().as_form(values))] == ["a@example.org", "b@example.org"]


@pytest.mark.parametrize("kind", [Kind.DELIVERED, Kind.HARD_BOUNCE, Kind.CLICKED, Kind.COMPLAINT])
def test_a_form_says_the_same_as_json(kind: Kind) -> None:
    values = sample_values(sample(kind, metadata={"X-Order": "77"}))
    (as_json,), (as_form,) = read(Smtp2goSamples().posted(values)), read(Smtp2goSamples().as_form(values))
    assert as_form.raw != as_json.raw
    like_json = msgspec.structs.replace(as_form, raw=as_json.raw, delivery_id=as_json.delivery_id)
    assert like_json == as_json
    assert as_form.occurred_at == EARLIER


def test_headers_of_the_mail_become_metadata() -> None:
    assert one(**{"X-Order": "77", "user-agent": "Mozilla/5.0"}).metadata == {"X-Order": "77"}
    assert one().metadata is None


@pytest.mark.parametrize("body", [b"", b"event=bounce", b"rcpt=a%40example.org", b"{}", b'{"event":"bounce"}'])
def test_an_event_about_nobody_is_set_aside(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(msgspec.structs.replace(Smtp2goSamples().posted({}), body=body))


def test_a_flood_of_recipients_is_set_aside_and_not_copied_for_each() -> None:
    many = [f"p{number}@example.org" for number in range(1_001)]
    assert len(read(Smtp2goSamples().posted({"event": "processed", "recipients": many[1:]}))) == 1_000
    with pytest.raises(UnreadablePayload, match="more than 1000"):
        read(Smtp2goSamples().posted({"event": "processed", "recipients": many}))


@pytest.mark.parametrize("name", sorted(VENDOR_SMS_EVENTS))
def test_a_text_message_concerns_no_address(name: str) -> None:
    values = {"event": name, "destination_number": "+4915112345678", "message_id": "s1"}
    first, later = (
        read(Smtp2goSamples().posted({**values, "received_timestamp": time}))[0]
        for time in ("2026-03-04T11:00:00Z", "2026-03-04T11:00:01Z")
    )
    assert (first.kind, first.address, first.recognised, first.occurred_at) == (Kind.OTHER, None, True, EARLIER)
    assert first.event_key != later.event_key


def test_a_bounce_that_does_not_say_whose_it_is_is_charged_to_nobody() -> None:
    both = ["jane@example.org", "john@example.org"]
    assert len(read(Smtp2goSamples().posted({"event": "processed", "recipients": both}))) == 2
    with pytest.raises(UnreadablePayload, match="nobody"):
        read(Smtp2goSamples().posted({"event": "bounce", "bounce": "hard", "recipients": both}))
    (alone,) = read(Smtp2goSamples().posted({"event": "bounce", "bounce": "hard", "recipients": both[:1]}))
    assert alone.address == both[0]


def test_whoever_takes_an_address_off_the_suppressions_takes_no_unsubscribe_back() -> None:
    assert one(event="resubscribe").kind is Kind.OTHER
