"""A make-believe Mailjet with grouped events: it signs nothing, and shows user and password."""

import json
from hashlib import blake2b
from typing import Any, ClassVar
from uuid import UUID

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.mailjet import ERRORS, SAMPLE_ADDRESS
from worker.samples.posting import basic
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

EVENTS_PER_GROUP = 100

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "sent",  # Mailjet has no word for having taken a message
    Kind.DELIVERED: "sent",
    Kind.DEFERRED: "bounce",
    Kind.SOFT_BOUNCE: "bounce",
    Kind.HARD_BOUNCE: "bounce",
    Kind.BLOCKED: "bounce",
    Kind.DROPPED: "blocked",
    Kind.OPENED: "open",
    Kind.CLICKED: "click",
    Kind.COMPLAINT: "spam",
    Kind.UNSUBSCRIBE: "unsub",
    Kind.RESUBSCRIBE: "typofix",  # Mailjet has no word for it
    Kind.OTHER: "typofix",
}
_ERRORS: dict[Cause, str] = {
    Cause.MAILBOX_DOES_NOT_EXIST: "user unknown",
    Cause.MAILBOX_DISABLED: "mailbox inactive",
    Cause.MAILBOX_FULL: "quota exceeded",
    Cause.INVALID_ADDRESS: "typofix",
    Cause.DOMAIN_DOES_NOT_EXIST: "invalid domain",
    Cause.DOMAIN_ACCEPTS_NO_MAIL: "no mail host",
    Cause.SENDER_CONFIGURATION: "relay/access denied",
    Cause.SENDER_REPUTATION: "sender blocked",
    Cause.CONTENT: "content blocked",
    Cause.POLICY: "policy issue",
    Cause.CONNECTION_FAILED: "connection issue",
    Cause.COMPLAINED_AT_PROVIDER: "spam reporter",
}
_ERROR_BY_KIND: dict[Kind, str] = {
    Kind.DEFERRED: "greylisted",
    Kind.SOFT_BOUNCE: "system issue",
    Kind.HARD_BOUNCE: "user unknown",
    Kind.BLOCKED: "policy issue",
    Kind.DROPPED: "preblocked",
}


class MailjetSamples(UntimedVendor):
    """Groups of a hundred events."""

    provider: ClassVar[str] = "mailjet"
    shown = staticmethod(basic)
    events_per_request: ClassVar[int | None] = EVENTS_PER_GROUP

    def make_secret(self, made_up: str) -> str:
        """User and password, as they stand in the URL at Mailjet."""
        return f"mailjet:{made_up[:40]}"

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_object(event)


def sample_object(event: SampleEvent) -> dict[str, Any]:
    """The event as Mailjet writes it."""
    number = int.from_bytes(blake2b(event.message_id.encode(), digest_size=8).digest()) >> 2  # beyond 2**53
    values: dict[str, Any] = {
        "event": _NAMES[event.kind],
        "time": int(event.occurred_at.timestamp()),
        "MessageID": number,
        "Message_GUID": str(UUID(bytes=blake2b(event.message_id.encode(), digest_size=16).digest())),
        "email": SAMPLE_ADDRESS if event.cause is Cause.TEST else event.address,
        "mj_campaign_id": 7001,
        "mj_contact_id": 42,
        "customcampaign": event.tags[0] if event.tags else "",  # Mailjet has one campaign a message
        "CustomID": "",
        "Payload": json.dumps(event.metadata) if event.metadata else "",
    }
    if event.kind in _ERROR_BY_KIND:
        values |= _error(event)
    elif values["event"] == "sent":
        values["smtp_reply"] = event.diagnostic or "sent (250 2.0.0 OK)"
    elif event.kind in {Kind.OPENED, Kind.CLICKED}:
        values |= {"ip": "198.51.100.7", "geo": "FR", "agent": "Mozilla/5.0 (X11; Linux x86_64)"}
        if event.kind is Kind.CLICKED:
            values["url"] = "https://example.org/offer"
    elif event.kind is Kind.COMPLAINT:
        values["source"] = "JMRPP"
    elif event.kind is Kind.UNSUBSCRIBE:
        values["mj_list_id"] = int((event.scope or "0").removeprefix("list:"))
    return values


def _error(event: SampleEvent) -> dict[str, Any]:
    usual = _ERROR_BY_KIND[event.kind]
    error = usual if event.kind is Kind.DEFERRED else _ERRORS.get(event.cause, usual)
    reply = reply_for(event)
    return {
        "error_related_to": ERRORS[error].related_to,
        "error": error,
        "hard_bounce": event.kind is Kind.HARD_BOUNCE,
        "blocked": event.kind in {Kind.HARD_BOUNCE, Kind.DROPPED},
        "comment": reply.line if reply else "",
    }


SENDERS = (MailjetSamples,)
