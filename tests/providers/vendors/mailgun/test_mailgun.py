"""Mailgun: what all providers do, and what only it does."""

import hmac
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.one_time_tokens import token_of
from tests.providers.reading import parse_request
from tests.providers.sample_events import EARLIER, NOW, sample
from worker.errors import UnreadablePayload
from worker.providers.vendors.mailgun.mailgun import EVENT_KINDS, PROVIDER
from worker.providers.vendors.mailgun.mailgun_failure import OPEN_REASONS, OWN_CODES, PERMANENT_REASONS
from worker.providers.verdict import Accepted, Judgement, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.mailgun import MailgunSamples


class TestMailgunConformance(ProviderConformance):
    provider_name = "mailgun"
    make_sender = MailgunSamples
    event_field = "event"
    told_at_least = ("event", "recipient")
    max_age = timedelta(hours=9)

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        body = json.loads(request.body)
        body["signature"]["token"] = "0" * 50
        return msgspec.structs.replace(request, body=json.dumps(body).encode())

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        body = json.loads(request.body)
        del body["signature"]
        return msgspec.structs.replace(request, body=json.dumps(body).encode())

    def documents(self, request: WebhookRequest) -> list[Any]:
        return [json.loads(request.body)["event-data"]]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        return json.dumps(json.loads(request.body) | {"event-data": document}).encode()


def event_data(event: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": "id-1",
        "event": event,
        "timestamp": EARLIER.timestamp(),
        "recipient": "jane@example.org",
        **fields,
    }


def parse(data: Any) -> FeedbackEvent:
    request = MailgunSamples(seed=b"any").signed(data, now=NOW)
    (event,) = parse_request(PROVIDER, request)
    return event


def failed(severity: str, reason: str, **status: Any) -> FeedbackEvent:
    return parse(event_data("failed", severity=severity, reason=reason, **{"delivery-status": status}))


def judge(body: Any, source: Source) -> Judgement:
    request = MailgunSamples().signed({}, now=NOW)
    changed = msgspec.structs.replace(request, body=json.dumps(body).encode())
    return PROVIDER.bind(source).authenticate(changed, now=NOW, certificates={})


def signature(key: str, timestamp: str, token: str) -> str:
    return hmac.new(key.encode(), f"{timestamp}{token}".encode(), sha256).hexdigest()


# https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure and the vendor's own client
DOCUMENTED_EVENTS = (
    *("accepted", "delivered", "failed", "rejected", "complained", "unsubscribed", "opened", "clicked"),
    *("stored", "list_member_uploaded", "list_member_upload_error", "list_uploaded", "dropped", "blocked"),
)
DOCUMENTED_REASONS = (
    *("unknown", "generic", "bounce", "espblock", "greylisted", "blacklisted", "suppress-bounce"),
    *("suppress-complaint", "suppress-unsubscribe", "old", "hardfail", "delayed-bounce"),
)


def test_every_documented_event_and_reason_is_mapped() -> None:
    assert set(DOCUMENTED_EVENTS) == set(EVENT_KINDS)
    assert set(DOCUMENTED_REASONS) == {*PERMANENT_REASONS, *OPEN_REASONS}
    assert {498, 499, 602, 605, 606, 607, 625} == set(OWN_CODES)


@pytest.mark.parametrize(
    ("reason", "status", "expected"),
    [
        ("bounce", {"code": 550, "enhanced-code": "5.1.1"}, (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ("bounce", {"code": 550, "message": "no such user"}, (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ("bounce", {"code": 550, "message": "go away"}, (Kind.HARD_BOUNCE, Cause.UNDETERMINED)),
        ("bounce", {"code": 550, "message": "listed on zen.spamhaus.org"}, (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        ("bounce", {"code": 552, "message": "5.2.2 over quota"}, (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        ("bounce", {"code": 450, "message": "go away"}, (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE)),
        (
            "bounce",
            {"code": 550, "bounce-type": "soft", "message": "no such user"},
            (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
        ),
        ("generic", {"code": 550, "bounce-type": "hard", "message": "go away"}, (Kind.HARD_BOUNCE, Cause.UNDETERMINED)),
        (
            "generic",
            {"code": 498, "message": "No MX for example.com"},
            (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
        ),
        ("generic", {"code": 499, "message": "no connection"}, (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED)),
        ("generic", {"code": 550, "message": "go away"}, (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
        ("generic", {"bounce-code": "550", "enhanced-code": "5.1.1"}, (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ("suppress-bounce", {"code": 605}, (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)),
        ("suppress-unsubscribe", {"code": 606}, (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER)),
        ("suppress-complaint", {"code": 607}, (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER)),
        ("hardfail", {"code": 605}, (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)),
        ("generic", {"code": 625}, (Kind.DROPPED, Cause.SENDER_REPUTATION)),
        ("old", {"code": 602, "message": "Too old"}, (Kind.SOFT_BOUNCE, Cause.EXPIRED)),
        ("old", {"code": 550, "message": "no such user"}, (Kind.SOFT_BOUNCE, Cause.EXPIRED)),
        ("espblock", {"code": 550, "message": "5.7.1 go away"}, (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        ("espblock", {"code": 550, "message": "5.7.26 no DKIM"}, (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION)),
        ("blacklisted", {}, (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
        ("greylisted", {"code": 450}, (Kind.SOFT_BOUNCE, Cause.GREYLISTED)),
        ("a-new-reason", {"code": 550, "message": "go away"}, (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    ],
)
def test_a_permanent_failure_is_what_reason_codes_and_words_say(
    reason: str, status: dict[str, Any], expected: tuple[Kind, Cause]
) -> None:
    event = failed("permanent", reason, **status)
    assert (event.kind, event.cause) == expected
    assert event.vendor_event == f"failed/permanent/{reason}"


@pytest.mark.parametrize("reason", DOCUMENTED_REASONS)
def test_a_temporary_failure_is_a_deferral_whatever_its_reason(reason: str) -> None:
    assert failed("temporary", reason, code=550, message="no such user").kind is Kind.DEFERRED


def test_a_missing_mx_may_be_found_as_long_as_mailgun_goes_on_looking() -> None:
    event = failed("temporary", "generic", code=498, message="No MX for example.com")
    assert (event.kind, event.cause) == (Kind.DEFERRED, Cause.DNS_FAILURE)


@pytest.mark.parametrize("severity", ["internal", "unknown", ""])
def test_a_failure_of_no_known_severity_changes_nothing(severity: str) -> None:
    assert failed(severity, "bounce", code=550).kind is Kind.OTHER


@pytest.mark.parametrize("key", ["delivery-status", "flags", "message", "envelope", "tags", "user-variables"])
def test_null_may_stand_where_an_object_is_documented(key: str) -> None:
    event = parse(event_data("failed", severity="permanent", reason="bounce") | {key: None})
    assert event.kind is Kind.HARD_BOUNCE


def test_the_description_stands_in_for_an_empty_message() -> None:
    event = failed("permanent", "bounce", code=550, message="", description="No such user")
    assert event.diagnostic == "No such user"


@pytest.mark.parametrize("flags", [{"is-test-mode": True}, {"is-system-test": True}])
def test_mail_that_was_never_sent_changes_nobody(flags: dict[str, bool]) -> None:
    event = parse(event_data("failed", severity="permanent", reason="bounce", flags=flags))
    assert (event.kind, event.cause) == (Kind.OTHER, Cause.TEST)


def test_the_consoles_sample_changes_nobody() -> None:
    variables = {"my_var_1": "Mailgun Variable #1", "my-var-2": "awesome"}
    event = parse(event_data("complained", **{"user-variables": variables}))
    assert (event.kind, event.cause) == (Kind.OTHER, Cause.TEST)


@pytest.mark.parametrize(
    ("variables", "metadata"),
    [
        ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
        ({}, None),
        ("Could not load user-variables. They were either truncated or invalid JSON", None),
        ([], None),
    ],
)
def test_user_variables_of_any_shape_are_taken(variables: Any, metadata: Any) -> None:
    assert parse(event_data("opened", **{"user-variables": variables})).metadata == metadata


def test_an_id_is_unique_for_its_day_only() -> None:
    today = parse(event_data("opened"))
    again = parse(event_data("opened", tags=["added later"]))
    tomorrow = parse(event_data("opened", timestamp=(EARLIER - timedelta(days=1)).timestamp()))
    assert today.event_key == again.event_key
    assert today.event_key != tomorrow.event_key


def test_a_rejection_names_the_one_person_in_its_header() -> None:
    data = {
        "id": "id-1",
        "event": "rejected",
        "timestamp": EARLIER.timestamp(),
        "reject": {"reason": "Sandbox recipient", "description": "not an authorized recipient"},
        "message": {"headers": {"to": "Jane <Jane@Example.org>", "message-id": "m1@example.org"}},
    }
    event = parse(data)
    assert (event.kind, event.address) == (Kind.DROPPED, "jane@example.org")
    assert event.diagnostic == "Sandbox recipient: not an authorized recipient"
    data["message"] = {"headers": {"to": "jane@example.org, joe@example.org"}}
    assert parse(data).address is None


@pytest.mark.parametrize(
    "reason",
    [
        "Sandbox subdomains are for test purposes only. Please add your own domain.",
        "Free accounts are for test purposes only: add the address to authorized recipients",
        "Domain news.example.com is not allowed to send: the account is disabled",
    ],
)
def test_a_limit_of_our_own_account_blames_no_recipient(reason: str) -> None:
    data = {
        "id": "id-1",
        "event": "rejected",
        "timestamp": EARLIER.timestamp(),
        "reject": {"reason": reason, "description": ""},
        "message": {"headers": {"to": "jane@example.org", "message-id": "m1@example.org"}},
    }
    event = parse(data)
    assert (event.kind, event.cause) == (Kind.DROPPED, Cause.SENDER_CONFIGURATION)


def test_raw_is_the_event_without_its_signature() -> None:
    body = b'{"signature": {"token": "t"}, "event-data": { "event":"opened",  "id":"1" }}'
    request = msgspec.structs.replace(MailgunSamples().signed({}, now=NOW), body=body)
    (event,) = parse_request(PROVIDER, request)
    assert event.raw == b'{ "event":"opened",  "id":"1" }'


@pytest.mark.parametrize("body", [b"{}", b'{"event-data": 3}', b'{"event-data": {}}', b'{"event-data": {"event": 3}}'])
def test_a_body_without_an_event_is_set_aside(body: bytes) -> None:
    request = msgspec.structs.replace(MailgunSamples().signed({}, now=NOW), body=body)
    with pytest.raises(UnreadablePayload, match="Mailgun"):
        parse_request(PROVIDER, request)


def test_the_primary_accounts_signature_is_as_good() -> None:
    timestamp = str(int(NOW.timestamp()))
    signed = {
        "timestamp": timestamp,
        "token": "t",
        "signature": signature("key of the subaccount", timestamp, "t"),
        "parent-signature": signature("key of the primary account", timestamp, "t"),
    }
    body = {"signature": signed, "event-data": event_data("opened")}
    for key in ("key of the subaccount", "key of the primary account"):
        assert isinstance(judge(body, Source(name="s", provider="mailgun", secrets=(Secret(key),))), Accepted)
    stranger = judge(body, Source(name="s", provider="mailgun", secrets=(Secret("another"),)))
    assert isinstance(stranger, Refused)


def test_a_timestamp_may_be_a_number() -> None:
    timestamp = int(NOW.timestamp())
    source = Source(name="s", provider="mailgun", secrets=(Secret("key"),))
    for written in (timestamp, str(timestamp)):
        signed = {"timestamp": written, "token": "t", "signature": signature("key", str(timestamp), "t")}
        assert isinstance(judge({"signature": signed, "event-data": {}}, source), Accepted)


@pytest.mark.parametrize("digits", range(1, 13))
def test_digits_of_a_token_cannot_be_moved_to_its_timestamp(digits: int) -> None:
    timestamp, token = str(int(NOW.timestamp())), "123456789012" + "t" * 38
    source = Source(name="s", provider="mailgun", secrets=(Secret("key"),))
    proof = signature("key", timestamp, token)
    assert isinstance(
        judge({"signature": {"timestamp": timestamp, "token": token, "signature": proof}, "event-data": {}}, source),
        Accepted,
    )
    for moved in (
        {"timestamp": timestamp + token[:digits], "token": token[digits:]},
        {"timestamp": int(timestamp + token[:digits]), "token": token[digits:]},
        {"timestamp": timestamp[:-digits], "token": timestamp[-digits:] + token},
    ):
        verdict = judge({"signature": {**moved, "signature": proof}, "event-data": {}}, source)
        assert isinstance(verdict, Refused)
        assert verdict.reason in {"bad_timestamp", "missing_signature"}


@pytest.mark.parametrize("spell", [" {}", "{} ", "+{}", "0{}", "{}.0", "{}e0", "{}\n", "-{}"])
def test_a_timestamp_that_is_spelled_otherwise_is_refused_even_if_it_was_signed_so(spell: str) -> None:
    timestamp = spell.format(int(NOW.timestamp()))
    source = Source(name="s", provider="mailgun", secrets=(Secret("key"),))
    signed = {"timestamp": timestamp, "token": "t", "signature": signature("key", timestamp, "t")}
    verdict = judge({"signature": signed, "event-data": {}}, source)
    assert isinstance(verdict, Refused)
    assert verdict.reason == "bad_timestamp"


def test_an_empty_key_opens_nothing() -> None:
    timestamp = str(int(NOW.timestamp()))
    signed = {"timestamp": timestamp, "token": "t", "signature": signature("", timestamp, "t")}
    source = Source(name="s", provider="mailgun", secrets=(Secret(""),))
    assert isinstance(judge({"signature": signed, "event-data": {}}, source), Refused)


def test_a_token_is_good_for_one_event_of_one_person() -> None:
    sender = MailgunSamples()
    source = sender.source("s")

    def verdict(fields: dict[str, Any]) -> Accepted:
        request = sender.signed(event_data("failed") | fields, now=NOW, token="t" * 50)
        accepted = PROVIDER.bind(source).authenticate(request, now=NOW, certificates={})
        assert isinstance(accepted, Accepted)
        return accepted

    first = verdict({})
    assert token_of(first).signed == f"mailgun {int(NOW.timestamp())}{'t' * 50}"  # all that was signed
    assert token_of(first).used_for == token_of(verdict(dict(reversed(event_data("failed").items())))).used_for
    for changed in (
        {"recipient": "joe@example.org"},
        {"id": "id-2"},
        {"event": "complained"},
        {"severity": "permanent"},
        {"delivery-status": {"code": 550}},
        {"delivery-status": {"message": "550 5.1.1 no such user"}},
        {"account": {"id": "another"}},
        {"tags": ["another"]},
    ):
        assert token_of(first).used_for != token_of(verdict(changed)).used_for


def test_a_token_is_remembered_for_as_long_as_its_timestamp_is_accepted() -> None:
    sender = MailgunSamples()
    accepted = PROVIDER.bind(sender.source("s")).authenticate(
        sender.requests([sample()], now=NOW)[0], now=NOW, certificates={}
    )
    assert isinstance(accepted, Accepted)
    far_ahead = sender.requests([sample()], now=NOW + timedelta(seconds=300))[0]
    assert isinstance(PROVIDER.bind(sender.source("s")).authenticate(far_ahead, now=NOW, certificates={}), Accepted)
    assert token_of(accepted).window_seconds == 9 * 3_600 + 300
    too_far = sender.requests([sample()], now=NOW + timedelta(seconds=302))[0]
    assert isinstance(PROVIDER.bind(sender.source("s")).authenticate(too_far, now=NOW, certificates={}), Refused)


def test_a_token_is_remembered_as_long_as_another_source_with_its_key_may_take_it() -> None:
    sender = MailgunSamples()
    for max_age_seconds, window in ((60, 9 * 3_600 + 300), (86_400, 86_400 + 300)):
        source = msgspec.structs.replace(sender.source("s"), options={"max_age_seconds": max_age_seconds})
        accepted = PROVIDER.bind(source).authenticate(sender.requests([sample()], now=NOW)[0], now=NOW, certificates={})
        assert isinstance(accepted, Accepted)
        assert token_of(accepted).window_seconds == window


def test_the_age_limit_can_be_set() -> None:
    sender = MailgunSamples()
    source = msgspec.structs.replace(sender.source("s"), options={"max_age_seconds": 60})
    request = sender.requests([sample()], now=NOW)[0]
    verdict = PROVIDER.bind(source).authenticate(request, now=NOW + timedelta(seconds=61), certificates={})
    assert isinstance(verdict, Refused)
    assert PROVIDER.check_source(source) == []
    for options in ({"max_age_seconds": "soon"}, {"max_age": 60}):
        assert PROVIDER.check_source(msgspec.structs.replace(source, options=options))


def test_a_body_that_is_neither_json_nor_a_form_is_refused_with_the_remedy() -> None:
    sender = MailgunSamples()
    request = msgspec.structs.replace(sender.signed({}, now=NOW), body=b"event=bounced&recipient=jane%40example.org")
    verdict = PROVIDER.bind(sender.source("s")).authenticate(request, now=NOW, certificates={})
    assert isinstance(verdict, Refused)
    assert "neither as JSON nor as a form" in verdict.detail


def test_a_rejection_for_mailguns_own_list_is_an_echo() -> None:
    event = parse(event_data("rejected", reject={"reason": "The recipient address is on the suppression list"}))
    assert (event.kind, event.cause) == (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)
