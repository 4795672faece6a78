"""A make-believe Event Grid that reports for Azure Communication Services; it signs nothing, and shows a token."""

import json
from datetime import UTC, datetime
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.azure_communication_services import (
    DELIVERY_REPORT,
    ENGAGEMENT_REPORT,
    EVENT_TYPE_HEADER,
    SUBSCRIPTION_VALIDATION,
    VALIDATION_EVENT,
)
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

EVENTS_PER_BATCH = 100
TOPIC = (
    "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/mail"
    "/providers/Microsoft.Communication/communicationServices/mail"
)

# The status that says a kind best. A refused message and a deferred one are `Failed`, and the words tell them apart.
_STATUSES: dict[Kind, str] = {
    Kind.ACCEPTED: "Expanded",
    Kind.DELIVERED: "Delivered",
    Kind.DEFERRED: "Failed",
    Kind.SOFT_BOUNCE: "Failed",
    Kind.HARD_BOUNCE: "Bounced",
    Kind.BLOCKED: "Failed",
    Kind.DROPPED: "Suppressed",
}
_ENGAGEMENTS: dict[Kind, str] = {Kind.OPENED: "view", Kind.CLICKED: "click"}


class AzureCommunicationServicesSamples(UntimedVendor):
    """Arrays of at most 100 events in Event Grid's own schema; `as_cloud_event` gives the other one."""

    provider: ClassVar[str] = "azure_communication_services"
    events_per_request: ClassVar[int | None] = EVENTS_PER_BATCH

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_element(event)

    def proof(self, body: bytes) -> dict[str, str]:
        """Nothing of it proves anything."""
        del body
        return {EVENT_TYPE_HEADER: "Notification", "aeg-subscription-name": "MAIL", "aeg-delivery-count": "0"}

    def query(self) -> dict[str, str]:
        """The token."""
        return {"token": self.secret}

    def handshake(self, code: str) -> WebhookRequest:
        """The POST by which Event Grid tries the URL of a new subscription in its own schema."""
        element = {
            "id": "2d1781af-3a4c-4d7c-bd0c-e34b19da4e66",
            "topic": TOPIC,
            "subject": "",
            "data": {"validationCode": code, "validationUrl": "https://rp-westeurope.eventgrid.azure.net:553/validate"},
            "eventType": VALIDATION_EVENT,
            "eventTime": "2026-03-04T11:00:00.0000000Z",
            "metadataVersion": "1",
            "dataVersion": "2",
        }
        headers = {EVENT_TYPE_HEADER: SUBSCRIPTION_VALIDATION, "aeg-subscription-name": "MAIL"}
        return post(self.provider, json.dumps([element]).encode(), headers, query={"token": self.secret})


def sample_element(event: SampleEvent) -> dict[str, Any]:
    """The event in Event Grid's own schema."""
    name, data = _name_and_data(event)
    return {
        "id": made_up_id(event),
        "topic": TOPIC,
        "subject": f"sender/news@example.org/message/{event.message_id}",
        "data": data,
        "eventType": f"Microsoft.Communication.{name}",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": _stamp(event.occurred_at),
    }


def as_cloud_event(element: dict[str, Any]) -> dict[str, Any]:
    """The same event in the schema of CloudEvents 1.0."""
    return {
        "id": element["id"],
        "source": element["topic"],
        "subject": element["subject"],
        "data": element["data"],
        "type": element["eventType"],
        "time": element["eventTime"],
        "specversion": "1.0",
    }


def _name_and_data(event: SampleEvent) -> tuple[str, dict[str, Any]]:
    data: dict[str, Any] = {"sender": "news@example.org", "recipient": event.address, "messageId": event.message_id}
    engagement = _ENGAGEMENTS.get(event.kind)
    if engagement is not None:
        context = "https://example.org/offer" if event.kind is Kind.CLICKED else ""
        return ENGAGEMENT_REPORT, {
            **data,
            "userActionTimeStamp": _stamp(event.occurred_at),
            "engagementContext": context,
            "userAgent": "Mozilla/5.0",
            "engagementType": engagement,
        }
    reply = reply_for(event)
    status = _STATUSES.get(event.kind, "Expanded")
    if event.kind is Kind.BLOCKED and event.cause is Cause.CONTENT:
        status = "FilteredSpam"
    return DELIVERY_REPORT, {
        **data,
        "internetMessageId": f"<{event.message_id}@example.org>",
        "status": status,
        "deliveryStatusDetails": {
            "statusMessage": reply.line if reply is not None else "No error.",
            "recipientMailServerHostName": "mx.example.org",
        },
        "deliveryAttemptTimeStamp": _stamp(event.occurred_at).replace("Z", "+00:00"),
    }


def _stamp(moment: datetime) -> str:
    """Seven fraction digits, as Azure writes them."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


SENDERS = (AzureCommunicationServicesSamples,)
