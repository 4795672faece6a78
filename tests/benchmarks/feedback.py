"""A day's feedback in a realistic mix, as events and as signed requests."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.vocabulary import Cause, Kind
from worker.providers.provider import WebhookRequest
from worker.samples.sample import SampleEvent, SampleSender

BATCH_EVENTS = 100
_EVENTS_PER_CONTACT = 3

# (share in per mille, kind, cause, enhanced status, the server's words). What is delivered outweighs all else.
_MIX: tuple[tuple[int, Kind, Cause, str, str], ...] = (
    (600, Kind.DELIVERED, Cause.NONE, "2.0.0", "250 2.0.0 OK"),
    (130, Kind.ACCEPTED, Cause.NONE, "", ""),
    (120, Kind.OPENED, Cause.NONE, "", ""),
    (80, Kind.DEFERRED, Cause.GREYLISTED, "4.7.1", "450 4.7.1 Greylisted, please try again later"),
    (15, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, "5.1.1", "550 5.1.1 The account does not exist"),
    (10, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL, "5.2.2", "552 5.2.2 The mailbox is over quota"),
    (
        8,
        Kind.BLOCKED,
        Cause.SENDER_REPUTATION,
        "5.7.1",
        "554 5.7.1 Service unavailable; client host blocked using a list",
    ),
    (7, Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE, "4.4.1", "451 4.4.1 Connection timed out"),
    (5, Kind.BLOCKED, Cause.CONTENT, "5.7.1", "550 5.7.1 Message rejected as spam by content filtering"),
    (5, Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST, "5.1.2", "550 5.1.2 Host or domain name not found"),
    (10, Kind.CLICKED, Cause.NONE, "", ""),
    (4, Kind.COMPLAINT, Cause.ABUSE_REPORT, "", ""),
    (4, Kind.UNSUBSCRIBE, Cause.NONE, "", ""),
    (2, Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER, "", "Bounced Address"),
)


def message_id(number: int) -> str:
    """By this an event is found again in the database."""
    return f"bench{number:09d}"


def contact_address(number: int) -> str:
    """The address of the contact of this number."""
    return f"person{number}@mail{number % 997}.example.com"


def sample_events(
    count: int, *, seed: int, contacts: int | None = None, now: datetime | None = None
) -> list[SampleEvent]:
    """Events in the order in which they occurred, over the last ten minutes; one contact for every three."""
    chance = random.Random(seed)
    contacts = contacts or max(1, count // _EVENTS_PER_CONTACT)
    now = now or datetime.now(UTC)
    weights = [share for share, *_ in _MIX]
    began = now - timedelta(minutes=10)
    events = []
    for number, (_, kind, cause, status, words) in enumerate(chance.choices(_MIX, weights=weights, k=count)):
        events.append(
            SampleEvent(
                address=contact_address(chance.randrange(contacts)),
                kind=kind,
                cause=cause,
                occurred_at=began + timedelta(seconds=590 * number / count),
                message_id=message_id(number),
                smtp_code=int(words[:3]) if words[:3].isdigit() else None,
                enhanced_status=status or None,
                diagnostic=words or None,
                tags=("newsletter",),
                metadata={"campaign": "autumn-2026", "recipient_ref": f"u-{chance.randrange(10**9)}"},
            )
        )
    return events


def signed_requests(
    sender: SampleSender, events: Sequence[SampleEvent], *, batch_events: int = 1
) -> list[WebhookRequest]:
    """The events as webhooks of `batch_events` each, which is what a vendor that batches would post."""
    now = datetime.now(UTC)
    requests: list[WebhookRequest] = []
    for start in range(0, len(events), batch_events):
        requests += sender.requests(events[start : start + batch_events], now=now)
    return requests


def with_body_bytes(event: SampleEvent, sender: SampleSender, body_bytes: int) -> SampleEvent:
    """The event with so much metadata that its webhook has about `body_bytes`: what webhooks have is more or less."""
    bare = len(sender.requests([event], now=datetime.now(UTC))[0].body)
    return padded(event, max(0, body_bytes - bare))


def padded(event: SampleEvent, more_bytes: int) -> SampleEvent:
    """The event with so many more bytes of metadata."""
    metadata: dict[str, Any] = dict(event.metadata or {})
    metadata["recipient_ref"] = str(metadata.get("recipient_ref", "")) + "x" * more_bytes
    return SampleEvent(
        address=event.address,
        kind=event.kind,
        cause=event.cause,
        occurred_at=event.occurred_at,
        message_id=event.message_id,
        smtp_code=event.smtp_code,
        enhanced_status=event.enhanced_status,
        diagnostic=event.diagnostic,
        tags=event.tags,
        metadata=metadata,
    )
