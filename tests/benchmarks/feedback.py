"""A day's feedback in a realistic mix, as events and as signed requests."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from schemas.vocabulary import Cause, Kind
from worker.providers.webhook_request import WebhookRequest
from worker.samples.sample import SampleEvent, SampleSender

BATCH_EVENTS = 100
_EVENTS_PER_CONTACT = 3

# In per mille. What is delivered outweighs all else; the words of the servers are typical for each cause.
_MIX: tuple[tuple[int, Kind, Cause], ...] = (
    (600, Kind.DELIVERED, Cause.NONE),
    (130, Kind.ACCEPTED, Cause.NONE),
    (120, Kind.OPENED, Cause.NONE),
    (80, Kind.DEFERRED, Cause.GREYLISTED),
    (15, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (10, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (8, Kind.BLOCKED, Cause.SENDER_REPUTATION),
    (7, Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    (5, Kind.BLOCKED, Cause.CONTENT),
    (5, Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
    (10, Kind.CLICKED, Cause.NONE),
    (4, Kind.COMPLAINT, Cause.ABUSE_REPORT),
    (4, Kind.UNSUBSCRIBE, Cause.NONE),
    (2, Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
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
    weights = [share for share, _, _ in _MIX]
    began = now - timedelta(minutes=10)
    events = []
    for number, (_, kind, cause) in enumerate(chance.choices(_MIX, weights=weights, k=count)):
        events.append(
            SampleEvent(
                address=contact_address(chance.randrange(contacts)),
                kind=kind,
                cause=cause,
                occurred_at=began + timedelta(seconds=590 * number / count),
                message_id=message_id(number),
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


def padded(event: SampleEvent, more_bytes: int) -> SampleEvent:
    """The event with so many more bytes of metadata."""
    metadata = dict(event.metadata or {})
    metadata["recipient_ref"] = str(metadata.get("recipient_ref", "")) + "x" * more_bytes
    return msgspec.structs.replace(event, metadata=metadata)
