"""A make-believe SNS that speaks for SES: real signatures with a key and a certificate of its own."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.amazon import sns
from worker.providers.vendors.amazon.amazon_ses import RAW_DELIVERY_HEADER
from worker.providers.vendors.amazon.ses_event_bridge import DETAIL_TYPES
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import post
from worker.samples.sample import SAMPLE_REMOTE_ADDRESS, SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.sns_signing import signed_message

TOPIC = "arn:aws:sns:eu-west-1:000000000000:mail-feedback"
_ENDPOINT = "https://sns.eu-west-1.amazonaws.com"
CERTIFICATE_URL = f"{_ENDPOINT}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
EVENT_TYPE = "eventType"  # the dialect of configuration sets
NOTIFICATION_TYPE = "notificationType"  # the dialect of an identity's feedback

_VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)
_VALID_UNTIL = datetime(2199, 1, 1, tzinfo=UTC)

_SUBTYPES: dict[Cause, tuple[str, str]] = {
    Cause.MAILBOX_FULL: ("Transient", "MailboxFull"),
    Cause.MESSAGE_TOO_LARGE: ("Transient", "MessageTooLarge"),
    Cause.EXPIRED: ("Transient", "CustomTimeoutExceeded"),
    Cause.CONTENT: ("Transient", "ContentRejected"),
    Cause.MAILBOX_DOES_NOT_EXIST: ("Permanent", "NoEmail"),
    Cause.INVALID_ADDRESS: ("Permanent", "EmailValidationSuppressed"),
    Cause.UNSUBSCRIBED_AT_PROVIDER: ("Permanent", "UnsubscribedRecipient"),
}
_FALLBACK_TYPES: dict[Kind, tuple[str, str]] = {
    Kind.SOFT_BOUNCE: ("Transient", "General"),
    Kind.BLOCKED: ("Transient", "General"),
    Kind.HARD_BOUNCE: ("Permanent", "General"),
    Kind.DROPPED: ("Permanent", "OnAccountSuppressionList"),
}
_DELAYS: dict[Cause, str] = {
    Cause.MAILBOX_FULL: "MailboxFull",
    Cause.SENDER_REPUTATION: "SpamDetected",
    Cause.SERVER_UNAVAILABLE: "RecipientServerError",
    Cause.CONNECTION_FAILED: "TransientCommunicationFailure",
    Cause.RATE_LIMITED: "SendingDeferral",
}


class AmazonSesSamples:
    """Makes its key when it is made, about 40 ms, unless it is given one."""

    provider: ClassVar[str] = "amazon_ses"

    def __init__(self, *, private_key_pem: bytes | None = None) -> None:
        self._key = _read_key(private_key_pem) if private_key_pem else generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_VALID_FROM)
            .not_valid_after(_VALID_UNTIL)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate_pem = certificate.public_bytes(Encoding.PEM)

    @property
    def private_key_pem(self) -> bytes:
        """The key, for a sender of the same voice in another process."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def secrets_for_source(self) -> tuple[Secret, ...]:
        """None: SNS signs, and the topic stands in the source's options."""
        return ()

    def source(self, name: str) -> Source:
        """A source that lists this sender's topic and pins its certificate."""
        return Source(
            name=name,
            provider=self.provider,
            options={"topics": [TOPIC], "pinned_certificates": {CERTIFICATE_URL: self.certificate_pem.decode()}},
        )

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One signed notification for each event: SNS knows no batches."""
        return [self.notification(json.dumps(self.feedback(event)) + "\n", now=now) for event in events]

    def feedback(self, event: SampleEvent, dialect: str = EVENT_TYPE) -> dict[str, Any]:
        """What SES writes about one event."""
        name, about = _name_and_object(event)
        if name == "AmazonSnsSubscriptionSucceeded":
            return {NOTIFICATION_TYPE: name, "message": "You have successfully subscribed your Amazon SNS topic."}
        mail: dict[str, Any] = {
            "timestamp": _stamp(event.occurred_at),
            "source": "news@example.org",
            "sendingAccountId": "000000000000",
            "messageId": event.message_id,
            "destination": [event.address],
        }
        if dialect == EVENT_TYPE:  # the other one carries no tags
            tags = {key: [str(value)] for key, value in (event.metadata or {}).items()}
            mail["tags"] = {"ses:configuration-set": ["main"], **tags}
            if event.tags:
                mail["tags"]["tag"] = list(event.tags)
        return {dialect: name, _object_name(name): about, "mail": mail}

    def notification(self, message: str, *, now: datetime, version: str = "2", **other: str) -> WebhookRequest:
        """A signed Notification with this message; `other` replaces or adds fields before signing."""
        fields = {
            "Type": sns.NOTIFICATION,
            "MessageId": str(uuid5(NAMESPACE_URL, message)),
            "TopicArn": TOPIC,
            "Message": message,
            "Timestamp": _stamp(now),
            **other,
        }
        unsubscribe = f"{_ENDPOINT}/?Action=Unsubscribe&SubscriptionArn={TOPIC}:1"
        return self.request({**fields, "UnsubscribeURL": unsubscribe}, version=version)

    def confirmation(
        self, *, now: datetime, message_type: str = sns.SUBSCRIPTION_CONFIRMATION, **other: str
    ) -> WebhookRequest:
        """A signed SubscriptionConfirmation or UnsubscribeConfirmation."""
        fields = {
            "Type": message_type,
            "MessageId": str(uuid5(NAMESPACE_URL, f"{message_type} {now.isoformat()}")),
            "Token": "0123456789abcdef" * 8,
            "TopicArn": TOPIC,
            "Message": f"About the subscription to the topic {TOPIC}.",
            "Timestamp": _stamp(now),
            **other,
        }
        confirm = f"{_ENDPOINT}/?Action=ConfirmSubscription&TopicArn={fields['TopicArn']}&Token={fields['Token']}"
        return self.request({"SubscribeURL": confirm, **fields})

    def request(
        self, fields: Mapping[str, str], *, version: str = "2", certificate_url: str = CERTIFICATE_URL
    ) -> WebhookRequest:
        """The POST with these fields, signed over what they say."""
        body = signed_message(self._key, fields, version=version, certificate_url=certificate_url)
        headers = {
            "content-type": "text/plain; charset=UTF-8",
            "user-agent": "Amazon Simple Notification Service Agent",
            sns.MESSAGE_TYPE_HEADER: fields["Type"],
            "x-amz-sns-message-id": fields["MessageId"],
            "x-amz-sns-topic-arn": fields["TopicArn"],
        }
        return _post(body, headers)

    def raw_request(self, event: SampleEvent, *, secret: Secret, dialect: str = EVENT_TYPE) -> WebhookRequest:
        """The event as raw delivery posts it: no envelope, no signature, the URL's credentials instead."""
        headers = {
            "content-type": "text/plain; charset=UTF-8",
            "authorization": "Basic " + base64.b64encode(secret.reveal().encode()).decode(),
            sns.MESSAGE_TYPE_HEADER: sns.NOTIFICATION,
            RAW_DELIVERY_HEADER: "true",
        }
        return _post(json.dumps(self.feedback(event, dialect)).encode(), headers)

    def event_bridge_request(self, event: SampleEvent, *, headers: Mapping[str, str]) -> WebhookRequest:
        """The event as an API destination of EventBridge posts it; the headers are its connection's."""
        feedback = self.feedback(event)
        envelope = {
            "version": "0",
            "id": str(uuid5(NAMESPACE_URL, json.dumps(feedback))),
            "detail-type": DETAIL_TYPES.get(str(feedback.get(EVENT_TYPE)).replace(" ", ""), "Sending Status Enabled"),
            "source": "aws.ses",
            "account": "000000000000",
            "time": _stamp(event.occurred_at)[:19] + "Z",
            "region": "eu-west-1",
            "resources": ["arn:aws:ses:eu-west-1:000000000000:configuration-set/main"],
            "detail": feedback,
        }
        return _post(
            json.dumps(envelope).encode(), {"content-type": "application/json; charset=utf-8", **dict(headers)}
        )


def _post(body: bytes, headers: Mapping[str, str]) -> WebhookRequest:
    return post(AmazonSesSamples.provider, body, headers)


def _read_key(pem: bytes) -> RSAPrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("SNS signs with RSA keys only")
    return key


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _object_name(name: str) -> str:
    return {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}.get(name, name.lower())


def _name_and_object(event: SampleEvent) -> tuple[str, dict[str, Any]]:  # noqa: C901, PLR0911 - a line for each kind
    """The event's name and the object that tells of it."""
    stamp = {"timestamp": _stamp(event.occurred_at)}
    match event.kind:
        case Kind.ACCEPTED:
            return "Send", {}
        case Kind.DELIVERED:
            return "Delivery", {**stamp, "recipients": [event.address], "smtpResponse": "250 2.0.0 OK"}
        case Kind.DEFERRED:
            delayed = {"delayType": _DELAYS.get(event.cause, "General"), "delayedRecipients": [_recipient(event)]}
            return "DeliveryDelay", {**stamp, **delayed}
        case Kind.OPENED:
            return "Open", {**stamp, "userAgent": "Mozilla/5.0", "ipAddress": SAMPLE_REMOTE_ADDRESS}
        case Kind.CLICKED:
            return "Click", {**stamp, "link": "https://example.org/", "userAgent": "Mozilla/5.0"}
        case Kind.UNSUBSCRIBE | Kind.RESUBSCRIBE:
            return "Subscription", {**stamp, **_preferences(event)}
        case Kind.OTHER if event.cause is Cause.TEST:
            return "AmazonSnsSubscriptionSucceeded", {}
        case Kind.OTHER if event.cause is Cause.SENDER_CONFIGURATION:
            return "Rendering Failure", {"templateName": "spring", "errorMessage": "a variable is missing"}
        case Kind.OTHER:
            return "Complaint", {**stamp, **_complaint(event), "complaintFeedbackType": "not-spam"}
        case Kind.COMPLAINT:
            return "Complaint", {**stamp, **_complaint(event)}
        case Kind.DROPPED if event.cause is Cause.COMPLAINED_AT_PROVIDER:
            return "Complaint", {**stamp, **_complaint(event), "complaintSubType": "OnAccountSuppressionList"}
        case Kind.DROPPED if event.cause is Cause.VIRUS:
            return "Reject", {"reason": "Bad content"}
    bounce_type, subtype = _SUBTYPES.get(event.cause, _FALLBACK_TYPES[event.kind])
    return "Bounce", {
        **stamp,
        "feedbackId": _feedback_id(event),
        "bounceType": bounce_type,
        "bounceSubType": subtype,
        "bouncedRecipients": [_recipient(event)],
    }


def _recipient(event: SampleEvent) -> dict[str, str]:
    reply = reply_for(event)
    if reply is None:
        return {"emailAddress": event.address}
    return {
        "emailAddress": event.address,
        "action": "delayed" if event.kind is Kind.DEFERRED else "failed",
        "status": reply.enhanced_status,
        "diagnosticCode": f"smtp; {reply.line}",
    }


def _complaint(event: SampleEvent) -> dict[str, Any]:
    return {
        "feedbackId": _feedback_id(event),
        "complainedRecipients": [{"emailAddress": event.address}],
        "complaintFeedbackType": "fraud" if event.cause is Cause.FRAUD_REPORT else "abuse",
    }


def _preferences(event: SampleEvent) -> dict[str, Any]:
    leaves = event.kind is Kind.UNSUBSCRIBE

    def preferences(*, out: bool) -> dict[str, Any]:
        if event.scope is None:
            return {"unsubscribeAll": out, "topicSubscriptionStatus": []}
        status = {"topicName": event.scope, "subscriptionStatus": "OptOut" if out else "OptIn"}
        return {"unsubscribeAll": False, "topicSubscriptionStatus": [status]}

    return {
        "contactList": "readers",
        "source": "UnsubscribeHeader" if leaves else "UnsubscribePage",
        "oldTopicPreferences": preferences(out=not leaves),
        "newTopicPreferences": preferences(out=leaves),
    }


def _feedback_id(event: SampleEvent) -> str:
    made_up = uuid5(NAMESPACE_URL, f"{event.message_id} {event.address} {event.kind} {event.occurred_at}")
    return event.vendor_event_id or f"0102019fb0c0ffee-{made_up}-000000"


SENDERS = (AmazonSesSamples,)
