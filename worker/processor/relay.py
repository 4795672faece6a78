"""Publishes the outbox to the topic exchange: at least once, in the order of each contact's changes."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from worker import metrics
from worker.errors import TryAgainLater
from worker.logs import Reminder, get_logger
from worker.processor.pause import pause
from worker.store.pool import Pool, store_errors
from worker.store.status_history import delete_outgoing, lock_outgoing

_log = get_logger()
_MESSAGES_AT_ONCE = 500
_LONGEST_WAIT_SECONDS = 10.0


class Publisher(Protocol):
    """What the relay needs of a broker (worker.queue.rabbitmq.TopicPublisher)."""

    async def publish_many(self, messages: Sequence[tuple[str, str, bytes]]) -> None:
        """Each (routing key, message id, body) is confirmed when this returns. Raises QueueUnavailable."""
        ...


async def relay_once(pool: Pool, publisher: Publisher, *, most: int = _MESSAGES_AT_ONCE) -> int:
    """Publishes what waits, up to `most`; gives how many. Raises StoreUnavailable, QueueUnavailable.

    A message leaves the outbox only after its confirm: a crash in between publishes it again.
    """
    started = time.perf_counter()
    with store_errors("relaying the outbox"):
        async with pool.acquire() as connection, connection.transaction():
            waiting = await lock_outgoing(connection, most)
            if not waiting:
                return 0
            await publisher.publish_many([(row.routing_key, str(row.message_id), row.body) for _, row in waiting])
            await delete_outgoing(connection, [number for number, _ in waiting])
    metrics.OUTBOX_RELAYED.inc(len(waiting))
    _log.debug("outbox.relayed", count=len(waiting), seconds=round(time.perf_counter() - started, 6))
    return len(waiting)


async def relay(pool: Pool, publisher: Publisher, *, every_seconds: float, stop: asyncio.Event) -> None:
    """Relays until `stop`; a broker or database that is away is waited for, the messages are safe meanwhile."""
    wait_seconds = every_seconds
    reminder = Reminder()
    while not stop.is_set():
        try:
            relayed = await relay_once(pool, publisher)
            reminder.over()
            if relayed == _MESSAGES_AT_ONCE:
                continue
            wait_seconds = every_seconds
        except TryAgainLater as error:
            wait_seconds = min(max(wait_seconds, every_seconds) * 2, _LONGEST_WAIT_SECONDS)
            if reminder.due(type(error).__name__):
                _log.warning("task.failed", task="relay", reason=str(error), wait_seconds=wait_seconds)
        await pause(stop, wait_seconds)
