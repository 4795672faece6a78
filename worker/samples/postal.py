"""A make-believe Postal, with a signing key of its own."""

import base64
from typing import Any, ClassVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.source import Secret
from schemas.vocabulary import Kind
from worker.providers.vendors.postal import BOUNCED, EVENTS, FAILED, HELD, SHA1_HEADER, SHA256_HEADER
from worker.samples.posting import made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

_NAMES: dict[Kind, str] = {kind: name for name, (kind, _) in reversed(EVENTS.items())} | {
    Kind.ACCEPTED: "MessageSent",  # Postal has no word for having taken a message
    Kind.SOFT_BOUNCE: FAILED,
    Kind.HARD_BOUNCE: FAILED,
    Kind.BLOCKED: FAILED,
    Kind.DROPPED: HELD,
    Kind.OTHER: "SendLimitApproaching",
    # nor for what people say of it
    Kind.COMPLAINT: "SendLimitApproaching",
    Kind.UNSUBSCRIBE: "SendLimitApproaching",
    Kind.RESUBSCRIBE: "SendLimitApproaching",
}
_STATUSES: dict[str, str] = {"MessageSent": "Sent", "MessageDelayed": "SoftFail", FAILED: "HardFail", HELD: "Held"}


class PostalSamples(UntimedVendor):
    """One request for each event. Its key is made at random, whatever the seed."""

    provider: ClassVar[str] = "postal"

    def __init__(self, *, seed: bytes | None = None) -> None:
        super().__init__(seed=seed)
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    def secrets_for_source(self) -> tuple[Secret, ...]:
        """The public key, as `postal default-dkim-record` prints it."""
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return (Secret(base64.b64encode(public).decode()),)

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_values(event)

    def proof(self, body: bytes) -> dict[str, str]:
        """Both signatures."""
        return {
            "user-agent": "Postal/3.3.6",
            SHA1_HEADER: self._signature(body, hashes.SHA1()),  # noqa: S303 - Postal's older header is SHA-1
            SHA256_HEADER: self._signature(body, hashes.SHA256()),
        }

    def _signature(self, body: bytes, digest: hashes.HashAlgorithm) -> str:
        return base64.b64encode(self._key.sign(body, padding.PKCS1v15(), digest)).decode()


def sample_values(event: SampleEvent) -> dict[str, Any]:
    """The event as Postal writes it."""
    name, seconds = _NAMES[event.kind], event.occurred_at.timestamp()
    message = {
        "id": 4211,
        "token": "abcDEF123456",
        "direction": "outgoing",
        "message_id": event.message_id,
        "to": event.address,
        "from": "news@example.com",
        "subject": "Hello",
        "timestamp": seconds - 12.5,
        "spam_status": "NotSpam",
        "tag": event.tags[0] if event.tags else None,  # Postal has one a message
    }
    payload: dict[str, Any] = {"message": message}
    if name == BOUNCED:
        payload = {"original_message": message, "bounce": {"direction": "incoming", "from": "mailer-daemon@mx.example"}}
    elif name in _STATUSES:
        reply = reply_for(event)
        payload |= {
            "status": _STATUSES[name],
            "details": _details(event),
            "output": reply.line if reply else "",
            "sent_with_ssl": True,
            "timestamp": seconds,
            "time": 0.4,
        }
    return {"event": name, "timestamp": seconds, "payload": payload, "uuid": made_up_id(event)}


def _details(event: SampleEvent) -> str:
    if event.kind is Kind.DROPPED:
        return f"Recipient ({event.address}) is on the suppression list (reason: too many hard fails)"
    return "An SMTP delivery error occurred when sending to mx.example.org"


SENDERS = (PostalSamples,)
