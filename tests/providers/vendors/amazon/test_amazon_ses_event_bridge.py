"""SES feedback that EventBridge posts instead of SNS."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import jwt
import msgspec
import pytest

from schemas.envelope import Envelope
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_envelope
from tests.providers.sample_events import NOW, one_of_each, sample
from tests.providers.vendors.amazon.ses_payloads import bounce, envelope
from tests.providers.vendors.amazon.test_amazon_ses_conformance import shared_sender
from worker.errors import UnreadablePayload
from worker.providers.vendors.amazon.amazon_ses import API_KEY_HEADER, PROVIDER
from worker.providers.vendors.amazon.ses_event_bridge import ACCOUNT_DETAIL_TYPES, DETAIL_TYPES
from worker.providers.verdict import Accepted, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.amazon_ses import EVENT_TYPE
from worker.samples.sample import SampleEvent
from worker.samples.vendor import MakeBelieveVendor

KEY = "an API key that is the shared key of the tokens as well"
PROOFS = {
    "api_key": (KEY, {API_KEY_HEADER: KEY}),
    "basic": (f"me:{KEY}", {"authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()}),
    "oauth": (KEY, {"authorization": "Bearer " + jwt.encode({"exp": NOW + timedelta(hours=1)}, KEY)}),
}


class EventBridgeSamples(MakeBelieveVendor):
    """SES behind an API destination whose connection shows an API key."""

    provider: ClassVar[str] = "amazon_ses"
    authentication: ClassVar[str] = "api_key"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        del now  # nothing in a request says when it was sent
        shown = {API_KEY_HEADER: self.secret}
        return [shared_sender().event_bridge_request(event, headers=shown) for event in events]


class TestEventBridgeConformance(ProviderConformance):
    provider_name = "amazon_ses"
    event_field = EVENT_TYPE
    make_sender = EventBridgeSamples
    signs_body = False

    def documents(self, request: WebhookRequest) -> list[Any]:
        return [json.loads(request.body)["detail"]]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        return json.dumps({**json.loads(request.body), "detail": document}).encode()

    def stripped(self, document: Any) -> Any:
        recipients = [{"emailAddress": document["bounce"]["bouncedRecipients"][0]["emailAddress"]}]
        return {EVENT_TYPE: "Bounce", "bounce": {"bouncedRecipients": recipients}}


def posted(detail: Any, **fields: Any) -> Envelope:
    body = {
        "version": "0",
        "id": "event-1",
        "detail-type": "Email Bounced",
        "source": "aws.ses",
        "time": "2026-03-04T05:06:08Z",
        "detail": detail,
        **fields,
    }
    return envelope(json.dumps(body).encode())


# https://docs.aws.amazon.com/ses/latest/dg/monitoring-eventbridge.html
def test_every_documented_detail_type_is_known() -> None:
    assert set(DETAIL_TYPES.values()) == {
        *("Email Bounced", "Email Complaint Received", "Email Delivered", "Email Rejected", "Email Sent"),
        *("Email Opened", "Email Clicked", "Email Rendering Failed", "Email Delivery Delayed", "Email Subscribed"),
    }
    assert {
        *("Advisor Recommendation Status Open", "Advisor Recommendation Status Resolved"),
        *("Sending Status Enabled", "Sending Status Disabled"),
    } == ACCOUNT_DETAIL_TYPES


@pytest.mark.parametrize("authentication", PROOFS)
def test_each_connection_of_an_api_destination_proves_itself(authentication: str) -> None:
    secret, headers = PROOFS[authentication]
    source = Source(name="s", provider="amazon_ses", authentication=authentication, secrets=(Secret(secret),))
    assert PROVIDER.check_source(source) == []
    assert PROVIDER.check_source(msgspec.structs.replace(source, secrets=()))
    request = shared_sender().event_bridge_request(sample(), headers=headers)
    assert PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}) == Accepted()
    for shown in ({}, {name: value[:-1] + "!" for name, value in headers.items()}):
        other = shared_sender().event_bridge_request(sample(), headers=shown)
        assert isinstance(PROVIDER.bind(source).authenticate(other, now=NOW, certificates={}), Refused)


def test_a_source_of_sns_refuses_what_event_bridge_posts() -> None:
    request = shared_sender().event_bridge_request(sample(), headers=PROOFS["api_key"][1])
    verdict = PROVIDER.bind(shared_sender().source("s")).authenticate(request, now=NOW, certificates={})
    assert isinstance(verdict, Refused)


def test_an_open_source_takes_it() -> None:
    request = shared_sender().event_bridge_request(sample(), headers={})
    source = Source(name="s", provider="amazon_ses", authentication="none")
    assert PROVIDER.bind(source).authenticate(request, now=NOW, certificates={}) == Accepted()


def test_it_says_the_same_as_sns_under_the_same_keys() -> None:
    sender = shared_sender()
    for event in one_of_each():
        (by_sns,) = parse_envelope(PROVIDER, envelope(sender.requests([event], now=NOW)[0].body))
        (by_bridge,) = parse_envelope(PROVIDER, envelope(sender.event_bridge_request(event, headers={}).body))
        assert (by_bridge.event_key, by_bridge.kind, by_bridge.cause) == (by_sns.event_key, by_sns.kind, by_sns.cause)
        assert json.loads(by_bridge.raw) == json.loads(by_sns.raw)


def test_it_may_come_through_sns_as_well() -> None:
    inner = posted(bounce()).body.decode()
    (event,) = parse_envelope(PROVIDER, envelope(shared_sender().notification(inner, now=NOW).body))
    assert (event.kind, event.address) == (Kind.HARD_BOUNCE, "gone@example.com")


@pytest.mark.parametrize("name", [*ACCOUNT_DETAIL_TYPES, "Email Teleported"])
def test_what_concerns_the_account_names_nobody(name: str) -> None:
    (event,) = parse_envelope(PROVIDER, posted({"version": "1.0"}, **{"detail-type": name}))
    assert (event.kind, event.cause, event.address, event.vendor_event) == (Kind.OTHER, Cause.NONE, None, name)
    assert event.recognised is (name in ACCOUNT_DETAIL_TYPES)
    assert event.occurred_at == datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)


@pytest.mark.parametrize("detail", [None, 3, "text", [], {}, {"eventType": None}])
def test_an_odd_detail_harms_nobody(detail: Any) -> None:
    with_odd = posted(detail)
    if isinstance(detail, dict) and detail:
        with pytest.raises(UnreadablePayload, match="eventType"):
            parse_envelope(PROVIDER, with_odd)
        return
    (event,) = parse_envelope(PROVIDER, with_odd)
    assert (event.kind, event.address) == (Kind.OTHER, None)
