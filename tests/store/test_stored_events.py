"""Stored events come back as they were, in the order of the fold."""

from datetime import timedelta

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.schemas.feedback_events import START, make_event
from worker.errors import SchemaOutOfDate
from worker.store.event_rows import copy_events
from worker.store.partitions import make_partitions
from worker.store.pool import Pool
from worker.store.stored_events import latest_events, stored_events, stored_events_by_contact

GONE = "gone@example.org"
WHOLE = make_event(
    Kind.HARD_BOUNCE,
    day=1,
    address=GONE,
    cause=Cause.MAILBOX_DOES_NOT_EXIST,
    smtp_code=550,
    enhanced_status="5.1.1",
    diagnostic="550 nobody — 誰もいない",
    vendor_event="bounce/hard",
    scope="list",
    machine=True,
    tags=("a", "b"),
    metadata={"order": 7, "nested": [None, {"ü": True}]},
    raw=b"\x00\xff",
)


async def store(pool: Pool, contact_id: int, *events: FeedbackEvent) -> None:
    async with pool.acquire() as connection:
        await make_partitions(connection, [event.occurred_at for event in events])
        await copy_events(connection, [(event, contact_id) for event in events])


async def test_an_event_comes_back_exactly_as_it_was_stored(pool: Pool, contact_id: int) -> None:
    await store(pool, contact_id, WHOLE)
    assert await stored_events(pool, contact_id) == [WHOLE]
    assert await latest_events(pool, contact_id, limit=5) == [WHOLE]


async def test_for_a_fold_events_come_without_their_payload(pool: Pool, contact_id: int) -> None:
    await store(pool, contact_id, WHOLE)
    lean = msgspec.structs.replace(WHOLE, diagnostic=None, tags=(), metadata=None, raw=b"")
    assert await stored_events_by_contact(pool, [contact_id, 999]) == {contact_id: [lean]}


async def test_events_come_in_the_order_of_the_fold_over_the_bounds_of_months(pool: Pool, contact_id: int) -> None:
    events = [
        make_event(kind, day=day, address=GONE, message=message)
        for day in (40, 0, 90, 10)
        for kind in (Kind.OPENED, Kind.DELIVERED)
        for message in ("m2", "m1")
    ]
    await store(pool, contact_id, *events)
    expected = sorted(events, key=lambda event: (event.occurred_at, event.rank, event.event_key))
    keys = [event.event_key for event in expected]
    assert [event.event_key for event in await stored_events(pool, contact_id)] == keys
    assert [event.event_key for event in await latest_events(pool, contact_id, limit=3)] == keys[:-4:-1]
    later = await stored_events(pool, contact_id, since=START + timedelta(days=10))
    assert [event.event_key for event in later] == keys[4:]


@pytest.mark.parametrize("column", ["kind", "cause"])
async def test_a_word_of_a_newer_version_is_never_guessed_at(pool: Pool, contact_id: int, column: str) -> None:
    await store(pool, contact_id, WHOLE)
    await pool.execute(f"UPDATE events SET {column} = 'teleported'")  # noqa: S608 - a column of the test's
    with pytest.raises(SchemaOutOfDate, match="'teleported'"):
        await stored_events(pool, contact_id)
