"""A make-believe MailChannels with a signing key of its own."""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.source import Secret
from schemas.vocabulary import Kind
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.vendor import MakeBelieveVendor

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "processed",
    Kind.DELIVERED: "delivered",
    Kind.DEFERRED: "soft-bounced",  # MailChannels has no word for it
    Kind.SOFT_BOUNCE: "soft-bounced",
    Kind.HARD_BOUNCE: "hard-bounced",
    Kind.BLOCKED: "hard-bounced",
    Kind.DROPPED: "dropped",
    Kind.OPENED: "open",
    Kind.CLICKED: "click",
    Kind.UNSUBSCRIBE: "unsubscribed",
    Kind.COMPLAINT: "complained",
    Kind.RESUBSCRIBE: "test",  # nor for this
    Kind.OTHER: "test",
}
_MOST_EVENTS = 1_000


class MailChannelsSamples(MakeBelieveVendor):
    """One request for every thousand events. Its secret is the private key; a source gets the public one."""

    provider: ClassVar[str] = "mailchannels"

    def __init__(self, *, seed: bytes | None = None) -> None:
        super().__init__(seed=seed)
        self._key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.secret))

    def secrets_for_source(self) -> tuple[Secret, ...]:
        """The public key, as MailChannels gives it."""
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return (Secret(base64.b64encode(public).decode()),)

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One signed request for every thousand events."""
        return [
            self.signed([sample_values(event) for event in events[first : first + _MOST_EVENTS]], now=now)
            for first in range(0, len(events), _MOST_EVENTS)
        ]

    def signed(
        self, elements: Any, *, now: datetime, label: str = "sig_1", covered: str = '("content-digest")'
    ) -> WebhookRequest:
        """The POST of this array, signed at `now`."""
        body = json.dumps(elements).encode()
        digest = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
        parameters = f'{covered};created={int(now.timestamp())};alg="ed25519";keyid="made-up"'
        signed = f'"content-digest": {digest}\n"@signature-params": {parameters}'
        signature = base64.b64encode(self._key.sign(signed.encode())).decode()
        headers = {
            "content-digest": digest,
            "signature-input": f"{label}={parameters}",
            "signature": f"{label}=:{signature}:",
        }
        return post(self.provider, body, headers)


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as MailChannels writes it."""
    values: dict[str, Any] = {
        "email": "news@example.com",
        "customer_handle": "made-up",
        "timestamp": int(event.occurred_at.timestamp()),
        "event": _NAMES[event.kind],
        "request_id": f"request-{event.message_id}",
        "smtp_id": f"<{event.message_id}@example.com>",
        "recipients": [event.address],
    }
    if event.tags:
        values["campaign_id"] = event.tags[0]  # there is one a message
    if event.kind is Kind.CLICKED:
        values["url"] = "https://example.com/"
    if reply := reply_for(event):
        values |= {"status": str(reply.smtp_code), "reason": f"{reply.enhanced_status} {reply.text}"}
    return values


SENDERS = (MailChannelsSamples,)
