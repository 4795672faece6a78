"""SES notifications to test with, and what the parser makes of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from tests.providers.reading import parse_envelope
from worker.providers.vendors.amazon.amazon_ses import PROVIDER
from worker.samples.amazon_ses import EVENT_TYPE, NOTIFICATION_TYPE, TOPIC

HAPPENED = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
NOW = HAPPENED + timedelta(seconds=2)
SECRET = Secret("sns:s3cret:with:colons")
DIALECTS = (EVENT_TYPE, NOTIFICATION_TYPE)


def envelope(body: bytes, *, raw: bool = False) -> Envelope:
    return Envelope(
        delivery_id=new_delivery_id(),
        source="ses",
        provider="amazon_ses",
        account="default",
        received_at=NOW,
        content_type="text/plain; charset=UTF-8",
        headers={"x-amz-sns-rawdelivery": "true"} if raw else {},
        body=body,
    )


def parse(content: dict[str, Any] | str) -> list[FeedbackEvent]:
    """What an SNS notification with this message becomes."""
    message = content if isinstance(content, str) else json.dumps(content)
    body = {
        "Type": "Notification",
        "MessageId": "0b6f7a52-3d0e-5d5c-9a41-2f3c1e7b9d10",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": "2026-03-04T05:06:08.001Z",
    }
    return parse_envelope(PROVIDER, envelope(json.dumps(body).encode()))


def one(content: dict[str, Any] | str) -> FeedbackEvent:
    (event,) = parse(content)
    return event


def mail(*destination: str, **other: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-03-04T05:06:05.100Z",
        "messageId": "0102-mail",
        "destination": list(destination or ("gone@example.com",)),
        **other,
    }


def bounce(
    bounce_type: str = "Permanent",
    subtype: str = "General",
    *recipients: dict[str, Any],
    dialect: str = EVENT_TYPE,
    **other: Any,
) -> dict[str, Any]:
    about = {
        "feedbackId": "feedback-1",
        "bounceType": bounce_type,
        "bounceSubType": subtype,
        "bouncedRecipients": list(recipients or ({"emailAddress": "gone@example.com"},)),
        "timestamp": "2026-03-04T05:06:07.890Z",
        **other,
    }
    return {dialect: "Bounce", "bounce": about, "mail": mail("gone@example.com", "innocent@example.com")}


def complaint(*recipients: str, dialect: str = EVENT_TYPE, **other: Any) -> dict[str, Any]:
    about = {
        "feedbackId": "feedback-2",
        "complainedRecipients": [{"emailAddress": address} for address in recipients or ("angry@example.com",)],
        "timestamp": "2026-03-04T05:06:07.890Z",
        **other,
    }
    return {dialect: "Complaint", "complaint": about, "mail": mail("angry@example.com", "innocent@example.com")}


def about_mail(name: str, key: str, about: dict[str, Any], *destination: str) -> dict[str, Any]:
    return {EVENT_TYPE: name, key: about, "mail": mail(*destination)}
