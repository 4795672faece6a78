"""What Twilio reports of text messages: its signature over URL and form, its statuses and codes, its opt-outs."""

import json
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Channel, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_request
from tests.providers.sample_events import EARLIER, NOW, sample
from tests.providers.vendors.twilio_error_codes import CODE_MEANINGS, VENDOR_CODES
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.payload.form_payload import decode_form
from worker.providers.vendors.twilio.twilio import PROVIDER, STATUSES
from worker.providers.vendors.twilio.twilio_errors import CARRIER_CODES, CHANNEL_CODES, CODES, TWILIO_CODES
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.phone_number import made_up_number
from worker.samples.sample import SampleSender
from worker.samples.twilio import SAMPLE_URL, TwilioSamples, sample_element, sample_fields

KINDS: tuple[tuple[Kind, Cause], ...] = (
    (Kind.ACCEPTED, Cause.NONE),
    (Kind.DELIVERED, Cause.NONE),
    (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    (Kind.DROPPED, Cause.SERVER_UNAVAILABLE),
    (Kind.OPENED, Cause.NONE),
    (Kind.UNSUBSCRIBE, Cause.NONE),
    (Kind.RESUBSCRIBE, Cause.NONE),
    (Kind.OTHER, Cause.NONE),
)
VENDOR_STATUSES = {
    "accepted", "scheduled", "canceled", "queued", "sending", "sent", "failed", "delivered", "undelivered",
    "receiving", "received", "read", "partially_delivered",
}  # fmt: skip


class TestTwilio(ProviderConformance):
    provider_name = "twilio"
    make_sender = TwilioSamples
    event_field = "MessageStatus"
    told_at_least = ("MessageStatus", "To")
    kinds = KINDS
    tells_time = False
    tells_reply = False
    empty_bodies: ClassVar[tuple[bytes, ...]] = (b"", b"a=1", b"[]", b"{}")

    def recipient(self, email: str) -> str:
        return made_up_number(email)

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        return msgspec.structs.replace(request, body=request.body.replace(b"To=%2B", b"To=%2B1"))

    def documents(self, request: WebhookRequest) -> list[Any]:
        return [decode_form(request.body, "form")]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()}
        return urlencode(texts, errors="surrogatepass").encode()


class TestTwilioStreams(TestTwilio):
    """The same, as Event Streams tell it."""

    kinds = tuple(pair for pair in KINDS if pair[0] not in {Kind.UNSUBSCRIBE, Kind.RESUBSCRIBE, Kind.OTHER})
    tells_time = True
    empty_bodies = (b"[]", b"{}")

    def new_sender(self) -> SampleSender:
        return StreamSamples()

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        return msgspec.structs.replace(request, body=request.body.replace(b"+999", b"+998"))

    def documents(self, request: WebhookRequest) -> list[Any]:
        elements: list[Any] = json.loads(request.body)
        return elements

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        return json.dumps([document]).encode()

    def unknown(self, document: Any) -> Any:
        return document | {"type": "com.twilio.messaging.message.invented", "data": {"to": document["data"]["to"]}}

    def stripped(self, document: Any) -> Any:
        return {"type": document["type"], "data": {"to": document["data"]["to"]}}


class StreamSamples(TwilioSamples):
    """All events in one request."""

    def requests(self, events: Any, *, now: Any) -> list[WebhookRequest]:
        del now
        return [self.streamed([sample_element(event) for event in events])] if events else []


def read(fields: dict[str, str]) -> FeedbackEvent:
    (event,) = parse_request(PROVIDER, TwilioSamples().posted(fields))
    return event


def callback(status: str, code: int | None = None, **other: str) -> FeedbackEvent:
    fields = {"MessageSid": "SM1", "MessageStatus": status, "From": "+15005550006", "To": "+491701234567"}
    return read({**fields, **({"ErrorCode": str(code)} if code else {}), **other})


def incoming(**other: str) -> FeedbackEvent:
    return read({"MessageSid": "SM1", "SmsStatus": "received", "From": "+491701234567", "To": "+15005550006", **other})


def judge(request: WebhookRequest, sender: TwilioSamples, **options: Any) -> type:
    source = msgspec.structs.replace(sender.source("first"), options=options)
    return type(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}))


class TestSignature:
    def test_is_the_one_that_the_vendor_computes(self) -> None:
        # By openssl: HMAC-SHA1 with key "k" over "https://example.org/hook" + "AccountSidAC1MessageSidSM1To+1".
        request = msgspec.structs.replace(
            TwilioSamples().posted({"To": "+1", "MessageSid": "SM1", "AccountSid": "AC1"}),
            headers={"x-twilio-signature": "CtjCwzqiLm535LAz8l5jOJKXkOU="},
        )
        source = Source(
            name="first", provider="twilio", secrets=(Secret("k"),), options={"url": "https://example.org/hook"}
        )
        assert isinstance(PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}), Accepted)

    @pytest.mark.parametrize(
        "signed",
        [
            SAMPLE_URL,
            SAMPLE_URL.replace(".org/", ".org:443/"),
            f"{SAMPLE_URL}?campaign=spring%20sale&n=1",
            f"{SAMPLE_URL}?campaign=spring+sale&n=1",
        ],
    )
    def test_holds_for_the_url_however_twilio_writes_it(self, signed: str) -> None:
        sender = TwilioSamples()
        fields = sample_fields(sample())
        request = msgspec.structs.replace(
            sender.posted(fields),
            headers={"x-twilio-signature": sender.signature(signed, fields)},
            query={"campaign": "spring sale", "n": "1"} if "?" in signed else {},
        )
        for entered in (SAMPLE_URL, f"{SAMPLE_URL}#rc=3&rp=all", SAMPLE_URL.replace(".org/", ".org:443/")):
            assert judge(request, sender, url=entered) is Accepted
        assert judge(request, sender, url=SAMPLE_URL.replace("https://", "https://me:secret@")) is Accepted
        for other in (f"{SAMPLE_URL}/", SAMPLE_URL.replace("https", "http"), "https://[", "https://a:b:c/"):
            assert judge(request, sender, url=other) is Refused

    def test_covers_the_query(self) -> None:
        sender = TwilioSamples()
        request = msgspec.structs.replace(sender.posted(sample_fields(sample())), query={"campaign": "other"})
        url = f"{SAMPLE_URL}?campaign=spring"
        signed = sender.signature(url, sample_fields(sample()))
        request = msgspec.structs.replace(request, headers={"x-twilio-signature": signed})
        assert judge(request, sender, url=SAMPLE_URL) is Refused

    @pytest.mark.parametrize("raw", ["ref=a:b/c,d", "ref=%41&ref=b", "ref=a%2fb&empty", "ref=a;b=c"])
    def test_holds_for_a_query_that_is_spelled_in_no_usual_way(self, raw: str) -> None:
        sender = TwilioSamples()
        fields = sample_fields(sample())
        signature = sender.signature(f"{SAMPLE_URL}?{raw}", fields)
        request = msgspec.structs.replace(
            sender.posted(fields), headers={"x-twilio-signature": signature}, query=dict(parse_qsl(raw)), raw_query=raw
        )
        assert judge(request, sender, url=SAMPLE_URL) is Accepted
        assert judge(msgspec.structs.replace(request, raw_query=f"{raw}&n=1"), sender, url=SAMPLE_URL) is Refused

    def test_of_a_query_that_is_no_text_is_refused_like_any_other(self) -> None:
        request = msgspec.structs.replace(
            TwilioSamples().posted(sample_fields(sample())), query={"ref": "\udcff"}, raw_query="ref=\udcff"
        )
        assert judge(request, TwilioSamples(), url=SAMPLE_URL) is Refused

    def test_of_a_form_proves_no_json_whose_hash_it_does_not_cover(self) -> None:
        sender = TwilioSamples()
        forged = sender.streamed([sample_element(sample())])
        of_the_url_alone = {"x-twilio-signature": sender.signature(SAMPLE_URL, {})}
        assert judge(msgspec.structs.replace(forged, headers=of_the_url_alone), sender, url=SAMPLE_URL) is Refused

    def test_of_json_is_over_the_url_with_the_bodys_hash(self) -> None:
        sender = TwilioSamples()
        request = sender.streamed([sample_element(sample())])
        assert judge(request, sender, url=SAMPLE_URL) is Accepted
        assert judge(msgspec.structs.replace(request, body=b"[]"), sender, url=SAMPLE_URL) is Refused
        assert judge(msgspec.structs.replace(request, query={}), sender, url=SAMPLE_URL) is Refused

    @pytest.mark.parametrize(
        "options", [{}, {"url": "example.org/hook"}, {"url": "https://<your host>/webhooks/first"}]
    )
    def test_without_the_url_is_reported_before_webhooks_are_refused(self, options: dict[str, Any]) -> None:
        source = msgspec.structs.replace(TwilioSamples().source("first"), options=options)
        (problem,) = PROVIDER.check_source(source)
        assert "as it was entered" in problem

    def test_may_be_replaced_by_user_and_password(self) -> None:
        source = Source(name="first", provider="twilio", authentication="basic", secrets=(Secret("me:password"),))
        assert PROVIDER.check_source(source) == []
        request = TwilioSamples().posted({})
        for credentials, verdict in (("bWU6cGFzc3dvcmQ=", Accepted), ("bWU6b3RoZXI=", Refused)):
            shown = msgspec.structs.replace(request, headers={"authorization": f"Basic {credentials}"})
            assert isinstance(PROVIDER.bind(source).authenticate(shown, now=NOW, certificates={}), verdict)


class TestStatus:
    def test_each_that_the_vendor_documents_is_mapped(self) -> None:
        assert set(STATUSES) == VENDOR_STATUSES

    def test_each_code_that_the_vendor_documents_is_mapped(self) -> None:
        assert VENDOR_CODES - set(CODES) == set()
        assert {*CARRIER_CODES, *TWILIO_CODES} <= VENDOR_CODES
        assert not CARRIER_CODES.keys() & TWILIO_CODES.keys()
        assert {int(code) for code in CODE_MEANINGS} == VENDOR_CODES
        for code, meaning in CODE_MEANINGS.items():
            for status in ("undelivered", "failed"):
                event = callback(status, int(code))
                assert (event.kind, event.cause) == meaning
                assert (event.vendor_event, event.recognised) == (f"{status}/{code}", True)

    @pytest.mark.parametrize(
        ("code", "kind", "cause"),
        [
            (30003, Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
            (30004, Kind.SOFT_BOUNCE, Cause.RECIPIENT_RESTRICTED),
            (30005, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            (30006, Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
            (30007, Kind.BLOCKED, Cause.CONTENT),
            (30008, Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
            (30034, Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
            (21610, Kind.UNSUBSCRIBE, Cause.NONE),
            (21614, Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
        ],
    )
    def test_of_a_failure_is_reported_by_its_code(self, code: int, kind: Kind, cause: Cause) -> None:
        event = callback("undelivered", code, ErrorMessage="What Twilio says.")
        assert (event.kind, event.cause, event.channel) == (kind, cause, Channel.SMS)
        assert (event.address, event.diagnostic) == ("+491701234567", "What Twilio says.")

    def test_landline_or_carrier_counts_for_little_from_a_short_code(self) -> None:
        event = callback("undelivered", 30006, From="12345")
        assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED)

    def test_with_a_new_code_counts_against_the_number_only_when_a_carrier_gave_it(self) -> None:
        carrier, own = callback("undelivered", 39999), callback("failed", 39999)
        assert (carrier.kind, carrier.cause, carrier.recognised) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED, False)
        assert (own.kind, own.cause, own.recognised) == (Kind.DROPPED, Cause.UNDETERMINED, False)

    def test_without_a_code_is_known_all_the_same(self) -> None:
        assert callback("undelivered").recognised
        assert callback("undelivered", ErrorCode="").vendor_event == "undelivered"
        assert callback("undelivered", ErrorCode="0").recognised

    @pytest.mark.parametrize("code", [30009, 30039])
    def test_of_a_message_that_somebody_sent_to_us_is_not_about_our_number(self, code: int) -> None:
        event = callback("failed", code)
        assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)

    @pytest.mark.parametrize("to", ["whatsapp:+491701234567", "messenger:1234", "rcs:+491701234567"])
    def test_of_another_channel_says_nothing_about_the_number(self, to: str) -> None:
        for event in (callback("undelivered", 30005, To=to), callback("read", To=to), callback("delivered", To=to)):
            assert (event.kind, event.cause, event.address, event.recognised) == (Kind.OTHER, Cause.NONE, None, True)
        assert callback("read", From="rcs:agent").address is None

    def test_codes_of_other_channels_change_nothing(self) -> None:
        assert {kind for kind, _ in CHANNEL_CODES.values()} == {Kind.OTHER}

    def test_is_never_dated_by_the_carriers_clock_whose_zone_nobody_tells(self) -> None:
        event = callback("delivered", RawDlrDoneDate="2603041100")
        assert event.occurred_at == NOW
        assert event.arrival_dated

    def test_of_a_call_is_set_aside(self) -> None:
        with pytest.raises(UnreadablePayload, match="call"):
            read({"CallSid": "CA1", "CallStatus": "completed", "To": "+491701234567"})
        with pytest.raises(UnreadablePayload, match="To is missing"):
            read({"MessageStatus": "delivered"})


class TestOptOut:
    @pytest.mark.parametrize(
        ("stated", "kind"), [("STOP", Kind.UNSUBSCRIBE), ("START", Kind.RESUBSCRIBE), ("HELP", Kind.OTHER)]
    )
    def test_is_recognised_by_its_type_in_whatever_language_it_was_written(self, stated: str, kind: Kind) -> None:
        event = incoming(OptOutType=stated, Body="ARRET")
        assert (event.kind, event.vendor_event) == (kind, f"received/{stated}")
        assert event.address == (None if kind is Kind.OTHER else "+491701234567")

    @pytest.mark.parametrize("body", ["STOP", " stop\n", "StopAll", "unsubscribe", "CANCEL", "end", "quit", "revoke"])
    def test_is_recognised_by_the_default_keywords_alone(self, body: str) -> None:
        assert incoming(Body=body).kind is Kind.UNSUBSCRIBE

    def test_is_taken_back_by_the_default_keywords_but_by_no_yes(self) -> None:
        assert incoming(Body="start").kind is Kind.RESUBSCRIBE
        assert incoming(Body="Unstop").kind is Kind.RESUBSCRIBE
        assert incoming(Body="Yes").kind is Kind.OTHER

    @pytest.mark.parametrize("body", ["Please stop by tomorrow", "", "stop it"])
    def test_is_no_other_message(self, body: str) -> None:
        event = incoming(Body=body)
        assert (event.kind, event.address, event.vendor_event) == (Kind.OTHER, None, "received")

    def test_of_a_new_type_is_noticed_and_not_guessed_from_the_words(self) -> None:
        event = incoming(OptOutType="PAUSE", Body="STOP")
        assert (event.kind, event.recognised, event.vendor_event) == (Kind.OTHER, False, "received/PAUSE")

    def test_of_whatsapp_says_nothing_about_the_number(self) -> None:
        assert incoming(OptOutType="STOP", From="whatsapp:+491701234567").kind is Kind.OTHER

    def test_comes_by_event_streams_too(self) -> None:
        data = {"messageSid": "SM1", "from": "+491701234567", "to": "+15005550006", "body": "Stop"}
        element = {"type": "com.twilio.messaging.inbound-message.received", "data": data}
        (event,) = parse_request(PROVIDER, TwilioSamples().streamed([element]))
        assert (event.kind, event.address) == (Kind.UNSUBSCRIBE, "+491701234567")
        assert event.event_key == incoming(Body="Stop").event_key


class TestStreams:
    def test_and_forms_tell_of_the_same_event(self) -> None:
        told = sample(metadata={"campaign": "spring"})
        (streamed,) = parse_request(PROVIDER, TwilioSamples().streamed([sample_element(told)]))
        posted = read(sample_fields(told))
        assert streamed.event_key == posted.event_key
        assert (streamed.kind, streamed.cause, streamed.address) == (posted.kind, posted.cause, posted.address)
        assert (streamed.occurred_at, streamed.metadata) == (EARLIER, {"campaign": "spring"})

    def test_of_a_sink_that_is_tried_are_tests(self) -> None:
        element = {"type": "com.twilio.eventstreams.test-event", "source": "Sink", "data": {"test_id": "t1"}}
        (event,) = parse_request(PROVIDER, TwilioSamples().streamed([element]))
        assert (event.kind, event.cause, event.address, event.recognised) == (Kind.OTHER, Cause.TEST, None, True)

    def test_of_other_products_change_nothing(self) -> None:
        elements = [{"type": "com.twilio.voice.status-callback.call", "data": {"to": "+491701234567"}}, {"data": {}}, 7]
        events = parse_request(PROVIDER, TwilioSamples().streamed(elements))
        assert [(event.kind, event.recognised) for event in events] == [(Kind.OTHER, False)] * 3
        assert events[0].vendor_event == "com.twilio.voice.status-callback.call"


def test_keys_tell_statuses_and_messages_apart() -> None:
    events = [
        callback("sent"),
        callback("delivered"),
        callback("sent", MessageSid="SM2"),
        callback("undelivered", 30005),
    ]
    assert len({event.event_key for event in events}) == len(events)
    assert callback("sent").event_key == callback("sent", ApiVersion="2010-04-01").event_key


def test_the_subaccount_can_be_the_account() -> None:
    event = callback("delivered", AccountSid="AC7")
    assert with_own_account(event, "subaccount", PROVIDER.account_paths).account == "AC7"
