"""The outbox: published after the commit, in order, at least once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from schemas.vocabulary import Cause, Kind
from tests.feedback_events import START, make_event
from worker.errors import QueueUnavailable
from worker.policy.policy_file import recommended_policy
from worker.processor.applying import BatchRules, apply_events
from worker.processor.relay import relay_once
from worker.store.pool import Pool

RULES = BatchRules(policy=recommended_policy(), announce=True, oldest_kept=START - timedelta(days=1))


class Listener:
    """A publisher that takes its time and keeps what it was given; `away` makes it refuse."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.published: list[str] = []
        self.away = False
        self._seconds = seconds  # of the first call; later ones are quicker

    async def publish_many(self, messages: Sequence[tuple[str, str, bytes]]) -> None:
        seconds, self._seconds = self._seconds, 0.0
        await asyncio.sleep(seconds)
        if self.away:
            raise QueueUnavailable("away")
        self.published += [routing_key for routing_key, _, _ in messages]


async def change_status(pool: Pool, kind: Kind, cause: Cause, day: int) -> None:
    async with pool.acquire() as connection, connection.transaction():
        event = make_event(kind, cause=cause, day=day)
        await apply_events(connection, [event], rules=RULES, now=START + timedelta(days=30))


async def test_what_is_not_confirmed_stays_in_the_outbox(pool: Pool) -> None:
    await change_status(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, 0)
    listener = Listener()
    listener.away = True

    with pytest.raises(QueueUnavailable):
        await relay_once(pool, listener)
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 1

    listener.away = False
    assert await relay_once(pool, listener) == 1
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_relays_side_by_side_publish_a_contacts_changes_in_their_order(pool: Pool) -> None:
    for day, (kind, cause) in enumerate(
        [
            (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            (Kind.UNSUBSCRIBE, Cause.NONE),
            (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
            (Kind.COMPLAINT, Cause.ABUSE_REPORT),
        ]
    ):
        await change_status(pool, kind, cause, day)
    listener = Listener(seconds=0.3)  # the first to begin takes long: whoever passes it by is seen

    while await pool.fetchval("SELECT count(*) FROM outbox"):
        await asyncio.gather(*(relay_once(pool, listener, most=2) for _ in range(2)))

    assert listener.published == [
        "contact.status.soft_bouncing",
        "contact.status.unsubscribed",
        "contact.status.blocklisted",
        "contact.status.complained",
    ]
