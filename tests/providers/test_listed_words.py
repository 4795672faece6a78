"""What a vendor's list of words promises is what its payloads with these words, and no more, become."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from schemas.envelope import Envelope, new_delivery_id
from schemas.source import Source
from tests.providers.sample_events import EARLIER, NOW
from worker.providers.registry import PROVIDERS
from worker.providers.vendors.amazon.ses_vocabulary import COMPLAINED_BEFORE

_JANE = "jane@example.org"
_FORM = "application/x-www-form-urlencoded"
Body = tuple[str, str]  # content type, body


def sendgrid(word: str) -> Body:
    name, _, rest = word.partition("/")
    element: dict[str, Any] = {"event": name, "email": _JANE, "timestamp": int(EARLIER.timestamp())}
    if name == "bounce" and rest:
        bounce_type, _, classification = rest.partition("/")
        element |= {"type": bounce_type, "bounce_classification": classification}
    elif rest:
        element["reason"] = rest
    return "application/json", json.dumps([element])


def postmark(word: str) -> Body:
    name, *rest = word.split("/")
    record: dict[str, Any] = {"RecordType": name, "Email": _JANE, "Recipient": _JANE, "MessageID": "m1"}
    if name == "Bounce":
        record["Type"] = rest[0]
    elif name == "SubscriptionChange":
        reason, *origin = rest
        record |= {
            "SuppressSending": reason != "reactivated",
            "SuppressionReason": None if reason == "reactivated" else reason,
            "Origin": origin[0] if origin else "Customer",
        }
    return "application/json", json.dumps(record)


def mailgun(word: str) -> Body:
    name, *rest = word.split("/")
    data: dict[str, Any] = {"event": name, "recipient": _JANE, "id": "1", "timestamp": EARLIER.timestamp()}
    if name == "bounced" or (name == "dropped" and rest):
        told = {"code" if rest and rest[0].isdecimal() else "reason": rest[0]} if rest else {}
        return _FORM, urlencode({"event": name, "recipient": _JANE, **told})
    if name == "failed":
        severity, *reason = rest
        data["severity"] = severity
        if reason and reason[0].isdecimal():
            data["delivery-status"] = {"code": int(reason[0])}
        elif reason:
            data["reason"] = reason[0]
    elif rest:
        data["reject"] = {"reason": rest[0]}
    return "application/json", json.dumps({"signature": {}, "event-data": data})


def amazon_ses(word: str) -> Body:
    name, *rest = word.split("/")
    mail = {"messageId": "m1", "destination": [_JANE], "timestamp": "2026-03-04T05:06:05.100Z"}
    whom = [{"emailAddress": _JANE}]
    about: dict[str, Any] = {"timestamp": "2026-03-04T05:06:07.890Z", "recipients": [_JANE]}
    if name == "Bounce":
        about |= {"bounceType": rest[0], "bounceSubType": rest[1], "bouncedRecipients": whom}
    elif name == "DeliveryDelay":
        about |= {"delayType": rest[0], "delayedRecipients": whom}
    elif name == "Complaint":
        about["complainedRecipients"] = whom
        if rest:
            about["complaintSubType" if rest[0] in COMPLAINED_BEFORE else "complaintFeedbackType"] = rest[0]
    elif name == "Subscription":
        about["newTopicPreferences"] = {"unsubscribeAll": True}
    field = {"DeliveryDelay": "deliveryDelay", "RenderingFailure": "failure"}.get(name, name.lower())
    message = json.dumps({"eventType": name, field: about, "mail": mail})
    notification = {"Type": "Notification", "MessageId": "1", "TopicArn": "t", "Message": message, "Timestamp": "t"}
    return "text/plain", json.dumps(notification)


BUILDERS: dict[str, Callable[[str], Body]] = {
    "amazon_ses": amazon_ses,
    "mailgun": mailgun,
    "postmark": postmark,
    "sendgrid": sendgrid,
}


@pytest.mark.parametrize(("name", "word"), [(name, word) for name in BUILDERS for word in PROVIDERS[name].vocabulary])
def test_a_word_alone_becomes_what_the_list_says(name: str, word: str) -> None:
    content_type, body = BUILDERS[name](word)
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source="main",
        provider=name,
        account="default",
        received_at=NOW,
        content_type=content_type,
        headers={},
        body=body.encode(),
    )
    (event,) = PROVIDERS[name].bind(Source(name="main", provider=name)).parse(envelope)
    assert (event.kind, event.cause) == PROVIDERS[name].vocabulary[word]
    assert event.recognised
