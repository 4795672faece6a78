"""What Vonage's Messages API reports: its signed tokens, its statuses and error codes, its other channels."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Channel, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.reading import parse_request
from tests.providers.sample_events import NOW
from worker.errors import UnreadablePayload
from worker.providers.vendors.vonage import CODES, PROVIDER, STATUSES, signed_token
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.phone_number import made_up_number
from worker.samples.vonage import VonageSamples

VENDOR_STATUSES = {"submitted", "delivered", "rejected", "undeliverable", "read"}
VENDOR_CODES = {
    1000, 1010, 1020, 1021, 1022, 1030, 1040, 1050, 1060, 1070, 1080, 1090, 1100, 1110, 1120, 1130, 1140, 1150, 1160,
    1170, 1180, 1190, 1200, 1210, 1220, 1230, 1240, 1241, 1250, 1260, 1270, 1280, 1290, 1300, 1310, 1320, 1330, 1340,
    1350, 1360, 1370,
}  # fmt: skip


# https://developer.vonage.com/en/messages/concepts/messages-status-callbacks
STATUS_MEANINGS = meanings(
    {
        (Kind.ACCEPTED, Cause.NONE): "submitted",
        (Kind.DELIVERED, Cause.NONE): "delivered",
        (Kind.OPENED, Cause.NONE): "read",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "rejected",  # by Vonage or a carrier
        (Kind.DROPPED, Cause.SERVER_UNAVAILABLE): "undeliverable",  # its supplier was not reached
    }
)
# https://developer.vonage.com/en/api-errors/messages
CODE_MEANINGS = meanings(
    {
        # Absent subscriber: permanent.
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST): "1190",
        # Invalid or missing number.
        (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS): "1170",
        # Absent for a while, ported away, busy; unroutable and unreachable.
        (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED): "1180 1200 1220 1250 1260",
        # Number barred, blocked by its carrier, without prepaid credit.
        (Kind.SOFT_BOUNCE, Cause.RECIPIENT_RESTRICTED): "1050 1280 1290",
        # Network error.
        (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE): "1230",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED): "1360",
        # Unknown.
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "1330",
        # Anti-spam rejection, age restriction.
        (Kind.BLOCKED, Cause.CONTENT): "1210 1270",
        # Throttled, too many to one number.
        (Kind.BLOCKED, Cause.RATE_LIMITED): "1000 1241",
        (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE): "1090",
        # Illegal sender address.
        (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION): "1120",
        # Parameters, account, quota, signature, class, and numbers that a trial may not reach.
        (Kind.BLOCKED, Cause.SENDER_CONFIGURATION): (
            "1010 1020 1021 1022 1040 1060 1070 1080 1110 1130 1140 1150 1160"
        ),
        # Internal error, communication failed.
        (Kind.DROPPED, Cause.SERVER_UNAVAILABLE): "1030 1100",
        # The STOP of its recipient.
        (Kind.UNSUBSCRIBE, Cause.NONE): "1240",
        # Other channels than texts, and what was sent before.
        (Kind.OTHER, Cause.NONE): "1300 1310 1320 1340 1350 1370",
    }
)


class TestVonage(ProviderConformance):
    provider_name = "vonage"
    make_sender = VonageSamples
    event_field = "status"
    told_at_least = ("status", "to")
    max_age = timedelta(days=2)
    tells_reply = False
    kinds = (
        (Kind.ACCEPTED, Cause.NONE),
        (Kind.DELIVERED, Cause.NONE),
        (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
        (Kind.SOFT_BOUNCE, Cause.EXPIRED),
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        (Kind.BLOCKED, Cause.CONTENT),
        (Kind.DROPPED, Cause.SERVER_UNAVAILABLE),
        (Kind.OPENED, Cause.NONE),
        (Kind.UNSUBSCRIBE, Cause.NONE),
        (Kind.OTHER, Cause.NONE),
    )

    def recipient(self, email: str) -> str:
        return made_up_number(email)

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        return msgspec.structs.replace(request, body=request.body.replace(b'"to":"999', b'"to":"998'))


def read(values: dict[str, Any]) -> FeedbackEvent:
    (event,) = parse_request(PROVIDER, VonageSamples().signed(values, now=NOW))
    return event


def told(status: str, code: int | str | None = None, **other: Any) -> FeedbackEvent:
    values: dict[str, Any] = {"message_uuid": "u1", "to": "491701234567", "channel": "sms", "status": status}
    if code is not None:
        values["error"] = {"title": code, "detail": "What Vonage says."}
    return read(values | other)


def token_request(header: dict[str, str], claims: dict[str, Any], body: bytes, key: str = "k") -> WebhookRequest:
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = urlsafe_b64encode(hmac.digest(key.encode(), b".".join(parts), "sha256")).rstrip(b"=")
    token = b".".join([*parts, signature]).decode()
    return WebhookRequest(
        method="POST",
        path="/webhooks/first",
        query={},
        headers={"authorization": f"Bearer {token}"},
        body=body,
        remote_address="192.0.2.10",
    )


class TestToken:
    SOURCE = Source(name="first", provider="vonage", secrets=(Secret("k"),))
    HASH = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # by sha256sum, of {}
    CLAIMS: ClassVar[dict[str, Any]] = {"iat": int(NOW.timestamp()), "payload_hash": HASH, "iss": "Vonage"}

    def reason(self, request: WebhookRequest) -> str:
        verdict = PROVIDER.bind(self.SOURCE).authenticate(request, now=NOW, certificates={})
        return verdict.reason if isinstance(verdict, Refused) else type(verdict).__name__

    def test_of_the_body_under_the_secret_is_accepted(self) -> None:
        assert self.reason(token_request({"alg": "HS256"}, self.CLAIMS, b"{}")) == Accepted.__name__
        assert self.reason(token_request({"alg": "HS256"}, self.CLAIMS, b"{ }")) == "bad_signature"
        assert self.reason(token_request({"alg": "HS256"}, self.CLAIMS, b"{}", key="other")) == "bad_signature"

    @pytest.mark.parametrize("spell", ["{}.", "{}.e30", ".{}", "{}!", "{}=.", " {}"])
    def test_that_is_not_three_parts_of_base64_is_refused_even_if_it_was_signed_so(self, spell: str) -> None:
        header, claims = (
            urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
            for part in ({"alg": "HS256"}, self.CLAIMS)
        )
        for signed, reason in (
            (f"{header}.{claims}", "Accepted"),
            (f"{header}.{spell.format(claims)}", "bad_signature"),
        ):
            signature = urlsafe_b64encode(hmac.digest(b"k", signed.encode(), "sha256")).rstrip(b"=").decode()
            request = token_request({}, {}, b"{}")
            shown = msgspec.structs.replace(request, headers={"authorization": f"Bearer {signed}.{signature}"})
            assert self.reason(shown) == reason

    @pytest.mark.parametrize("algorithm", ["none", "HS512", "RS256", ""])
    def test_that_names_another_way_of_signing_is_refused(self, algorithm: str) -> None:
        assert self.reason(token_request({"alg": algorithm}, self.CLAIMS, b"{}")) == "bad_signature"

    def test_without_hash_or_time_is_refused(self) -> None:
        assert self.reason(token_request({"alg": "HS256"}, {"iat": self.CLAIMS["iat"]}, b"{}")) == "bad_signature"
        assert self.reason(token_request({"alg": "HS256"}, {"payload_hash": self.HASH}, b"{}")) == "bad_timestamp"

    @pytest.mark.parametrize("spell", [str, lambda seconds: seconds * 1_000, lambda seconds: f" {seconds}"])
    def test_with_its_time_in_another_form_is_refused(self, spell: Callable[[int], object]) -> None:
        claims = {"iat": spell(self.CLAIMS["iat"]), "payload_hash": self.HASH}
        assert self.reason(token_request({"alg": "HS256"}, claims, b"{}")) == "bad_timestamp"

    @pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "x" * 100_000])
    def test_that_is_none_is_refused(self, token: str) -> None:
        request = token_request({}, {}, b"{}")
        shown = msgspec.structs.replace(request, headers={"authorization": f"Bearer {token}"})
        assert self.reason(shown) == "bad_signature"

    def test_that_is_missing_is_asked_for_again(self) -> None:
        request = msgspec.structs.replace(token_request({}, {}, b"{}"), headers={})
        verdict = PROVIDER.bind(self.SOURCE).authenticate(request, now=NOW, certificates={})
        assert isinstance(verdict, Refused)
        assert (verdict.reason, verdict.http_status) == ("missing_signature", 503)

    def test_is_the_one_that_the_vendor_computes(self) -> None:
        # By openssl: HMAC-SHA256 with key "k" over the first two parts.
        signature = "sdq8hlcnGupCQofW8T3WXS8lMHPKjY78f7plDHoTsoI"
        assert signed_token(b"{}", "k") == f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.{signature}"


class TestStatus:
    def test_each_that_the_vendor_documents_is_mapped(self) -> None:
        assert set(STATUSES) == set(STATUS_MEANINGS) == VENDOR_STATUSES
        for status, meaning in STATUS_MEANINGS.items():
            event = told(status)
            assert (event.kind, event.cause, event.channel) == (*meaning, Channel.SMS)
            assert event.address == "+491701234567"

    def test_each_code_that_the_vendor_documents_is_mapped(self) -> None:
        assert {int(code) for code in CODES} == VENDOR_CODES == {*map(int, CODE_MEANINGS)}
        for code, meaning in CODE_MEANINGS.items():
            event = told("rejected", code)
            assert (event.kind, event.cause) == meaning
            assert (event.vendor_event, event.recognised) == (f"rejected/{code}", True)
            assert event.diagnostic == "What Vonage says."

    @pytest.mark.parametrize(
        "error",
        [
            {"title": 1190},
            {"title": "1190"},
            {"title": "Absent Subscriber", "type": "https://developer.vonage.com/api-errors/messages#1190"},
            {"code": 1190, "reason": "Absent Subscriber Permanent"},
        ],
    )
    def test_code_is_found_wherever_versions_write_it(self, error: dict[str, Any]) -> None:
        event = told("rejected", error=error)
        assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)

    def test_with_a_new_code_is_noticed(self) -> None:
        event = told("rejected", 1999)
        assert (event.kind, event.cause, event.recognised) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED, False)

    def test_of_version_0_1_has_its_number_in_an_object(self) -> None:
        event = read({"message_uuid": "u1", "to": {"type": "sms", "number": "491701234567"}, "status": "delivered"})
        assert (event.kind, event.address) == (Kind.DELIVERED, "+491701234567")

    @pytest.mark.parametrize("channel", ["whatsapp", "viber_service", "messenger", "rcs"])
    def test_of_another_channel_says_nothing_about_the_number(self, channel: str) -> None:
        event = told("rejected", 1190, channel=channel)
        assert (event.kind, event.cause, event.address, event.recognised) == (Kind.OTHER, Cause.NONE, None, True)

    def test_about_nobody_is_set_aside(self) -> None:
        for values in ({"status": "delivered"}, {"to": "491701234567"}, {}):
            with pytest.raises(UnreadablePayload, match="nobody"):
                read(values)

    def test_of_an_incoming_message_is_none(self) -> None:
        event = read({"message_uuid": "u1", "to": "447700900001", "from": "491701234567", "message_type": "text"})
        assert (event.kind, event.address, event.vendor_event) == (Kind.OTHER, None, "inbound")


def test_keys_tell_statuses_and_messages_apart() -> None:
    events = [told("submitted"), told("delivered"), told("submitted", message_uuid="u2")]
    assert len({event.event_key for event in events}) == len(events)
    assert told("submitted").event_key == told("submitted", usage={"price": "0.1"}).event_key


def test_the_senders_own_reference_is_kept() -> None:
    assert told("delivered", client_ref="order-7").metadata == {"client_ref": "order-7"}
