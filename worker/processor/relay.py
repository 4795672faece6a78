"""Publishes the feed of status changes to the topic exchange: at least once, in the order of each contact's changes."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from schemas.outgoing import StatusChanged
from schemas.queue_topology import CONTACTS_EXCHANGE, status_routing_key
from schemas.trace_context import TraceContext
from worker.errors import TryAgainLater
from worker.process import metrics
from worker.process.backoff import Backoff
from worker.process.logs import Reminder, get_logger
from worker.process.pause import pause
from worker.processor.announcement_trace import announcing, traces_of
from worker.store.feed_followers import (
    EXCHANGE,
    Follower,
    Portion,
    move_follower,
    next_changes,
    read_follower,
)
from worker.store.pool import Pool
from worker.store.status_feed import number_changes
from worker.store.turns import Turns
from worker.tracing.tracer import Attributes, Kind

_log = get_logger()
_MESSAGES_AT_ONCE = 2000
_LONGEST_WAIT_SECONDS = 10.0
_encode = msgspec.json.Encoder().encode


class Publisher(Protocol):
    """The part of worker.queue.topic_publisher.TopicPublisher that the relay needs."""

    async def publish_many(
        self, messages: Sequence[tuple[str, str, bytes]], *, traces: Mapping[str, TraceContext] | None = None
    ) -> None:
        """Each (routing key, message id, body) is confirmed when this returns. Raises QueueUnavailable."""
        ...


class Relay:
    """Publishes the waiting changes while it is this process's turn.

    Only one relay works at a time: two could publish a contact's later change before its earlier one.
    """

    def __init__(self, pool: Pool, turns: Turns, publisher: Publisher, *, most: int = _MESSAGES_AT_ONCE) -> None:
        self._pool = pool
        self._turns = turns
        self._publisher = publisher
        self._most = most

    async def run(self, *, every_seconds: float, stop: asyncio.Event) -> None:
        """Relays until `stop` is set. Waits if the broker or the database is away; no change is lost."""
        backoff = Backoff(first_seconds=every_seconds * 2, longest_seconds=_LONGEST_WAIT_SECONDS)
        reminder = Reminder()
        while not stop.is_set():
            wait_seconds = every_seconds
            try:
                await self.publish_waiting(stop)
                reminder.over()
                backoff.succeeded()
            except TryAgainLater as error:
                wait_seconds = backoff.failed()
                if reminder.due(type(error).__name__):
                    _log.warning("task.failed", task="relay", reason=str(error), wait_seconds=wait_seconds)
            await pause(stop, wait_seconds)

    async def publish_waiting(self, stop: asyncio.Event) -> int:
        """Publishes until nothing waits, or `stop` is set; gives the number of changes, 0 if another process relays.

        The place in the feed moves on only after all confirms: after a crash in between, the messages are sent again.
        Raises StoreUnavailable, QueueUnavailable.
        """
        published = 0
        if not await self._turns.take(EXCHANGE):
            return published
        follower = await read_follower(self._pool, EXCHANGE)
        if follower is None:
            return published
        portion = await self._read(follower)
        while portion.end != follower and not stop.is_set():
            # Reads the next changes while the broker is busy with these.
            reading = asyncio.create_task(self._read(portion.end))
            try:
                await self._publish(portion.changes)
                if not (
                    self._turns.mine(EXCHANGE) and await move_follower(self._pool, before=follower, after=portion.end)
                ):
                    return published  # another has taken over, and publishes these again
                published += len(portion.steps)
                follower = portion.end
                portion = await reading
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
        return published

    async def _read(self, follower: Follower) -> Portion:
        await number_changes(self._pool)
        return await next_changes(self._pool, follower, limit=self._most)

    async def _publish(self, changes: Sequence[StatusChanged]) -> None:
        if not changes:
            return
        started = time.perf_counter()
        messages = [
            (status_routing_key(change.new_status), str(change.message_id), _encode(change)) for change in changes
        ]
        with announcing(await traces_of(self._pool, changes), changes, _span_of_message) as contexts:
            await self._publisher.publish_many(messages, traces=contexts)
        metrics.CHANGES_PUBLISHED.inc(len(changes))
        _log.debug("changes.published", count=len(changes), seconds=round(time.perf_counter() - started, 6))


def _span_of_message(change: StatusChanged) -> tuple[str, Kind, Attributes]:
    return (
        f"send {CONTACTS_EXCHANGE}",
        Kind.PRODUCER,
        {
            "messaging.system": "rabbitmq",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": CONTACTS_EXCHANGE,
            "messaging.rabbitmq.destination.routing_key": status_routing_key(change.new_status),
            "messaging.message.id": str(change.message_id),
            "bouncekeeper.new_status": str(change.new_status),
            "bouncekeeper.cause": str(change.cause),
        },
    )
