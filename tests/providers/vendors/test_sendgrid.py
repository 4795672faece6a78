"""SendGrid: what all providers do, and what only it does."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.reading import parse_envelope, parse_request, wrap
from tests.providers.sample_events import EARLIER, NOW, sample
from worker.providers.vendors.sendgrid.sendgrid import EVENT_KINDS, PROVIDER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from worker.providers.verdict import Accepted, Refused
from worker.samples.sample import SampleSender
from worker.samples.sendgrid import SendGridSamples


class TestSendGridConformance(BatchConformance):
    provider_name = "sendgrid"
    event_field = "event"
    told_at_least = ("event", "email")
    max_age = timedelta(hours=48)

    def new_sender(self) -> SampleSender:
        return SendGridSamples(events_per_batch=5)


def parse(*elements: Any, account: str = "default") -> list[FeedbackEvent]:
    body = json.dumps(elements).encode()
    request = SendGridSamples(seed=b"any").signed(body, now=NOW)
    envelope = wrap(PROVIDER, request)
    return parse_envelope(PROVIDER, msgspec.structs.replace(envelope, account=account))


def element(event: str, **fields: Any) -> dict[str, Any]:
    return {
        "email": "jane@example.org",
        "timestamp": int(EARLIER.timestamp()),
        "event": event,
        "sg_message_id": "ABC.recvd-1",
        **fields,
    }


def bounce(bounce_type: str | None, classification: str | None, status: str, reason: str) -> FeedbackEvent:
    fields: dict[str, Any] = {"status": status, "reason": reason}
    if bounce_type:
        fields["type"] = bounce_type
    if classification:
        fields["bounce_classification"] = classification
    (event,) = parse(element("bounce", **fields))
    return event


# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
DOCUMENTED_EVENTS = (
    *("processed", "dropped", "delivered", "deferred", "bounce", "open", "click", "spamreport"),
    *("unsubscribe", "group_unsubscribe", "group_resubscribe", "account_status_change"),
)


def test_every_documented_event_is_mapped() -> None:
    assert set(DOCUMENTED_EVENTS) == set(EVENT_KINDS)


@pytest.mark.parametrize(
    ("bounce_type", "classification", "status", "reason", "expected"),
    [
        (
            "bounce",
            "Invalid Address",
            "5.1.1",
            "550 5.1.1 no such user",
            (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ),
        ("bounce", "Invalid Address", "5.0.0", "550 go away", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ("bounce", "invalid", "5.0.0", "550 go away", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        (
            "blocked",
            "Invalid Address",
            "5.1.1",
            "550 5.1.1 no such user",
            (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ),
        ("blocked", "Invalid Address", "5.0.0", "550 go away", (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
        ("bounce", "Mailbox Unavailable", "5.0.0", "550 go away", (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED)),
        ("bounce", "Mailbox Unavailable", "5.2.2", "552 5.2.2 mailbox full", (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        ("bounce", "Mailbox Unavailable", "4.0.0", "450 not now", (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE)),
        ("blocked", "Mailbox Unavailable", "5.2.1", "550 5.2.1 disabled", (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
        ("bounce", "Reputation", "5.1.1", "550 5.1.1 no such user", (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        ("blocked", "Reputation", "5.7.26", "550 5.7.26 no SPF", (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION)),
        ("bounce", "Content", "5.0.0", "550 go away", (Kind.BLOCKED, Cause.CONTENT)),
        ("blocked", "content", "5.0.0", "550 go away", (Kind.BLOCKED, Cause.CONTENT)),
        ("blocked", "Frequency or Volume Too High", "4.7.0", "421 4.7.0 wait", (Kind.BLOCKED, Cause.RATE_LIMITED)),
        ("bounce", "Technical Failure", "5.0.0", "550 go away", (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE)),
        ("blocked", "Technical", "4.4.1", "timed out", (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED)),
        ("bounce", "Unclassified", "5.0.0", "550 go away", (Kind.HARD_BOUNCE, Cause.UNDETERMINED)),
        ("bounce", None, "5.0.0", "550 go away", (Kind.HARD_BOUNCE, Cause.UNDETERMINED)),
        ("bounce", None, "4.0.0", "", (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
        ("bounce", None, "5.7.1", "554 5.7.1 go away", (Kind.BLOCKED, Cause.POLICY)),
        ("blocked", None, "5.0.0", "554 go away", (Kind.BLOCKED, Cause.POLICY)),
        ("blocked", None, "5.2.2", "552 5.2.2 full and inactive", (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        ("expired", None, "", "", (Kind.SOFT_BOUNCE, Cause.EXPIRED)),
        (None, None, "5.1.1", "550 5.1.1 no such user", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        (None, None, "5.0.0", "550 go away", (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
        ("bounce", "A New Class", "5.0.0", "550 go away", (Kind.HARD_BOUNCE, Cause.UNDETERMINED)),
    ],
)
def test_a_bounce_is_what_type_class_codes_and_words_say_together(
    bounce_type: str | None, classification: str | None, status: str, reason: str, expected: tuple[Kind, Cause]
) -> None:
    event = bounce(bounce_type, classification, status, reason)
    assert (event.kind, event.cause) == expected


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Bounced Address", Cause.SUPPRESSED_BY_PROVIDER),
        ("Unsubscribed Address", Cause.UNSUBSCRIBED_AT_PROVIDER),
        ("Spam Reporting Address", Cause.COMPLAINED_AT_PROVIDER),
        ("Spam Content (if Spam Checker app enabled)", Cause.CONTENT),
        ("Invalid SMTPAPI header", Cause.SENDER_CONFIGURATION),
        ("Recipient List over Package Quota", Cause.SENDER_CONFIGURATION),
        ("Something new", Cause.UNDETERMINED),
    ],
)
def test_a_drop_echoes_its_reason_and_is_no_bounce(reason: str, cause: Cause) -> None:
    (event,) = parse(element("dropped", reason=reason))
    assert (event.kind, event.cause) == (Kind.DROPPED, cause)


def test_an_invalid_address_that_was_never_tried_counts_as_the_only_news_of_it() -> None:
    (event,) = parse(element("dropped", reason="Invalid"))
    assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)


def test_an_event_id_that_changes_on_retry_does_not_change_the_key() -> None:
    first, again = parse(element("open", sg_event_id="one"), element("open", sg_event_id="two"))
    assert first.event_key == again.event_key


@pytest.mark.parametrize("field", ["timestamp", "url", "ip", "useragent", "sg_message_id", "smtp-id", "email"])
def test_events_that_differ_in_content_have_different_keys(field: str) -> None:
    one, other = parse(element("click"), element("click", **{field: 1772600001}))
    assert one.event_key != other.event_key


def test_two_attempts_of_one_message_are_two_deferrals() -> None:
    one, other = parse(element("deferred", attempt="1"), element("deferred", attempt="2"))
    assert one.event_key != other.event_key


def test_accounts_do_not_share_keys() -> None:
    (one,), (other,) = parse(element("open"), account="a"), parse(element("open"), account="b")
    assert one.event_key != other.event_key


@pytest.mark.parametrize("broken", [3, "text", None, [], {}, {"event": 5}, {"email": "jane@example.org"}])
def test_one_malformed_element_does_not_lose_the_others(broken: Any) -> None:
    before, malformed, after = parse(element("open"), broken, element("click"))
    assert (before.kind, after.kind) == (Kind.OPENED, Kind.CLICKED)
    assert (malformed.kind, malformed.vendor_event, malformed.address) == (Kind.OTHER, "malformed", None)
    assert malformed.raw == json.dumps(broken).encode()


def test_text_that_is_not_utf8_spoils_only_its_own_element() -> None:
    request = SendGridSamples().signed(b'[{"event":"open","email":"\xff"},{"event":"click"}]', now=NOW)
    malformed, after = parse_request(PROVIDER, request)
    assert malformed.vendor_event == "malformed"
    assert after.kind is Kind.CLICKED


def test_raw_is_the_elements_own_bytes() -> None:
    own = b'{ "event" : "open",\t"email":"jane@example.org" }'
    request = SendGridSamples().signed(b"[" + own + b",\r\n{}]\r\n", now=NOW)
    first, _ = parse_request(PROVIDER, request)
    assert first.raw == own


def test_an_empty_array_has_no_events() -> None:
    assert parse() == []


def test_a_bare_object_is_an_array_of_one() -> None:
    request = SendGridSamples().signed(json.dumps(element("open")).encode(), now=NOW)
    (event,) = parse_request(PROVIDER, request)
    assert event.kind is Kind.OPENED


def test_milliseconds_are_understood() -> None:
    (event,) = parse(element("open", timestamp=int(EARLIER.timestamp() * 1000)))
    assert event.occurred_at == EARLIER


def test_an_event_from_the_future_is_dated_at_its_arrival() -> None:
    (event,) = parse(element("open", timestamp=int(NOW.timestamp()) + 60))
    assert (event.occurred_at, event.arrival_dated) == (NOW, True)


def test_a_suspended_account_names_nobody() -> None:
    (event,) = parse({"event": "account_status_change", "type": "compliance_suspend", "timestamp": 1772600767})
    assert (event.kind, event.address) == (Kind.OTHER, None)
    assert event.vendor_event == "account_status_change/compliance_suspend"


def test_the_consoles_test_changes_nobody() -> None:
    events = parse(*(element(name, email="example@test.com") for name in DOCUMENTED_EVENTS))
    assert {(event.kind, event.cause) for event in events} == {(Kind.OTHER, Cause.TEST)}


def test_a_group_unsubscribe_is_limited_to_its_group() -> None:
    group, everything, back = parse(
        element("group_unsubscribe", asm_group_id=42),
        element("unsubscribe"),
        element("group_resubscribe", asm_group_id=42),
    )
    assert (group.kind, group.scope) == (Kind.UNSUBSCRIBE, "asm_group:42")
    assert (everything.kind, everything.scope) == (Kind.UNSUBSCRIBE, None)
    assert (back.kind, back.scope) == (Kind.RESUBSCRIBE, "asm_group:42")


def test_a_complaint_names_the_group_that_it_is_about() -> None:
    about_a_group, about_nothing = parse(element("spamreport", asm_group_id=42), element("spamreport"))
    assert (about_a_group.kind, about_a_group.scope) == (Kind.COMPLAINT, "asm_group:42")
    assert (about_nothing.kind, about_nothing.cause, about_nothing.scope) == (
        Kind.COMPLAINT,
        Cause.ABUSE_REPORT,
        None,
    )


def test_an_open_by_a_machine_is_marked() -> None:
    machine, person = parse(element("open", sg_machine_open=True), element("open", sg_machine_open=False))
    assert (machine.machine, person.machine) == (True, False)


@pytest.mark.parametrize(
    ("category", "tags"), [("one", ("one",)), (["one", "two"], ("one", "two")), (None, ()), ({"a": 1}, ())]
)
def test_categories_come_as_a_text_or_a_list(category: Any, tags: tuple[str, ...]) -> None:
    (event,) = parse(element("open", category=category))
    assert event.tags == tags


def test_the_senders_own_arguments_are_metadata() -> None:
    (event,) = parse(element("open", subscriber="u-1", nested={"a": ["\x00"]}, huge=2**70))
    assert event.metadata == {"subscriber": "u-1", "nested": {"a": ["\ufffd"]}, "huge": str(2**70)}


def test_the_message_id_is_the_one_that_the_api_answered_with() -> None:
    with_api_id, without = parse(
        element("open"), {"event": "open", "email": "jane@example.org", "smtp-id": "<m1@example.org>"}
    )
    assert (with_api_id.message_id, without.message_id) == ("ABC", "m1@example.org")


def test_the_final_line_break_is_part_of_what_is_signed() -> None:
    sender = SendGridSamples()
    request = sender.requests([sample()], now=NOW)[0]
    assert request.body.endswith(b"]\r\n")
    trimmed = msgspec.structs.replace(request, body=request.body.strip())
    verdict = PROVIDER.bind(sender.source("s")).authenticate(trimmed, now=NOW, certificates={})
    assert isinstance(verdict, Refused)
    assert verdict.reason == "bad_signature"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (SIGNATURE_HEADER, "not base64!"),
        (SIGNATURE_HEADER, base64.b64encode(b"short").decode()),
        (TIMESTAMP_HEADER, "1"),
        (TIMESTAMP_HEADER, "tomorrow ☃"),
    ],
)
def test_a_spoiled_header_is_a_refusal(header: str, value: str) -> None:
    sender = SendGridSamples()
    request = sender.requests([sample()], now=NOW)[0]
    spoiled = msgspec.structs.replace(request, headers={**request.headers, header: value})
    assert isinstance(PROVIDER.bind(sender.source("s")).authenticate(spoiled, now=NOW, certificates={}), Refused)


def test_user_and_password_can_stand_in_for_the_signature() -> None:
    source = Source(name="s", provider="sendgrid", authentication="basic", secrets=(Secret("me:pass:word"),))
    assert PROVIDER.check_source(source) == []
    request = SendGridSamples().requests([sample()], now=NOW)[0]
    header = "Basic " + base64.b64encode(b"me:pass:word").decode()
    known = msgspec.structs.replace(request, headers={"authorization": header})
    assert isinstance(PROVIDER.bind(source).authenticate(known, now=NOW, certificates={}), Accepted)
    verdict = PROVIDER.bind(source).authenticate(request, now=NOW, certificates={})
    assert isinstance(verdict, Refused)
    assert verdict.challenge is not None


KEY = "the key by which the operator's identity provider signs"


@pytest.mark.parametrize(
    ("authentication", "secret", "shown", "strange"),
    [
        ("oauth", KEY, jwt.encode({"exp": NOW + timedelta(hours=1), "aud": "hooks"}, KEY), "a.b.c"),
        ("bearer", "an opaque token", "an opaque token", "another token"),
    ],
)
def test_a_token_of_the_operators_identity_provider_can_stand_in_for_the_signature(
    authentication: str, secret: str, shown: str, strange: str
) -> None:
    source = Source(name="s", provider="sendgrid", authentication=authentication, secrets=(Secret(secret),))
    assert PROVIDER.check_source(source) == []
    request = SendGridSamples().requests([sample()], now=NOW)[0]
    for token, verdict in ((shown, Accepted), (strange, Refused), ("", Refused)):
        shows = msgspec.structs.replace(request, headers={"authorization": f"Bearer {token}"} if token else {})
        assert isinstance(PROVIDER.bind(source).authenticate(shows, now=NOW, certificates={}), verdict)


def test_a_token_for_somebody_else_is_refused() -> None:
    token = jwt.encode({"exp": NOW + timedelta(hours=1), "aud": "hooks"}, KEY)
    request = SendGridSamples().requests([sample()], now=NOW)[0]
    shows = msgspec.structs.replace(request, headers={"authorization": f"Bearer {token}"})
    for audience, verdict in (("hooks", Accepted), ("billing", Refused)):
        source = Source(
            name="s",
            provider="sendgrid",
            authentication="oauth",
            secrets=(Secret(KEY),),
            options={"audience": audience},
        )
        assert PROVIDER.check_source(source) == []
        assert isinstance(PROVIDER.bind(source).authenticate(shows, now=NOW, certificates={}), verdict)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ("delivered", "response"),
        ("deferred", "response"),
        ("deferred", "attempt"),
        ("open", "ip"),
        ("open", "useragent"),
    ],
)
def test_what_tells_two_events_of_one_second_apart_is_in_the_key(event: str, field: str) -> None:
    one, other = parse(element(event, **{field: "a"}), element(event, **{field: "b"}))
    assert one.event_key != other.event_key


def test_a_secret_that_is_no_key_is_reported() -> None:
    source = Source(name="s", provider="sendgrid", secrets=(Secret("hunter2"),))
    (problem,) = PROVIDER.check_source(source)
    assert "P-256" in problem
    assert "hunter2" not in problem
