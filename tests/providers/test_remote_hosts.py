"""A mailbox provider's token counts from that provider's hosts, wherever a vendor tells which host refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.envelope import Envelope, new_delivery_id
from schemas.vocabulary import Cause
from tests.providers.reading import parse_envelope
from tests.providers.sample_events import NOW
from worker.providers.registry import provider_named

# A refusal that says nothing but Yahoo's token: of Yahoo, our reputation. Of anybody else the name of a block.
TOKEN = "554 Message not allowed - [BL21] see the postmaster"


def mailgun(host: str) -> dict[str, Any]:
    status = {"code": 554, "message": TOKEN, "mx-host": host}
    told = {"event": "failed", "severity": "permanent", "reason": "generic", "recipient": "jane@example.org"}
    return {"signature": {}, "event-data": {**told, "id": "1", "delivery-status": status}}


def kumomta(host: str) -> dict[str, Any]:
    response = {"code": 554, "enhanced_code": None, "content": TOKEN.removeprefix("554 "), "command": None}
    peer = {"name": f"{host}.", "addr": "192.0.2.20"}
    return {"type": "Bounce", "id": "1", "recipient": "jane@example.org", "response": response, "peer_address": peer}


def powermta(host: str) -> dict[str, Any]:
    return {"type": "b", "rcpt": "jane@example.org", "dsnDiag": f"smtp;{TOKEN}", "dsnMta": f"{host} (192.0.2.20)"}


def stalwart(host: str) -> dict[str, Any]:
    data = {"to": "jane@example.org", "hostname": host, "details": TOKEN, "code": 554}
    return {
        "events": [{"id": "1", "createdAt": "2026-03-04T10:00:00Z", "type": "delivery.dsn-perm-fail", "data": data}]
    }


def socketlabs(host: str) -> dict[str, Any]:
    told = {"Type": "Failed", "FailureType": "Permanent", "FailureCode": 9999, "BounceStatus": ""}
    return {**told, "Address": "jane@example.org", "DiagnosticCode": TOKEN, "RemoteMta": host}


def smtp2go(host: str) -> dict[str, Any]:
    told = {"event": "bounce", "rcpt": "jane@example.org", "bounce": "soft", "message": TOKEN}
    return {**told, "host": f"{host} [192.0.2.20]"}


def azure_communication_services(host: str) -> list[dict[str, Any]]:
    details = {"statusMessage": TOKEN, "recipientMailServerHostName": host}
    data = {"recipient": "jane@example.org", "messageId": "1", "status": "Failed", "deliveryStatusDetails": details}
    event_type = "Microsoft.Communication.EmailDeliveryReportReceived"
    return [{"id": "1", "eventType": event_type, "data": data, "eventTime": "2026-03-04T10:00:00Z"}]


def haraka(host: str) -> list[dict[str, Any]]:
    return [{"hook": "bounce", "id": "1", "recipient": "jane@example.org", "reply": TOKEN, "remote_host": host}]


VENDORS: tuple[Callable[[str], Any], ...] = (
    *(mailgun, kumomta, powermta, stalwart, socketlabs, smtp2go, azure_communication_services, haraka),
)


def cause(vendor: str, body: bytes, content_type: str = "application/json") -> Cause:
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source="mail",
        provider=vendor,
        account="default",
        received_at=NOW,
        content_type=content_type,
        headers={},
        body=body,
    )
    (event,) = parse_envelope(provider_named(vendor), envelope)
    return event.cause


@pytest.mark.parametrize("payload", VENDORS, ids=lambda payload: payload.__name__)
def test_yahoos_token_counts_only_from_yahoos_hosts(payload: Callable[[str], Any]) -> None:
    vendor = payload.__name__
    assert cause(vendor, json.dumps(payload("mta7.am0.yahoodns.net")).encode()) is Cause.SENDER_REPUTATION
    assert cause(vendor, json.dumps(payload("mx1.north.example")).encode()) is not Cause.SENDER_REPUTATION
