"""The requests of make-believe vendors, and the secrets that they make up."""

import base64
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b

from worker.providers.webhook_request import WebhookRequest
from worker.samples.sample import SAMPLE_REMOTE_ADDRESS, SampleEvent


def post(
    provider: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    content_type: str = "application/json",
    query: Mapping[str, str] | None = None,
) -> WebhookRequest:
    """The POST to the source that is named like the provider; names of headers in lower case."""
    return WebhookRequest(
        method="POST",
        path=f"/webhooks/{provider}",
        query=query or {},
        headers={"content-type": content_type, **headers},
        body=body,
        remote_address=SAMPLE_REMOTE_ADDRESS,
    )


def made_up_secret(provider: str, seed: bytes | None = None) -> str:
    """64 hex digits: at random, or the same ones for the same seed."""
    if seed is None:
        return secrets.token_hex(32)
    return blake2b(seed, person=provider.encode()[:16], digest_size=32).hexdigest()


def made_up_id(event: SampleEvent) -> str:
    """The vendor's id of the event: its own where it has one, else 32 hex digits that the event's content decides."""
    if event.vendor_event_id is not None:
        return event.vendor_event_id
    content = f"{event.kind} {event.cause} {event.address} {event.message_id} {event.occurred_at} {event.scope}"
    return blake2b(content.encode(), digest_size=16).hexdigest()


def iso_time(moment: datetime) -> str:
    """`2026-03-04T11:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def unix_time(moment: datetime) -> str:
    """Whole seconds since 1970: `1772622000`."""
    return str(int(moment.timestamp()))


def basic(secret: str) -> dict[str, str]:
    """The header that shows `user:password`."""
    return {"authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}


def bearer(secret: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"authorization": f"Bearer {secret}"}


def hex_hmac(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in hex, as most vendors sign."""
    return hmac.digest(secret.encode(), message, "sha256").hex()


def standard_signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 in base64 over what Standard Webhooks signs."""
    message = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key, message, "sha256")).decode()
