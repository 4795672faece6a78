"""Stored entries come back as they were, in the order of the fold."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.decision import ConsentProof, Decision, DecisionKind, Origin, Permission, Role, Strength
from schemas.entry import LASTING_KINDS, Entry
from schemas.feedback_event import FeedbackEvent
from schemas.raw_keeping import KeepRaw
from schemas.vocabulary import Blocks, Cause, Channel, Kind, Way
from tests.properties import examples, few
from tests.schemas.feedback_events import START, make_event
from worker.errors import SchemaOutOfDate
from worker.store.acts import Act, insert_act
from worker.store.decision_rows import insert_decisions
from worker.store.event_rows import EventEncoder
from worker.store.partitions import make_partitions
from worker.store.pool import Pool, WriterPool
from worker.store.stored_entries import (
    latest_entries,
    stored_entries,
    stored_entries_by_contact,
)
from worker.store.writer_pool import writing

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
    raw=b"\x00\xff" * 30,
)
ACT = Act(
    account="default",
    token_id=None,
    token_name=None,
    actor="ann",
    role=Role.OPERATOR,
    what="command",
    idempotency_key=None,
    request_hash=None,
    note="they wrote to us",
    proof=None,
    subject=None,
    at=START,
)


async def store(
    pool: Pool, contact_id: int, *events: FeedbackEvent, keep_raw: KeepRaw = KeepRaw.ALL, learned: bool = True
) -> None:
    encoder = EventEncoder(keep_raw)
    if learned:
        await encoder.learn(pool, events)
    async with pool.acquire() as connection:
        await make_partitions(connection, [event.occurred_at for event in events])
        for event in events:
            table = "entries" if event.kind in LASTING_KINDS else "calm_events"
            await encoder.copy(connection, table, [(event, contact_id)])


def keys(entries: Sequence[Entry]) -> list[bytes]:
    return [entry.event_key for entry in entries]


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("kind", few(Kind, 4))
async def test_an_event_comes_back_exactly_as_it_was_stored(
    pool: Pool, contact_id: int, kind: Kind, *, learned: bool
) -> None:
    event = msgspec.structs.replace(WHOLE, kind=kind)
    await store(pool, contact_id, event, learned=learned)
    assert await stored_entries(pool, contact_id) == [event]
    assert await latest_entries(pool, contact_id, limit=5) == [event]


_TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=300)
_MAYBE_TEXTS = st.none() | _TEXTS
_TIMES = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2026, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    event=st.builds(
        FeedbackEvent,
        event_key=st.binary(min_size=16, max_size=16),
        provider=_TEXTS,
        source=_TEXTS,
        account=st.just("default"),
        address=st.just(GONE),
        kind=st.sampled_from(Kind),
        occurred_at=_TIMES,
        received_at=_TIMES,
        delivery_id=st.uuids(),
        cause=st.sampled_from(Cause),
        vendor_event=_TEXTS,
        message_id=_MAYBE_TEXTS,
        smtp_code=st.none() | st.integers(200, 599),
        enhanced_status=_MAYBE_TEXTS,
        diagnostic=_MAYBE_TEXTS,
        scope=_MAYBE_TEXTS,
        way=st.none() | st.sampled_from(Way),
        machine=st.booleans(),
        tags=st.lists(_TEXTS, max_size=4).map(tuple),
        metadata=st.none() | st.dictionaries(_TEXTS, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXTS),
        raw=st.binary(max_size=2000),
    ),
    learned=st.booleans(),
)
async def test_every_field_of_any_event_comes_back(
    pool: Pool, contact_id: int, event: FeedbackEvent, *, learned: bool
) -> None:
    await pool.execute("TRUNCATE entries, calm_events")
    await store(pool, contact_id, event, learned=learned)
    assert await stored_entries(pool, contact_id) == [event]


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    decision=st.builds(
        Decision,
        event_key=st.binary(min_size=16, max_size=16),
        act_id=st.just(0),
        account=st.just("default"),
        address=st.just(GONE),
        channel=st.just(Channel.EMAIL),
        kind=st.sampled_from(DecisionKind),
        occurred_at=_TIMES,
        received_at=_TIMES,
        origin=st.sampled_from([origin for origin in Origin if origin is not Origin.PROVIDER]),  # that is an event
        role=st.sampled_from(Role),
        by_contact=st.booleans(),
        actor=_TEXTS,
        note=_MAYBE_TEXTS,
        scope=_MAYBE_TEXTS,
        cause=st.sampled_from(Cause),
        blocks=st.sampled_from(Blocks),
        until=st.none() | _TIMES,
        permission=st.none() | st.sampled_from(Permission),
        strength=st.none() | st.sampled_from(Strength),
        proof=st.none()
        | st.builds(ConsentProof, source=_TEXTS, collected_at=st.none() | _TIMES, form=_TEXTS, ip_address=_TEXTS),
        entry_keys=st.lists(st.binary(min_size=16, max_size=16), max_size=3).map(tuple),
    )
)
async def test_every_field_of_any_decision_comes_back(pool: WriterPool, contact_id: int, decision: Decision) -> None:
    async with writing(pool) as connection:
        await connection.execute("DELETE FROM entries")
        act_id = await insert_act(connection, ACT)
        assert act_id is not None
        stored = msgspec.structs.replace(decision, act_id=act_id)
        assert await insert_decisions(connection, [(stored, contact_id)]) == {stored.event_key}
        later = msgspec.structs.replace(stored, occurred_at=stored.occurred_at + timedelta(days=1))
        assert await insert_decisions(connection, [(later, contact_id)]) == set()
    assert await stored_entries(pool, contact_id) == [stored]
    assert await latest_entries(pool, contact_id, limit=1) == [stored]


async def test_events_and_decisions_come_in_one_order(pool: WriterPool, contact_id: int) -> None:
    events = [make_event(kind, day=1, address=GONE) for kind in (Kind.COMPLAINT, Kind.DELIVERED, Kind.OTHER)]
    await store(pool, contact_id, *events)
    async with writing(pool) as connection:
        act_id = await insert_act(connection, ACT)
        decisions = [
            Decision(
                event_key=bytes([number]) * 16,
                act_id=act_id or 0,
                account="default",
                address=GONE,
                kind=kind,
                occurred_at=events[0].occurred_at,
                received_at=START,
                actor="ann",
            )
            for number, kind in enumerate((DecisionKind.LISTED, DecisionKind.LIFTED))
        ]
        await insert_decisions(connection, [(decision, contact_id) for decision in decisions])

    kinds = [Kind.DELIVERED, Kind.COMPLAINT, Kind.OTHER, DecisionKind.LIFTED, DecisionKind.LISTED]
    assert [entry.kind for entry in await stored_entries(pool, contact_id)] == kinds
    assert [entry.kind for entry in await latest_entries(pool, contact_id, limit=4)] == kinds[:0:-1]


async def test_for_a_fold_events_come_without_their_payload(pool: Pool, contact_id: int) -> None:
    await store(pool, contact_id, WHOLE)
    lean = msgspec.structs.replace(WHOLE, diagnostic=None, tags=(), metadata=None, raw=b"")
    assert await stored_entries_by_contact(pool, [contact_id, 999]) == {contact_id: [lean]}


@pytest.mark.parametrize(
    ("keep_raw", "kept"),
    [
        (KeepRaw.NONE, set()),
        (KeepRaw.ALL, {"accepted", "unsubscribe", "hard_bounce", "blocked", "dropped", "complaint", "other"}),
        (KeepRaw.FAILURES, {"hard_bounce", "blocked", "dropped", "complaint", "other"}),
    ],
)
async def test_what_the_vendor_wrote_is_kept_of_failures_complaints_and_the_unknown_unless_it_is_set_otherwise(
    pool: Pool, contact_id: int, keep_raw: KeepRaw, kept: set[str]
) -> None:
    kinds = [Kind.ACCEPTED, Kind.UNSUBSCRIBE, Kind.HARD_BOUNCE, Kind.BLOCKED, Kind.DROPPED, Kind.COMPLAINT, Kind.OTHER]
    events = [make_event(kind, address=GONE, raw=b"{}", recognised=kind is not Kind.OTHER) for kind in kinds]
    await store(pool, contact_id, *events, keep_raw=keep_raw)
    assert {entry.kind.value for entry in await stored_entries(pool, contact_id) if _raw(entry)} == kept


def _raw(entry: Entry) -> bytes:
    assert isinstance(entry, FeedbackEvent)
    return entry.raw


async def test_entries_come_in_the_order_of_the_fold_over_the_bounds_of_months(pool: Pool, contact_id: int) -> None:
    events = [
        make_event(kind, day=day, address=GONE, message=message)
        for day in (40, 0, 90, 10)
        for kind in (Kind.OPENED, Kind.DELIVERED, Kind.SOFT_BOUNCE)
        for message in ("m2", "m1")
    ]
    await store(pool, contact_id, *events)
    expected = keys(sorted(events, key=lambda event: (event.occurred_at, event.rank, event.event_key)))
    assert keys(await stored_entries(pool, contact_id)) == expected
    assert keys(await latest_entries(pool, contact_id, limit=3)) == expected[:-4:-1]
    assert keys(await stored_entries(pool, contact_id, since=START + timedelta(days=10))) == expected[6:]


NEWER: list[tuple[str, dict[str, Any]]] = [
    ("UPDATE entries SET rank = 47", {"match": "holds 47"}),
    ('UPDATE entries SET cause = NULL, beside = \'{"cause": "teleported"}\'', {"match": "'teleported'"}),
]


@pytest.mark.parametrize(("change", "told"), NEWER)
async def test_a_word_of_a_newer_version_is_never_guessed_at(
    pool: Pool, contact_id: int, change: str, told: dict[str, Any]
) -> None:
    await store(pool, contact_id, WHOLE)
    await pool.execute(change)
    with pytest.raises(SchemaOutOfDate, **told):
        await stored_entries(pool, contact_id)


async def test_the_log_is_readable_by_people(pool: Pool, contact_id: int) -> None:
    nobody = msgspec.structs.replace(WHOLE, address=None, kind=Kind.OTHER, delivery_id=UUID(int=3))
    await store(pool, contact_id, WHOLE)
    encoder = EventEncoder()
    async with pool.acquire() as connection:
        assert await encoder.insert_nameless(connection, nobody)
        assert not await encoder.insert_nameless(connection, nobody)
    lines = "SELECT contact_id, kind, cause, provider, source, vendor_event, smtp_code FROM log ORDER BY contact_id"
    same = ("mailbox_does_not_exist", "postmark", "test", "bounce/hard", 550)
    assert [tuple(line) for line in await pool.fetch(lines)] == [
        (contact_id, "hard_bounce", *same),
        (None, "other", *same),
    ]
