"""The events that tests tell a provider of, and what holds for every event that it reads."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.providers.payload.event_key import KEY_FORM
from worker.samples.sample import SampleEvent

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)

ALL_KINDS: tuple[tuple[Kind, Cause], ...] = (
    (Kind.ACCEPTED, Cause.NONE),
    (Kind.DELIVERED, Cause.NONE),
    (Kind.DEFERRED, Cause.SERVER_UNAVAILABLE),
    (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    (Kind.OPENED, Cause.NONE),
    (Kind.CLICKED, Cause.NONE),
    (Kind.UNSUBSCRIBE, Cause.NONE),
    (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    (Kind.OTHER, Cause.NONE),
)


def all_kinds_but(*unsaid: Kind) -> tuple[tuple[Kind, Cause], ...]:
    """For a vendor that has no word for these."""
    return tuple(pair for pair in ALL_KINDS if pair[0] not in unsaid)


def sample(kind: Kind = Kind.HARD_BOUNCE, cause: Cause = Cause.MAILBOX_DOES_NOT_EXIST, **other: Any) -> SampleEvent:
    """A sample event of an hour ago, about jane@example.org unless told otherwise."""
    fields = {"address": "jane@example.org", "occurred_at": EARLIER, "message_id": "m1", **other}
    return SampleEvent(kind=kind, cause=cause, **fields)


def one_of_each(kinds: Sequence[tuple[Kind, Cause]] = ALL_KINDS) -> list[SampleEvent]:
    """A sample event of each kind, each about another person."""
    return [
        sample(kind, cause, address=f"person{number}@example.org", message_id=f"m{number}")
        for number, (kind, cause) in enumerate(kinds)
    ]


def assert_sound(event: FeedbackEvent, received_at: datetime = NOW) -> None:
    """What holds for every event, however broken the webhook was."""
    assert len(event.event_key) == 16
    assert event.event_key[:1] == KEY_FORM
    assert event.occurred_at.utcoffset() == timedelta(0)
    assert event.occurred_at <= event.received_at == received_at
    assert event.raw
    assert event.smtp_code is None or isinstance(event.smtp_code, int)
    assert event.diagnostic is None or len(event.diagnostic) <= 2_000
    assert event.message_id is None or len(event.message_id) <= 500
    texts = (event.address, event.vendor_event, event.message_id, event.diagnostic, event.scope)
    for text in (*texts, event.enhanced_status, *event.tags):
        assert text is None or "\x00" not in text.encode().decode()
    stored = json.loads(msgspec.json.encode(event.metadata))
    assert "\\u0000" not in json.dumps(stored)
