"""Mailgun's webhooks of the older sort, which come as forms."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.one_time_tokens import token_of
from tests.providers.reading import parse_request
from tests.providers.sample_events import NOW, all_kinds_but, sample
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.mailgun.mailgun import PROVIDER
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.mailgun import MailgunSamples
from worker.samples.sample import SampleEvent

_BOUNDARY = "the-boundary"


class FormSamples(MailgunSamples):
    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        return [self.form_request(event, now=now) for event in events]


class TestMailgunFormConformance(ProviderConformance):
    provider_name = "mailgun"
    make_sender = FormSamples
    event_field = "event"
    told_at_least = ("event", "recipient")
    max_age = timedelta(hours=9)
    kinds = all_kinds_but(Kind.ACCEPTED, Kind.DEFERRED, Kind.OPENED, Kind.CLICKED)
    empty_bodies = (b"", b"&", b"=")

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        return msgspec.structs.replace(request, body=request.body.replace(b"token=", b"token=0"))

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        return msgspec.structs.replace(request, body=request.body.replace(b"signature=", b"other="))

    def documents(self, request: WebhookRequest) -> list[Any]:
        return [dict(parse_qsl(request.body.decode()))]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        fields = document.items() if isinstance(document, dict) else [(str(document), "")]
        return MailgunSamples().signed_form([(str(name), _as_text(value)) for name, value in fields]).body

    def test_times_and_words_of_the_vendor_are_kept(self) -> None:
        (event,) = self.parse([self.request(now=NOW - timedelta(minutes=5))])
        assert (event.occurred_at, event.arrival_dated) == (NOW - timedelta(minutes=5), False)
        assert (event.address, event.message_id) == ("jane@example.org", "m1@mg.example.org")
        assert (event.smtp_code, event.enhanced_status, event.vendor_event) == (550, "5.1.1", "bounced")

    def test_mutated_requests_are_judged_without_an_error(self) -> None:
        sender = self.new_sender()
        for body in (
            b"",
            b"\xff=\xff",
            b"timestamp&token&signature",
            b"timestamp=1&token=%ff&signature=%00",
            b"&" * 2_000,
        ):
            request = msgspec.structs.replace(self.request(sender), body=body)
            assert isinstance(self.judge(request, sender.source("first"), sender), Refused)


def _as_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()


def parse(*fields: tuple[str, str]) -> FeedbackEvent:
    request = MailgunSamples().signed_form(fields)
    (event,) = parse_request(PROVIDER, request)
    return event


# The events and reasons that the old manual lists.
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"event": "delivered"}, (Kind.DELIVERED, Cause.NONE)),
        ({"event": "opened"}, (Kind.OPENED, Cause.NONE)),
        ({"event": "clicked"}, (Kind.CLICKED, Cause.NONE)),
        ({"event": "complained"}, (Kind.COMPLAINT, Cause.ABUSE_REPORT)),
        ({"event": "unsubscribed"}, (Kind.UNSUBSCRIBE, Cause.NONE)),
        ({"event": "bounced", "code": "550", "error": "5.1.1 gone"}, (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ({"event": "bounced", "code": "5.1.1"}, (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ({"event": "bounced", "code": "550", "error": "go away"}, (Kind.HARD_BOUNCE, Cause.UNDETERMINED)),
        ({"event": "bounced"}, (Kind.HARD_BOUNCE, Cause.UNDETERMINED)),
        ({"event": "bounced", "code": "552", "notification": "over quota"}, (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
        ({"event": "dropped", "reason": "hardfail", "code": "605"}, (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)),
        ({"event": "dropped", "reason": "hardfail", "code": "606"}, (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER)),
        ({"event": "dropped", "reason": "hardfail", "code": "607"}, (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER)),
        ({"event": "dropped", "reason": "old", "code": "602"}, (Kind.SOFT_BOUNCE, Cause.EXPIRED)),
    ],
)  # fmt: skip
def test_each_event_of_the_old_manual_is_mapped(fields: dict[str, str], expected: tuple[Kind, Cause]) -> None:
    event = parse(("recipient", "jane@example.org"), *fields.items())
    assert (event.kind, event.cause) == expected
    assert event.recognised
    assert event.vendor_event == "/".join(fields[name] for name in ("event", "reason") if name in fields)


def test_a_variable_with_the_name_of_a_field_comes_second_except_for_the_signature() -> None:
    sender = MailgunSamples()
    signed = sender.form_request(sample(), now=NOW)
    fields = parse_qsl(signed.body.decode())
    shadowed = [*fields, ("event", "mine"), ("recipient", "joe@example.org")]
    shadowed = [("token", "mine"), ("timestamp", "1"), ("signature", "mine"), *shadowed]
    request = sender.signed_form(shadowed)
    assert isinstance(PROVIDER.bind(sender.source("s")).authenticate(request, now=NOW, certificates={}), Accepted)
    assert parse(*shadowed).address == "jane@example.org"
    assert parse(*shadowed).kind is Kind.HARD_BOUNCE


def test_the_senders_variables_are_metadata_and_tags_may_repeat() -> None:
    event = parse(("event", "opened"), ("order", "7"), ("X-Mailgun-Tag", "a"), ("X-Mailgun-Tag", "b"), ("order", "8"))
    assert event.metadata == {"order": ["7", "8"]}
    assert event.tags == ("a", "b")


def test_raw_is_json_without_the_signature_and_tells_the_sending_domain() -> None:
    request = MailgunSamples().form_request(sample(), now=NOW)
    (event,) = parse_request(PROVIDER, request)
    raw = json.loads(event.raw)
    assert raw["recipient"] == "jane@example.org"
    assert not {"token", "signature"} & set(raw)
    assert with_own_account(event, "sending_domain", PROVIDER.account_paths).account == "mg.example.org"


def test_two_opens_at_two_times_are_two_and_a_bounce_sent_again_is_one() -> None:
    def key(name: str, seconds: int) -> bytes:
        message = ("Message-Id", "<m1@example.org>")
        return parse(("event", name), ("recipient", "a@b.example"), message, ("timestamp", str(seconds))).event_key

    assert key("opened", 1_772_600_000) != key("opened", 1_772_600_001)
    assert key("bounced", 1_772_600_000) == key("bounced", 1_772_600_001)


def test_the_consoles_sample_changes_nobody() -> None:
    event = parse(("event", "bounced"), ("recipient", "alice@example.com"), ("my_var_1", "Mailgun Variable #1"))
    assert (event.kind, event.cause) == (Kind.OTHER, Cause.TEST)


def multipart(fields: Sequence[tuple[str, str]]) -> WebhookRequest:
    lines = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    ]
    lines += [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="attachment-1"; filename="message.mime"\r\n',
        "Content-Type: application/octet-stream\r\n\r\nFrom: somebody\r\n",
        f"--{_BOUNDARY}--\r\n",
    ]
    request = MailgunSamples().signed_form([])
    headers = {**request.headers, "content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return msgspec.structs.replace(request, headers=headers, body="".join(lines).encode())


def test_a_form_in_parts_says_the_same_and_its_attachment_is_left_out() -> None:
    sender = MailgunSamples()
    plain = sender.form_request(sample(), now=NOW)
    in_parts = multipart(parse_qsl(plain.body.decode()))
    assert isinstance(PROVIDER.bind(sender.source("s")).authenticate(in_parts, now=NOW, certificates={}), Accepted)
    ((one,), (other,)) = (parse_request(PROVIDER, request) for request in (plain, in_parts))
    assert (one.event_key, one.raw) == (other.event_key, other.raw)


def test_a_token_is_good_for_one_event_of_one_person() -> None:
    sender = MailgunSamples()
    request = sender.form_request(sample(), now=NOW)
    other = msgspec.structs.replace(request, body=request.body.replace(b"recipient=jane", b"recipient=john"))
    verdicts = [
        PROVIDER.bind(sender.source("s")).authenticate(one, now=NOW, certificates={})
        for one in (request, request, other)
    ]
    fingerprints = [token_of(verdict).used_for for verdict in verdicts if isinstance(verdict, Accepted)]
    assert len(fingerprints) == 3
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


@pytest.mark.parametrize("body", [b"", b"recipient=jane%40example.org", b"event=", b"&" * 2_000])
def test_a_form_without_an_event_is_set_aside(body: bytes) -> None:
    request = msgspec.structs.replace(MailgunSamples().signed_form([]), body=body)
    with pytest.raises(UnreadablePayload, match="Mailgun"):
        parse_request(PROVIDER, request)


def test_json_that_is_called_a_form_is_read_as_json() -> None:
    sender = MailgunSamples()
    request = sender.requests([sample()], now=NOW)[0]
    by_curl = msgspec.structs.replace(request, headers={"content-type": "application/x-www-form-urlencoded"})
    assert isinstance(PROVIDER.bind(sender.source("s")).authenticate(by_curl, now=NOW, certificates={}), Accepted)
    ((one,), (other,)) = (parse_request(PROVIDER, each) for each in (request, by_curl))
    assert one.event_key == other.event_key
