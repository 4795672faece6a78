"""The relay: publishes after the commit, in each contact's order, fresh changes before bulk work, at least once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from schemas.outgoing import StatusChanged
from schemas.trace_context import TraceContext
from schemas.vocabulary import Cause, Kind
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.contacts.status_change import is_bulk
from worker.errors import QueueUnavailable
from worker.policy.policy_file import recommended_policy
from worker.processor.relay import Relay
from worker.store.feed_followers import EXCHANGE, ensure_follower
from worker.store.pool import WriterPool
from worker.store.status_feed import BEGINNING, changes_after, number_changes
from worker.store.turns import Turns
from worker.store.writer_pool import writing

RULES = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START - timedelta(days=1))
LONG_AGO = 30.0  # days between what happened and its taking effect


class Listener:
    """A publisher that keeps what it was given; `away` makes it refuse, `meanwhile` happens during the first batch."""

    def __init__(self, meanwhile: Callable[[], Awaitable[object]] | None = None) -> None:
        self.published: list[StatusChanged] = []
        self.routing_keys: list[str] = []
        self.away = False
        self._meanwhile = meanwhile

    async def publish_many(
        self, messages: Sequence[tuple[str, str, bytes]], *, traces: Mapping[str, TraceContext] | None = None
    ) -> None:
        assert not traces
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        if self.away:
            raise QueueUnavailable("away")
        for routing_key, message_id, body in messages:
            change = msgspec.json.decode(body, type=StatusChanged)
            assert str(change.message_id) == message_id
            self.published.append(change)
            self.routing_keys.append(routing_key)

    @property
    def addresses(self) -> list[str]:
        return [change.address for change in self.published]


class Processor:
    """A relay with its turns, as each processor has them."""

    def __init__(self, pool: WriterPool, turns: Turns, listener: Listener, most: int) -> None:
        self._relay = Relay(pool, turns, listener, most=most)
        self.turns = turns

    async def publish(self) -> int:
        return await self._relay.publish_waiting(asyncio.Event())


Hire = Callable[..., Processor]


@pytest.fixture
async def hire(pool: WriterPool, database_dsn: str) -> AsyncIterator[Hire]:
    """Makes processors, with the relay's place at the beginning of the feed."""
    await ensure_follower(pool, EXCHANGE)
    hired: list[Processor] = []

    def one(listener: Listener, *, most: int = 10) -> Processor:
        hired.append(Processor(pool, Turns(database_dsn), listener, most))
        return hired[-1]

    yield one
    for processor in hired:
        await processor.turns.close()


async def change_status(
    pool: WriterPool,
    kind: Kind,
    cause: Cause = Cause.NONE,
    *,
    address: str = "jane@example.org",
    day: float = 0,
    after: float = 0,
) -> None:
    """What happens on that day takes effect `after` so many days."""
    async with writing(pool) as connection:
        event = make_event(kind, cause=cause, day=day, address=address)
        await apply_events(connection, [event], rules=RULES, now=START + timedelta(days=day + after))


async def complain(pool: WriterPool, *addresses: str, after: float = 0) -> None:
    for address in addresses:
        await change_status(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, address=address, after=after)


async def test_what_is_not_confirmed_is_published_again(pool: WriterPool, hire: Hire) -> None:
    await complain(pool, "jane@example.org")
    listener = Listener()
    processor = hire(listener)
    listener.away = True
    with pytest.raises(QueueUnavailable):
        await processor.publish()

    listener.away = False
    assert await processor.publish() == 1
    assert await processor.publish() == 0
    assert listener.addresses == ["jane@example.org"]


async def test_a_message_is_the_feeds_item_to_the_letter(pool: WriterPool, hire: Hire) -> None:
    await complain(pool, "jane@example.org")
    await change_status(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, address="joe@example.org")
    listener = Listener()
    await hire(listener).publish()

    assert listener.published == await changes_after(pool, BEGINNING, limit=10)
    assert listener.routing_keys == ["contact.status.complained", "contact.status.blocklisted"]
    (first, _) = listener.published
    assert (first.old_status, first.old_blocks) == ("new", "none")
    assert (first.new_status, first.new_blocks) == ("complained", "all")


async def test_a_relay_that_begins_is_told_what_changes_from_then_on(pool: WriterPool, hire: Hire) -> None:
    await complain(pool, "before@example.org")
    await number_changes(pool)
    await pool.execute("DELETE FROM feed_followers")
    await ensure_follower(pool, EXCHANGE)
    await ensure_follower(pool, EXCHANGE)
    await complain(pool, "after@example.org")
    listener = Listener()
    await hire(listener).publish()
    assert listener.addresses == ["after@example.org"]


async def test_one_processor_publishes_at_a_time_and_another_takes_over_when_it_dies(
    pool: WriterPool, hire: Hire, database_dsn: str
) -> None:
    await complain(pool, "first@example.org")
    listener = Listener()
    processor, other = hire(listener), hire(listener)
    assert await processor.publish() == 1
    await complain(pool, "second@example.org")
    assert await other.publish() == 0
    superuser = await asyncpg.connect(database_dsn)
    ended = await superuser.fetchval(
        "SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
    )
    await superuser.close()
    assert ended == 1
    async with asyncio.timeout(5):
        while not await other.publish():
            pass
    assert await processor.publish() == 0
    assert listener.addresses == ["first@example.org", "second@example.org"]


async def test_a_processor_that_lost_its_turn_in_the_middle_leaves_the_place_to_the_next(
    pool: WriterPool, hire: Hire
) -> None:
    """What it has published by then is published again: at least once, and in order."""
    await complain(pool, *(f"gone{number}@example.org" for number in range(20)))
    told = Listener()
    other = hire(told)

    async def take_over() -> None:
        await processor.turns.close()
        assert await other.publish() == 20

    listener = Listener(meanwhile=take_over)
    processor = hire(listener)
    assert await processor.publish() == 0
    assert told.addresses == [f"gone{number}@example.org" for number in range(20)]
    assert len(listener.addresses) < 20
    assert await other.publish() == 0


async def test_a_contacts_changes_are_published_in_their_order(pool: WriterPool, hire: Hire) -> None:
    for day, (kind, cause) in enumerate(
        [
            (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            (Kind.UNSUBSCRIBE, Cause.NONE),
            (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
            (Kind.COMPLAINT, Cause.ABUSE_REPORT),
        ]
    ):
        await change_status(pool, kind, cause, day=day)
    listener = Listener()
    assert await hire(listener, most=2).publish() == 4
    assert [change.new_status for change in listener.published] == [
        "soft_bouncing",
        "unsubscribed",
        "blocklisted",
        "complained",
    ]


async def test_fresh_changes_pass_a_backlog_of_bulk_work(pool: WriterPool, hire: Hire) -> None:
    bulk = [f"bulk{number}@example.org" for number in range(60)]
    await complain(pool, *bulk, after=LONG_AGO)
    await complain(pool, "fresh@example.org")
    listener = Listener(meanwhile=lambda: complain(pool, "fresher@example.org"))

    await hire(listener).publish()

    assert listener.addresses[0] == "fresh@example.org"
    assert listener.addresses.index("fresher@example.org") <= 20  # the second batch is read while the first is sent
    assert [address for address in listener.addresses if address.startswith("bulk")] == bulk
    assert [change.address for change in await changes_after(pool, BEGINNING, limit=99)][60:] == [
        "fresh@example.org",
        "fresher@example.org",
    ]


async def test_bulk_work_goes_on_however_much_is_fresh(pool: WriterPool, hire: Hire) -> None:
    await complain(pool, "bulk@example.org", after=LONG_AGO)
    fresh = [f"fresh{number}@example.org" for number in range(20)]
    await complain(pool, *fresh)
    listener = Listener()
    await hire(listener).publish()
    assert listener.addresses == [*fresh[:9], "bulk@example.org", *fresh[9:]]


async def test_a_contacts_fresh_change_does_not_pass_its_own_bulk_work(pool: WriterPool, hire: Hire) -> None:
    await complain(pool, *(f"bulk{number}@example.org" for number in range(40)), after=LONG_AGO)
    await change_status(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, after=LONG_AGO)  # Jane's
    await change_status(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, day=1)  # Jane's, fresh
    await complain(pool, "fresh@example.org")
    listener = Listener()
    processor = hire(listener)
    await processor.publish()

    assert listener.addresses[0] == "fresh@example.org"
    assert [change.new_status for change in listener.published if change.address == "jane@example.org"] == [
        "blocklisted",
        "complained",
    ]

    await complain(pool, "joe@example.org")  # all that was bulk is told: changes are fresh again
    await number_changes(pool)
    assert not await pool.fetchval("SELECT bulk FROM status_changes ORDER BY id DESC LIMIT 1")


def test_what_happened_a_quarter_of_an_hour_ago_is_bulk_work() -> None:
    now = datetime.now(UTC)
    assert not is_bulk(now - timedelta(minutes=14), now)
    assert not is_bulk(now + timedelta(hours=1), now)
    assert is_bulk(now - timedelta(minutes=16), now)
