"""A repeat is recognised whatever time it names, by whatever worker, and however another version reads it."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations, product

import pytest
from msgspec.structs import replace

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from tests.properties import few
from tests.schemas.feedback_events import START, make_event
from tests.stored_contacts import all_contacts
from tests.waiting import until
from worker.contacts.applying import Applied, BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.policy_file import recommended_policy
from worker.processor.batch import BatchWriter
from worker.providers.payload.event_key import make_event_key
from worker.providers.payload.feedback import new_event
from worker.providers.vendors.bouncekeeper.bouncekeeper import PROVIDER as OWN_JSON
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

RULES = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START - timedelta(days=20))
JANE = "jane@example.org"


def envelope(received_at: datetime, body: bytes = b"") -> Envelope:
    return Envelope(
        delivery_id=new_delivery_id(),
        source="first",
        provider="postmark",
        account="default",
        received_at=received_at,
        content_type="",
        headers={},
        body=body,
    )


def copy_of(number: int, *, claimed: datetime | None, received_at: datetime, **fields: object) -> FeedbackEvent:
    """A copy of the soft bounce of this number, as a receiver takes it whose clock shows `received_at`."""
    told = {"kind": Kind.SOFT_BOUNCE, "cause": Cause.MAILBOX_FULL, "address": f"user{number}@example.org", **fields}
    return new_event(
        envelope(received_at),
        b"{}",
        key=("bounce", number),
        vendor_event="bounce",
        vendor_time=claimed,
        message_id=f"m{number}",
        **told,  # type: ignore[arg-type]
    )


async def apply(pool: WriterPool, events: Sequence[FeedbackEvent], rules: BatchRules = RULES) -> Applied:
    """In one transaction, which is to succeed as it is."""
    async with writing(pool) as connection:
        return await apply_events(connection, events, rules=rules, now=START + timedelta(days=60))


async def stored(pool: WriterPool) -> int:
    count: int = await pool.fetchval("SELECT count(*) FROM log")
    return count


async def facts_of(pool: WriterPool, address: str) -> Facts:
    async with pool.acquire() as connection:
        return next(facts_from_row(row) for row in await all_contacts(connection) if row.address == address)


async def until_somebody_waits_for_a_lock(pool: WriterPool) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    await until(lambda: pool.fetchval(waiting), "a session that waits for a lock")


# -- copies that name different times ------------------------------------------------------------------------

CLOCKS = [timedelta(seconds=seconds) for seconds in (-10, 0, 10)]
AHEAD = START + timedelta(seconds=6)  # the vendor's clock; the first copy arrives at START, the second 3 s later


def copies(first_clock: timedelta, second_clock: timedelta) -> list[FeedbackEvent]:
    return [
        copy_of(1, claimed=AHEAD, received_at=START + first_clock),
        copy_of(1, claimed=AHEAD, received_at=START + timedelta(seconds=3) + second_clock),
    ]


@pytest.mark.parametrize("known", [True, False], ids=["known contact", "new contact"])
@pytest.mark.parametrize(("first_clock", "second_clock"), few(product(CLOCKS, CLOCKS), 3, one_name=False))
@pytest.mark.parametrize("order", list(permutations(range(2))))
async def test_two_workers_whose_clocks_disagree_store_an_event_once(
    pool: WriterPool, first_clock: timedelta, second_clock: timedelta, order: tuple[int, int], *, known: bool
) -> None:
    if known:
        accepted = make_event(Kind.ACCEPTED, address="user1@example.org", day=-1)
        await apply(pool, [accepted])
    mine, other = (copies(first_clock, second_clock)[place] for place in order)

    writer = BatchWriter(pool, RULES)
    async with writing(pool) as connection:
        await apply_events(connection, [mine], rules=RULES, now=START)
        # The other worker has its copy at hand and waits for the contact that this one holds.
        theirs = asyncio.create_task(writer.commit([other]))
        await until_somebody_waits_for_a_lock(pool)
    committed = await theirs

    assert sum(applied.new_events for applied in committed.applied) == 0
    assert committed.refused == []
    assert await stored(pool) == 1 + known
    assert len((await facts_of(pool, "user1@example.org")).deliverability.rules[0].strikes) == 1


async def test_a_flood_of_copies_through_two_workers_is_stored_once(pool: WriterPool) -> None:
    chance = random.Random(3)
    count = 300
    loads: list[list[FeedbackEvent]] = [[], []]
    for number in range(count):
        # The contacts are fewer than the events, so that known and new ones meet in every batch.
        address = f"user{number % 90}@example.org"
        claimed = START + timedelta(seconds=chance.uniform(-12, 12))
        for load in loads:
            received = START + timedelta(seconds=chance.uniform(0, 5)) + chance.choice(CLOCKS)
            load.append(copy_of(number, claimed=claimed, received_at=received, address=address))

    async def work(load: list[FeedbackEvent], seed: int) -> int:
        random.Random(seed).shuffle(load)
        new = 0
        for place in range(0, count, 25):
            committed = await BatchWriter(pool, RULES).commit(load[place : place + 25])
            assert committed.refused == []
            new += sum(applied.new_events for applied in committed.applied)
        return new

    new = await asyncio.gather(*(work(load, seed) for seed, load in enumerate(loads)))

    assert sum(new) == count
    assert await stored(pool) == count


@pytest.mark.parametrize(("first_clock", "second_clock"), few(product(CLOCKS, CLOCKS), 3, one_name=False))
async def test_of_events_about_nobody_two_workers_store_one_too(
    pool: WriterPool, first_clock: timedelta, second_clock: timedelta
) -> None:
    mine, other = (
        replace(event, address=None, kind=Kind.OTHER, cause=Cause.NONE) for event in copies(first_clock, second_clock)
    )
    async with writing(pool) as connection:
        await apply_events(connection, [mine], rules=RULES, now=START)
        theirs = asyncio.create_task(BatchWriter(pool, RULES).commit([other]))
        await until_somebody_waits_for_a_lock(pool)
    committed = await theirs

    assert sum(applied.new_events for applied in committed.applied) == 0
    assert await stored(pool) == 1


# -- our own JSON: the id decides ----------------------------------------------------------------------------


def own(body: bytes, received_at: datetime) -> FeedbackEvent:
    (event,) = OWN_JSON.bind(Source(name="first", provider="bouncekeeper")).parse(envelope(received_at, body))
    return event


TIMES = [b'"occurred_at": "2026-03-01T10:00:00Z", ', b'"occurred_at": "2026-03-01T11:30:00Z", ', b""]


@pytest.mark.parametrize("order", few(permutations(TIMES), 2))
@pytest.mark.parametrize("event", [b"hard_bounce", b"delivered", b"accepted"])
async def test_the_id_of_own_json_decides_whatever_time_is_named(
    pool: WriterPool, order: Sequence[bytes], event: bytes
) -> None:
    new = 0
    for place, time in enumerate(order):
        body = b'{"event": "%s", "address": "jane@example.org", %s"id": "a-1"}' % (event, time)
        new += (await apply(pool, [own(body, START + timedelta(days=place))])).new_events

    assert new == 1
    assert await stored(pool) == 1


async def test_copies_of_own_json_with_one_id_in_one_batch_are_one_event(pool: WriterPool) -> None:
    bodies = [b'{"event": "hard_bounce", "address": "jane@example.org", %s"id": 7}' % time for time in TIMES]

    applied = await apply(pool, [own(body, START + timedelta(minutes=1)) for body in bodies])

    assert (applied.new_events, applied.duplicates) == (1, 2)


async def test_own_json_with_another_id_is_another_event(pool: WriterPool) -> None:
    bodies = [b'{"event": "unsubscribe", "address": "jane@example.org", "scope": "a", "id": %d}' % n for n in range(3)]

    applied = await apply(pool, [own(body, START) for body in bodies])

    assert applied.new_events == 3


# -- another version reads it otherwise ----------------------------------------------------------------------


@pytest.mark.parametrize("first", few(Kind, 4))
@pytest.mark.parametrize("arrives_later", [False, True])
async def test_what_was_stored_by_one_reading_is_known_by_any_other(
    pool: WriterPool, first: Kind, *, arrives_later: bool
) -> None:
    await BatchWriter(pool, RULES).commit([make_event(first, key="k", arrival_dated=arrives_later)])
    for kind in Kind:
        again = make_event(kind, key="k", day=0.01 if arrives_later else 0, arrival_dated=arrives_later)
        committed = await BatchWriter(pool, RULES).commit([again])
        assert sum(applied.new_events for applied in committed.applied) == 0
        assert committed.refused == []
    assert await stored(pool) == 1


async def test_an_event_that_named_nobody_to_one_version_is_a_repeat_to_one_that_finds_the_address(
    pool: WriterPool,
) -> None:
    named = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, key="k")
    nameless = replace(named, address=None, kind=Kind.OTHER, cause=Cause.NONE)
    writer = BatchWriter(pool, RULES)

    await writer.commit([nameless])
    again = await writer.commit([named])
    back = await writer.commit([nameless])

    assert [applied.new_events for applied in (*again.applied, *back.applied)] == [0, 0]
    assert (again.refused, await stored(pool)) == ([], 1)
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 0


async def test_an_event_that_was_another_contacts_to_one_version_is_todays_contacts_too(pool: WriterPool) -> None:
    """A key is unique for each contact alone, so that contacts can lie on different machines."""
    bounce = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, key="k")
    writer = BatchWriter(pool, RULES)

    await writer.commit([bounce])
    again = await writer.commit([replace(bounce, address="jane+news@example.org")] * 2)

    assert [applied.new_events for applied in again.applied] == [1]
    assert (again.refused, await stored(pool)) == ([], 2)


# -- keys of the former form ---------------------------------------------------------------------------------


def as_stored_before(event: FeedbackEvent, kind: Kind, parts: Sequence[object] | None = None) -> FeedbackEvent:
    """The event as the former version read and stored it: as this kind, which is in its key too."""
    today = event.event_key if parts is None else make_event_key([event.account, *parts])
    return replace(event, kind=kind, event_key=bytes([list(Kind).index(kind)]) + today[1:])


UPGRADED = replace(RULES, former_keys_until=START + timedelta(days=1))


@pytest.mark.parametrize("before", few(list(Kind)[: list(Kind).index(Kind.OTHER) + 1], 3))  # it knew no others
async def test_a_retry_of_what_the_former_version_stored_is_a_repeat(pool: WriterPool, before: Kind) -> None:
    bounce = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, key="k")
    await apply(pool, [as_stored_before(bounce, before)])

    assert (await apply(pool, [bounce], rules=UPGRADED)).new_events == 0
    assert await stored(pool) == 1


async def test_the_former_version_may_have_made_the_key_of_other_parts(pool: WriterPool) -> None:
    event = copy_of(1, claimed=START, received_at=START, former_key=("bounce", "soft", 1))
    await apply(pool, [as_stored_before(event, Kind.SOFT_BOUNCE, ("bounce", "soft", 1))])

    assert (await apply(pool, [event], rules=UPGRADED)).new_events == 0


async def test_of_nobody_and_of_a_contact_that_is_new_former_keys_are_known_too(pool: WriterPool) -> None:
    named = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, key="k")
    nameless = replace(named, address=None, kind=Kind.OTHER)
    await apply(pool, [as_stored_before(nameless, Kind.OTHER)])
    await pool.execute("TRUNCATE arrival_dated_events")  # where the former version put no such event

    assert (await apply(pool, [named], rules=UPGRADED)).new_events == 0
    assert (await apply(pool, [nameless], rules=UPGRADED)).new_events == 0
    assert await stored(pool) == 1


async def test_what_occurs_after_the_upgrade_is_not_looked_for_by_former_keys(pool: WriterPool) -> None:
    bounce = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, key="k", day=2)
    await apply(pool, [as_stored_before(bounce, Kind.HARD_BOUNCE)])

    assert (await apply(pool, [bounce], rules=UPGRADED)).new_events == 1


async def test_the_former_key_gives_its_event_its_place_among_others_of_the_instant(pool: WriterPool) -> None:
    """A complaint that the former version stored comes after a delivery of the same second, which comes in now."""
    complaint = make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT)
    await apply(pool, [as_stored_before(complaint, Kind.COMPLAINT)])
    await pool.execute("UPDATE contacts SET latest_rank = NULL, latest_ordered_rank = NULL")

    await apply(pool, [make_event(Kind.DELIVERED)], rules=UPGRADED)

    facts = await facts_of(pool, JANE)
    assert facts.latest == facts.latest_ordered
    assert facts.latest is not None
    assert facts.latest.rank == 110
