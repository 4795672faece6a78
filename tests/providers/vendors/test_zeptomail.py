"""ZeptoMail: what all providers do, and what only it does."""

import json
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_request
from tests.providers.sample_events import NOW, all_kinds_but, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.zeptomail import EVENTS, PROVIDER, SIGNATURE_HEADER
from worker.providers.verdict import Accepted, Answered, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.zeptomail import ZeptoMailSamples, sample_values

# https://www.zoho.com/zeptomail/help/webhooks.html; then the right spelling of one of them, and the one that the form
# for webhooks offers besides.
VENDOR_EVENTS = {"softbounce", "hardbounce", "fbl_compliant", "email_open", "email_link_click"}
OTHER_EVENTS = {"fbl_complaint", "delivered"}
_NOT_TOLD = {Kind.ACCEPTED, Kind.DEFERRED, Kind.DROPPED, Kind.UNSUBSCRIBE, Kind.OTHER}


class TestZeptoMail(ProviderConformance):
    provider_name = "zeptomail"
    make_sender = ZeptoMailSamples
    kinds = all_kinds_but(*_NOT_TOLD)

    def unknown(self, document: Any) -> Any:
        document["event_message"][0]["event_data"][0]["object"] = self.unknown_event
        return document | {"event_name": [self.unknown_event]}

    def stripped(self, document: Any) -> Any:
        (name,) = document["event_name"]
        detail = {"bounced_recipient": document["event_message"][0]["event_data"][0]["details"][0]["bounced_recipient"]}
        return {"event_name": name, "event_message": {"event_data": {"details": detail}}}


def read(request: WebhookRequest) -> list[FeedbackEvent]:
    return parse_request(PROVIDER, request)


def read_values(values: dict[str, Any]) -> list[FeedbackEvent]:
    return read(ZeptoMailSamples().signed(json.dumps(values).encode(), now=NOW))


def bounce(name: str, words: str | None) -> FeedbackEvent:
    values = sample_values(sample())
    values["event_name"] = [name]
    block = values["event_message"][0]["event_data"][0]
    block["object"] = name
    block["details"][0] |= {"diagnostic_message": words, "reason": None}
    (event,) = read_values(values)
    return event


def test_every_documented_event_has_a_meaning() -> None:
    assert set(EVENTS) == VENDOR_EVENTS | OTHER_EVENTS


@pytest.mark.parametrize(
    ("name", "words", "kind", "cause"),
    [
        ("hardbounce", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("hardbounce", None, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ("hardbounce", "554 5.7.1 your IP address is listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
        ("softbounce", "552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
        ("softbounce", None, Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    ],
)
def test_the_servers_words_decide_about_a_bounce(name: str, words: str | None, kind: Kind, cause: Cause) -> None:
    event = bounce(name, words)
    assert (event.kind, event.cause) == (kind, cause)


def test_a_bounce_is_about_whom_its_details_name() -> None:
    values = sample_values(sample())
    values["event_message"][0]["email_info"]["to"] = [
        {"email_address": {"address": "other@example.org"}},
        {"email_address": {"address": "jane@example.org"}},
    ]
    block = values["event_message"][0]["event_data"][0]
    block["details"] += [{**block["details"][0], "bounced_recipient": "other@example.org"}]
    assert [event.address for event in read_values(values)] == ["jane@example.org", "other@example.org"]


def test_a_bounce_of_nobody_is_noticed_and_counts_for_nothing() -> None:
    values = sample_values(sample())
    del values["event_message"][0]["event_data"][0]["details"][0]["bounced_recipient"]
    (event,) = read_values(values)
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, False)


def test_an_open_of_one_of_several_is_nobodys() -> None:
    values = sample_values(sample(Kind.OPENED, Cause.NONE))
    info = values["event_message"][0]["email_info"]
    info["cc"] = [{"email_address": [{"address": "copied@example.org"}]}]
    (event,) = read_values(values)
    assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)
    del info["cc"]
    values["event_message"][0]["event_data"][0]["object"] = "email"
    (event,) = read_values(values)
    assert (event.kind, event.address) == (Kind.OPENED, "jane@example.org")


@pytest.mark.parametrize("to", ["jane@example.org", {"address": "jane@example.org"}, [{"address": "jane@example.org"}]])
def test_a_complaint_names_its_recipient_in_any_form(to: object) -> None:
    values = sample_values(sample(Kind.COMPLAINT, Cause.ABUSE_REPORT))
    values["event_message"][0]["event_data"][0]["details"][0]["to"] = to
    (event,) = read_values(values)
    assert (event.kind, event.address) == (Kind.COMPLAINT, "jane@example.org")


def test_agent_sender_and_reference_are_reported() -> None:
    (event,) = read_values(sample_values(sample()))
    assert event.metadata == {"client_reference": "order-77"}
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "agent-1"
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "example.org"


def test_a_form_says_the_same_as_json_and_is_signed_alike() -> None:
    sender, values = ZeptoMailSamples(), sample_values(sample())
    form, plain = sender.as_form(values, now=NOW), sender.signed(json.dumps(values).encode(), now=NOW)
    assert isinstance(judge(form, sender), Accepted)
    (as_form,), (as_json,) = read(form), read(plain)
    assert msgspec.structs.replace(as_form, delivery_id=as_json.delivery_id) == as_json
    changed = msgspec.structs.replace(form, body=form.body.replace(b"jane", b"john"))
    assert isinstance(judge(changed, sender), Refused)


def test_a_signed_time_before_the_json_is_taken_too() -> None:
    sender = ZeptoMailSamples()
    request = sender.signed(b'{"event_name":[]}', now=NOW, with_time=True)
    assert isinstance(judge(request, sender), Accepted)
    header = request.headers[SIGNATURE_HEADER].replace("ts=1", "ts=2")
    changed = msgspec.structs.replace(request, headers={SIGNATURE_HEADER: header})
    assert isinstance(judge(changed, sender), Refused)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("s=", "x=", "missing_signature"),
        ("s-algorithm=HmacSHA256", "s-algorithm=none", "bad_signature"),
        (";s=", ";s=!", "bad_signature"),
    ],
)
def test_an_odd_signature_is_refused(old: str, new: str, reason: str) -> None:
    sender = ZeptoMailSamples()
    request = sender.signed(b"{}", now=NOW)
    header = request.headers[SIGNATURE_HEADER].replace(old, new)
    verdict = judge(msgspec.structs.replace(request, headers={SIGNATURE_HEADER: header}), sender)
    assert isinstance(verdict, Refused)
    assert verdict.reason == reason


@pytest.mark.parametrize("body", [b"", b"{}", b"a=b", b'{"event_name":[]}', b'{"event_name":[3]}'])
def test_a_body_that_names_no_event_is_set_aside(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(msgspec.structs.replace(ZeptoMailSamples().signed(b"{}", now=NOW), body=body))


def test_the_get_before_a_webhook_is_saved_is_answered() -> None:
    request = msgspec.structs.replace(ZeptoMailSamples().signed(b"{}", now=NOW), method="GET", headers={}, body=b"")
    source = ZeptoMailSamples().source("first")
    answer = PROVIDER.bind(source).answer_probe(request)
    assert isinstance(answer, Answered)
    assert answer.http_status == 200
    assert PROVIDER.bind(source).answer_probe(msgspec.structs.replace(request, method="OPTIONS")) is None


@pytest.mark.parametrize(
    ("scheme", "changes"),
    [("header", {"headers": {"x-webhook-secret": "long-token"}}), ("query", {"query": {"token": "long-token"}})],
)
def test_the_other_schemes_take_their_token_and_no_other(scheme: str, changes: dict[str, Any]) -> None:
    request = msgspec.structs.replace(ZeptoMailSamples().signed(b"{}", now=NOW), headers={})
    for secret, expected in (("long-token", Accepted), ("another-token", Refused)):
        source = Source(name="first", provider="zeptomail", authentication=scheme, secrets=(Secret(secret),))
        assert PROVIDER.check_source(source) == []
        shown = msgspec.structs.replace(request, **changes)
        assert isinstance(PROVIDER.bind(source).authenticate(shown, now=NOW, certificates={}), expected)
        assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), Refused)


def judge(request: WebhookRequest, sender: ZeptoMailSamples) -> object:
    return PROVIDER.bind(sender.source("first")).authenticate(request, now=NOW, certificates={})


@pytest.mark.parametrize("place", ["event_message", "event_data", "details"])
def test_a_webhook_with_a_flood_of_details_is_set_aside_and_not_copied_for_each(place: str) -> None:
    values = sample_values(sample())
    message = values["event_message"][0]
    holder = {"event_message": values, "event_data": message, "details": message["event_data"][0]}[place]
    holder[place] *= 100
    assert len(read_values(values)) == 100
    holder[place] *= 2
    with pytest.raises(UnreadablePayload, match="more than 100"):
        read_values(values)
