"""A make-believe Mailgun: one signed event a request, as JSON or as a form."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

from schemas.vocabulary import Cause, Kind
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import hex_hmac, made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import ServerReply, reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "accepted",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "failed",
    Kind.SOFT_BOUNCE: "failed",
    Kind.HARD_BOUNCE: "failed",
    Kind.BLOCKED: "failed",
    Kind.DROPPED: "failed",
    Kind.OPENED: "opened",
    Kind.CLICKED: "clicked",
    Kind.COMPLAINT: "complained",
    Kind.UNSUBSCRIBE: "unsubscribed",
    Kind.RESUBSCRIBE: "stored",  # Mailgun has no word for it
    Kind.OTHER: "stored",
}
_REASONS: dict[Cause, str] = {
    Cause.EXPIRED: "old",
    Cause.SENDER_REPUTATION: "espblock",
    Cause.GREYLISTED: "greylisted",
    Cause.SUPPRESSED_BY_PROVIDER: "suppress-bounce",
    Cause.UNSUBSCRIBED_AT_PROVIDER: "suppress-unsubscribe",
    Cause.COMPLAINED_AT_PROVIDER: "suppress-complaint",
}
_OWN_CODES: dict[str, int] = {
    "old": 602,
    "suppress-bounce": 605,
    "suppress-unsubscribe": 606,
    "suppress-complaint": 607,
}
_FORM_NAMES: dict[Kind, str] = {
    Kind.DELIVERED: "delivered",
    Kind.SOFT_BOUNCE: "dropped",
    Kind.HARD_BOUNCE: "bounced",
    Kind.BLOCKED: "dropped",
    Kind.DROPPED: "dropped",
    Kind.OPENED: "opened",
    Kind.CLICKED: "clicked",
    Kind.COMPLAINT: "complained",
    Kind.UNSUBSCRIBE: "unsubscribed",
}
_USER_AGENT = "mailgun/treq-22.10.0"
_NO_REASON = ServerReply(smtp_code=550, enhanced_status="5.0.0", text="message not delivered")


class MailgunSamples(MakeBelieveVendor):
    """One request for each event, in today's form; `form_request` posts one as Mailgun did until 2018."""

    provider: ClassVar[str] = "mailgun"

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event, posted and signed at `now`."""
        return [self.signed(sample_event_data(event), now=now) for event in events]

    def signed(self, event_data: object, *, now: datetime, token: str | None = None) -> WebhookRequest:
        """Any event-data beside a valid signature; a token can be given to use it twice."""
        body = {"signature": self._signature(now, token), "event-data": event_data}
        return post(self.provider, msgspec.json.encode(body), {"user-agent": _USER_AGENT})

    def form_request(self, event: SampleEvent, *, now: datetime) -> WebhookRequest:
        """The event as a form: the time in it is the signature's."""
        return self.signed_form([*sample_form(event), *self._signature(now).items()])

    def signed_form(self, fields: Sequence[tuple[str, str]]) -> WebhookRequest:
        """Any fields, as they are."""
        return post(
            self.provider,
            urlencode(fields).encode(),
            {"user-agent": _USER_AGENT},
            content_type="application/x-www-form-urlencoded",
        )

    def _signature(self, now: datetime, token: str | None = None) -> dict[str, str]:
        timestamp, token = str(int(now.timestamp())), token or secrets.token_hex(25)
        signature = hex_hmac(self.secret, f"{timestamp}{token}".encode())
        return {"timestamp": timestamp, "token": token, "signature": signature}


def sample_event_data(event: SampleEvent) -> dict[str, Any]:
    """The event as Mailgun's `event-data`."""
    seconds = event.occurred_at.timestamp()
    name = _NAMES[event.kind]
    data: dict[str, Any] = {
        "id": made_up_id(event),
        "event": name,
        "timestamp": seconds,
        "log-level": "error" if name == "failed" else "info",
        "recipient": event.address,
        "recipient-domain": event.address.rpartition("@")[2],
        "envelope": {"sender": "bounce@mg.example.org", "transport": "smtp", "targets": event.address},
        "message": {
            "headers": {
                "to": event.address,
                "from": "News <news@example.org>",
                "subject": "Hello",
                "message-id": f"{event.message_id}@mg.example.org",
            },
            "attachments": [],
            "size": 2048,
        },
        "flags": {
            "is-routed": None,
            "is-authenticated": True,
            "is-system-test": False,
            "is-test-mode": event.cause is Cause.TEST,
        },
        "tags": list(event.tags),
        "campaigns": [],
        "user-variables": event.metadata or {},
    }
    if name == "failed":
        data |= _failure(event)
    elif event.kind is Kind.DELIVERED:
        data["delivery-status"] = {"code": 250, "message": "OK", "attempt-no": 1, "description": ""}
    elif event.kind in {Kind.OPENED, Kind.CLICKED}:
        data |= {"ip": "198.51.100.7", "client-info": {"client-type": "browser", "bot": ""}}
        if event.kind is Kind.CLICKED:
            data["url"] = "https://example.org/offer"
        elif event.machine:
            data["client-info"]["bot"] = "apple"
    return data


def _failure(event: SampleEvent) -> dict[str, Any]:
    reply = reply_for(event) or _NO_REASON
    usual = {Kind.DEFERRED: "generic", Kind.DROPPED: "suppress-bounce"}.get(event.kind, "bounce")
    reason = usual if event.kind is Kind.DEFERRED else _REASONS.get(event.cause, usual)
    status: dict[str, Any] = {
        "attempt-no": 1,
        "code": _OWN_CODES.get(reason, reply.smtp_code),
        "message": f"{reply.enhanced_status} {reply.text}",
        "description": "",
        "session-seconds": 0.42,
        "mx-host": f"mx.{event.address.rpartition('@')[2]}",
        "tls": True,
    }
    if reason not in _OWN_CODES:
        status["enhanced-code"] = reply.enhanced_status
    return {
        "severity": "temporary" if event.kind is Kind.DEFERRED else "permanent",
        "reason": reason,
        "delivery-status": status,
    }


def sample_form(event: SampleEvent) -> list[tuple[str, str]]:
    """The event as the fields of a form, without its signature."""
    name = _FORM_NAMES.get(event.kind, "stored")  # forms had fewer events
    fields = [
        ("event", name),
        ("recipient", event.address),
        ("domain", "mg.example.org"),
        ("Message-Id", f"<{event.message_id}@mg.example.org>"),
        ("message-headers", f'[["To", "{event.address}"], ["From", "News <news@example.org>"]]'),
        *(("X-Mailgun-Tag", tag) for tag in event.tags),
        *((key, str(value)) for key, value in (event.metadata or {}).items()),
    ]
    if name in {"bounced", "dropped"}:
        failure = _failure(event)
        status = failure["delivery-status"]
        fields += [("code", str(status["code"])), ("error", status["message"])]
        if name == "dropped":
            fields += [("reason", "old" if failure["reason"] == "old" else "hardfail")]
    elif event.kind is Kind.CLICKED:
        fields += [("url", "https://example.org/offer"), ("ip", "198.51.100.7")]
    return fields


SENDERS = (MailgunSamples,)
