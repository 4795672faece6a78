"""What Telnyx reports of text messages: its statuses and error codes, one message to several people, its opt-outs."""

import json
from datetime import timedelta
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Channel, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_request
from tests.providers.sample_events import NOW
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.vendors.telnyx import CODES, PROVIDER, STATUSES
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.phone_number import made_up_number
from worker.samples.telnyx import TelnyxSamples

VENDOR_STATUSES = {
    "scheduled", "queued", "sending", "sent", "cancelled", "expired", "sending_failed", "delivery_unconfirmed",
    "delivered", "delivery_failed",
}  # fmt: skip
VENDOR_CODES = {
    *range(40001, 40007), *range(40008, 40019), 40100, 40150, 40151,
    *range(40300, 40303), 40304, 40305, 40306, *range(40308, 40323), 40328, 40329,
}  # fmt: skip


# https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks
STATUS_MEANINGS = meanings(
    {
        (Kind.ACCEPTED, Cause.NONE): "scheduled queued sending sent delivery_unconfirmed",
        (Kind.DELIVERED, Cause.NONE): "delivered",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "delivery_failed",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "expired",
        (Kind.DROPPED, Cause.UNDETERMINED): "sending_failed",
        (Kind.OTHER, Cause.NONE): "cancelled",
    }
)
# https://developers.telnyx.com/docs/messaging/messages/error-codes; 40300 is the STOP of its recipient.
CODE_MEANINGS = meanings(
    {
        # Not routable, an invalid number, an invalid "to" address.
        (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS): "40001 40012 40310",
        # Rejected by the destination, undeliverable.
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "40004 40008",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "40005",
        (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE): "40006",
        # As spam for now, for its content, by Telnyx, by AT&T, for its text.
        (Kind.BLOCKED, Cause.CONTENT): "40002 40009 40015 40017 40322",
        # As spam for good, an unhealthy "from" address.
        (Kind.BLOCKED, Cause.SENDER_REPUTATION): "40003 40315",
        # 10DLC, a toll-free number that is not verified.
        (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION): "40010 40329",
        (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE): "40302 40317 40328",
        # The limits of Telnyx, of T-Mobile and of AT&T, a queue that is full, and one that took too long.
        (Kind.BLOCKED, Cause.RATE_LIMITED): "40011 40014 40016 40018 40318",
        # The number, the messaging profile and the account.
        (Kind.BLOCKED, Cause.SENDER_CONFIGURATION): (
            "40013 40100 40150 40151 40301 40304 40305 40306 40308 40309 40311 40312 40313 40314 40316 "
            "40319 40320 40321"
        ),
    }
)


class TestTelnyx(ProviderConformance):
    provider_name = "telnyx"
    event_field = "data.event_type"
    make_sender = TelnyxSamples
    max_age = timedelta(days=1)
    tells_reply = False
    kinds = (
        (Kind.ACCEPTED, Cause.NONE),
        (Kind.DELIVERED, Cause.NONE),
        (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
        (Kind.SOFT_BOUNCE, Cause.EXPIRED),
        (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
        (Kind.BLOCKED, Cause.SENDER_REPUTATION),
        (Kind.DROPPED, Cause.UNDETERMINED),
        (Kind.UNSUBSCRIBE, Cause.NONE),
        (Kind.RESUBSCRIBE, Cause.NONE),
        (Kind.OTHER, Cause.NONE),
    )

    def recipient(self, email: str) -> str:
        return made_up_number(email)

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        other = TelnyxSamples().signed(json.loads(request.body), now=NOW)
        assert other.body == request.body
        return other

    def stripped(self, document: Any) -> Any:
        (to,) = document["data"]["payload"]["to"]
        payload = {"to": [{"phone_number": to["phone_number"], "status": to["status"]}]}
        return {"data": {"event_type": document["data"]["event_type"], "payload": payload}}


def read(payload: dict[str, Any], event: str = "message.finalized") -> list[FeedbackEvent]:
    data = {"id": "e1", "event_type": event, "occurred_at": "2026-03-04T11:00:00.000+00:00", "payload": payload}
    return parse_request(PROVIDER, TelnyxSamples().signed({"data": data}, now=NOW))


def sent(status: str, code: str | None = None, **other: Any) -> FeedbackEvent:
    errors = [{"code": code, "title": "A title", "detail": "and a detail."}] if code else []
    to = [{"phone_number": "+491701234567", "status": status}]
    (event,) = read({"id": "m1", "type": "SMS", "to": to, "errors": errors, **other})
    return event


def incoming(**payload: Any) -> FeedbackEvent:
    (event,) = read(
        {"id": "m1", "type": "SMS", "from": {"phone_number": "+491701234567"}, **payload}, "message.received"
    )
    return event


class TestStatus:
    def test_each_that_the_vendor_documents_is_mapped(self) -> None:
        assert set(STATUSES) == set(STATUS_MEANINGS) == VENDOR_STATUSES
        for status, meaning in STATUS_MEANINGS.items():
            event = sent(status)
            assert (event.kind, event.cause, event.channel) == (*meaning, Channel.SMS)

    def test_each_code_that_the_vendor_documents_is_mapped(self) -> None:
        assert {int(code) for code in CODES} == VENDOR_CODES == {*map(int, CODE_MEANINGS), 40300}
        for code, meaning in CODE_MEANINGS.items():
            event = sent("delivery_failed", code)
            assert (event.kind, event.cause) == meaning
            assert (event.vendor_event, event.recognised) == (f"delivery_failed/{code}", True)
            assert event.diagnostic == "A title: and a detail."

    @pytest.mark.parametrize(
        ("code", "kind", "cause"),
        [
            ("40001", Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
            ("40003", Kind.BLOCKED, Cause.SENDER_REPUTATION),
            ("40006", Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
            ("40008", Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
            ("40014", Kind.BLOCKED, Cause.RATE_LIMITED),
            ("40310", Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
        ],
    )
    def test_of_a_failure_is_reported_by_its_code(self, code: str, kind: Kind, cause: Cause) -> None:
        event = sent("sending_failed", code)
        assert (event.kind, event.cause, event.address) == (kind, cause, "+491701234567")

    def test_with_a_new_code_counts_against_the_number_only_when_a_carrier_had_the_message(self) -> None:
        carrier, own = sent("delivery_failed", "49999"), sent("sending_failed", "49999")
        assert (carrier.kind, carrier.cause, carrier.recognised) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED, False)
        assert (own.kind, own.cause, own.recognised) == (Kind.DROPPED, Cause.UNDETERMINED, False)

    def test_stop_is_told_from_the_sender_that_may_not_send_by_the_words(self) -> None:
        def told(**error: str) -> Kind:
            return sent("sending_failed", errors=[{"code": "40300", **error}]).kind

        assert told(title="Blocked due to STOP message") is Kind.UNSUBSCRIBE
        assert told(title="Blocked", detail="due to an existing block rule") is Kind.UNSUBSCRIBE
        assert told() is Kind.UNSUBSCRIBE
        assert told(title="The from number has no messaging profile") is Kind.BLOCKED

    def test_of_each_recipient_makes_an_event_of_its_own(self) -> None:
        numbers = {"+491701234567": "delivered", "+491701234568": "delivery_failed"}
        to = [{"phone_number": number, "status": status} for number, status in numbers.items()]
        gone, failed = read({"id": "m1", "type": "MMS", "to": to, "errors": [{"code": "40012"}]})
        assert (gone.kind, gone.address, gone.diagnostic) == (Kind.DELIVERED, "+491701234567", None)
        assert (failed.kind, failed.address) == (Kind.HARD_BOUNCE, "+491701234568")
        assert gone.event_key[1:] != failed.event_key[1:]

    @pytest.mark.parametrize("channel", ["RCS", "WHATSAPP", "whatsapp"])
    def test_of_another_channel_says_nothing_about_the_number(self, channel: str) -> None:
        event = sent("delivery_failed", "40001", type=channel)
        assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)

    @pytest.mark.parametrize("to", [None, [], ["+491701234567"], {}])
    def test_about_nobody_is_set_aside(self, to: Any) -> None:
        with pytest.raises(UnreadablePayload, match="nobody"):
            read({"to": to})

    def test_without_a_status_is_the_events_own(self) -> None:
        (event,) = read({"to": [{"phone_number": "+491701234567"}]}, "message.sent")
        assert (event.kind, event.recognised) == (Kind.ACCEPTED, True)


class TestOptOut:
    @pytest.mark.parametrize(
        ("answered", "kind"), [("STOP", Kind.UNSUBSCRIBE), ("START", Kind.RESUBSCRIBE), ("HELP", Kind.OTHER)]
    )
    def test_is_recognised_by_what_telnyx_answered(self, answered: str, kind: Kind) -> None:
        event = incoming(autoresponse_type=answered, text="ARRET")
        assert (event.kind, event.vendor_event) == (kind, f"received/{answered}")
        assert event.address == (None if kind is Kind.OTHER else "+491701234567")

    @pytest.mark.parametrize("text", ["Stop", "stop all", "STOPALL", "unsubscribe", " cancel ", "END", "quit"])
    def test_is_recognised_by_the_default_keywords_alone(self, text: str) -> None:
        assert incoming(text=text).kind is Kind.UNSUBSCRIBE
        assert incoming(text=f"{text} it, please").kind is Kind.OTHER

    def test_is_taken_back_by_start(self) -> None:
        assert incoming(text="unstop").kind is Kind.RESUBSCRIBE

    def test_is_no_other_message(self) -> None:
        event = incoming(text="Hello!")
        assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)

    def test_is_the_same_event_whether_its_words_are_known_as_one_or_not(self) -> None:
        assert incoming(text="Stop").event_key == incoming(text="Hello!").event_key

    def test_of_a_new_type_is_noticed(self) -> None:
        event = incoming(autoresponse_type="PAUSE", text="STOP")
        assert (event.kind, event.recognised) == (Kind.OTHER, False)


def test_what_is_signed_is_the_time_and_the_body_with_a_line_between() -> None:
    # By the cryptography package: the first key pair of RFC 8032, 7.1, over "1772625600|{}".
    signature = "dqqgcUCfUiVFd4JkjAhpX/1QeK3jnO++a2Gi0AP0Dviq2Brsrk061npMigI1TJwkA1cEjNz/DlqzcnqddrliCA=="
    key = Secret("11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    source = Source(name="first", provider="telnyx", secrets=(key,))
    for timestamp, verdict in (("1772625600", Accepted), ("1772625601", Refused)):
        request = WebhookRequest(
            method="POST",
            path="/webhooks/first",
            query={},
            headers={"telnyx-signature-ed25519": signature, "telnyx-timestamp": timestamp},
            body=b"{}",
            remote_address="192.0.2.10",
        )
        assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), verdict)


def test_keys_are_of_the_event_and_its_recipient() -> None:
    told = [
        sent("delivered", to=[{"phone_number": f"+49170123456{digit}", "status": "delivered"}]) for digit in range(3)
    ]
    assert len({event.event_key for event in told}) == 3
    assert sent("delivered").event_key == sent("delivered", text="Hello again").event_key


def test_the_organization_can_be_the_account() -> None:
    event = sent("delivered", organization_id="o7")
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "o7"
