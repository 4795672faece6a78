"""A make-believe Twilio: one form a message's status, signed together with the webhook's URL."""

import json
from collections.abc import Sequence
from hashlib import blake2b, sha256
from typing import Any, ClassVar
from urllib.parse import urlencode

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.twilio.twilio import STREAM_PREFIX
from worker.providers.vendors.twilio.twilio_errors import TWILIO_CODES
from worker.providers.vendors.twilio.twilio_signature import BODY_HASH_PARAMETER, SIGNATURE_HEADER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.phone_number import NOBODYS_NUMBER, made_up_number
from worker.samples.posting import iso_time, post
from worker.samples.sample import SampleEvent
from worker.samples.url_vendor import UrlVendor

SAMPLE_URL = "https://bouncekeeper.example.org/webhooks/twilio"

_OUR_NUMBER = "+15005550006"  # Twilio's own number for tests
_STATUSES: dict[Kind, str] = {
    Kind.ACCEPTED: "sent",
    Kind.DEFERRED: "queued",
    Kind.DELIVERED: "delivered",
    Kind.OPENED: "read",
    Kind.CLICKED: "read",
    Kind.SOFT_BOUNCE: "undelivered",
    Kind.HARD_BOUNCE: "undelivered",
    Kind.BLOCKED: "undelivered",
    Kind.DROPPED: "failed",
}
_KEYWORDS: dict[Kind, str] = {
    Kind.UNSUBSCRIBE: "STOP",
    Kind.COMPLAINT: "STOP",
    Kind.RESUBSCRIBE: "START",
    Kind.OTHER: "HELP",
}
_CODES: dict[Cause, int] = {
    Cause.MAILBOX_DOES_NOT_EXIST: 30005,
    Cause.MAILBOX_DISABLED: 30005,
    Cause.MAILBOX_OWNER_CHANGED: 30005,
    Cause.INVALID_ADDRESS: 21614,
    Cause.DOMAIN_DOES_NOT_EXIST: 30006,
    Cause.DOMAIN_ACCEPTS_NO_MAIL: 30006,
    Cause.RECIPIENT_RESTRICTED: 30004,
    Cause.CONNECTION_FAILED: 30003,
    Cause.MAILBOX_FULL: 30003,
    Cause.SERVER_UNAVAILABLE: 30017,
    Cause.SENDER_REPUTATION: 30033,
    Cause.SENDER_AUTHENTICATION: 30034,
    Cause.SENDER_CONFIGURATION: 30002,
    Cause.CONTENT: 30007,
    Cause.MESSAGE_TOO_LARGE: 30019,
    Cause.RATE_LIMITED: 30022,
    Cause.POLICY: 30450,
}
_UNKNOWN_ERROR, _TWILIOS_FAULT = 30008, 30500


class TwilioSamples(UrlVendor):
    """One request for each event, posted to `url`."""

    provider: ClassVar[str] = "twilio"
    sample_address: ClassVar[str] = NOBODYS_NUMBER
    sample_url: ClassVar[str] = SAMPLE_URL

    def document(self, event: SampleEvent) -> dict[str, str]:
        return sample_fields(event)

    def posted(self, content: Any) -> WebhookRequest:
        """The POST of this form."""
        headers = {SIGNATURE_HEADER: self.signature(self.url, content)}
        form = "application/x-www-form-urlencoded; charset=UTF-8"
        return post(self.provider, urlencode(content).encode(), headers, content_type=form)

    def streamed(self, elements: Sequence[Any]) -> WebhookRequest:
        """The POST of Event Streams: JSON, whose hash stands in the URL that is signed."""
        body = json.dumps(elements).encode()
        query = {BODY_HASH_PARAMETER: sha256(body).hexdigest()}
        signature = self.signature(f"{self.url}?{urlencode(query)}", {})
        return post(self.provider, body, {SIGNATURE_HEADER: signature}, query=query)


def sample_fields(event: SampleEvent) -> dict[str, str]:
    """The event as Twilio's form."""
    number = made_up_number(event.address)
    message_sid = "SM" + blake2b(f"{event.message_id} {number}".encode(), digest_size=16).hexdigest()
    fields = {
        "MessageSid": message_sid,
        "SmsSid": message_sid,
        "AccountSid": "AC" + "0" * 32,
        "ApiVersion": "2010-04-01",
    }
    if event.kind in _KEYWORDS:
        keyword = _KEYWORDS[event.kind]
        told = {"SmsStatus": "received", "From": number, "To": _OUR_NUMBER, "Body": keyword, "OptOutType": keyword}
        return {**fields, "SmsMessageSid": message_sid, "NumMedia": "0", "NumSegments": "1", **told}
    status = _STATUSES[event.kind]
    fields |= {"MessageStatus": status, "SmsStatus": status, "From": _OUR_NUMBER, "To": number}
    if code := sample_code(event):
        fields["ErrorCode"] = str(code)
    if status in {"delivered", "undelivered"}:
        fields["RawDlrDoneDate"] = f"{event.occurred_at:%y%m%d%H%M}"
    return fields


def sample_code(event: SampleEvent) -> int | None:
    """Twilio's code for the event's cause; None for what is no failure."""
    match _STATUSES.get(event.kind):
        case "undelivered":
            return _CODES.get(event.cause, _UNKNOWN_ERROR)
        case "failed":
            code = _CODES.get(event.cause)
            return code if code in TWILIO_CODES else _TWILIOS_FAULT
        case _:
            return None


def sample_element(event: SampleEvent) -> dict[str, Any]:
    """The same status as Event Streams tell it."""
    fields = sample_fields(event)
    status = fields["MessageStatus"]
    return {
        "specversion": "1.0",
        "type": STREAM_PREFIX + status,
        "source": "AB" + "0" * 32,
        "id": "EZ" + fields["MessageSid"][2:],
        "dataschema": "https://events-schemas.twilio.com/Messaging.MessageStatus/8",
        "datacontenttype": "application/json",
        "time": iso_time(event.occurred_at),
        "data": {
            "messageSid": fields["MessageSid"],
            "accountSid": fields["AccountSid"],
            "timestamp": iso_time(event.occurred_at),
            "eventName": STREAM_PREFIX + status,
            "from": fields["From"],
            "to": fields["To"],
            "messageStatus": status.upper(),
            "errorCode": sample_code(event),
            "tags": event.metadata or {},
        },
    }


SENDERS = (TwilioSamples,)
