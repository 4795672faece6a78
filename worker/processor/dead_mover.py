"""Moves parcels from the broker's dead-letter queue into the table dead_letters, where the operator sees them."""

import asyncio
from datetime import UTC, datetime

from worker.errors import TryAgainLater
from worker.process.logs import Reminder, get_logger
from worker.process.pause import pause
from worker.processor.dead_parcel import dead_deliveries
from worker.processor.reporting import report_given_up
from worker.queue.port import Lease, QueueReader
from worker.store.dead_letters import put_aside
from worker.store.pool import Pool
from worker.store.sessions import transaction

_log = get_logger()
_PARCELS_AT_ONCE = 16
_WAIT_SECONDS = 1.0
_PAUSE_SECONDS = 5.0
_REASON = "given_up_by_queue"
_DETAIL = (
    "RabbitMQ gave it up, by a policy of the broker or a limit of an older version: look at its policies, then replay"
)


async def move_dead_parcels(pool: Pool, reader: QueueReader, stop: asyncio.Event) -> None:
    """Works until `stop` is set. Waits if the broker or the database is away."""
    reminder = Reminder()
    while not stop.is_set():
        leases: list[Lease] = []
        try:
            leases = await reader.take(max_parcels=_PARCELS_AT_ONCE, max_wait_seconds=_WAIT_SECONDS)
            while leases:
                deliveries = dead_deliveries(leases[0].parcel, reason=_REASON, detail=_DETAIL, now=datetime.now(UTC))
                async with transaction(pool, "moving dead letters") as connection:
                    await put_aside(connection, deliveries, at=datetime.now(UTC))
                await reader.acknowledge([leases.pop(0)])
                report_given_up(deliveries)
            reminder.over()
        except TryAgainLater as error:
            # Otherwise the broker would keep them lent to us, unseen, and close the channel after a while.
            await reader.suspend()
            if reminder.due(type(error).__name__):
                _log.warning("task.failed", task="dead_mover", reason=str(error), wait_seconds=_PAUSE_SECONDS)
            await pause(stop, _PAUSE_SECONDS)
            await reader.resume()
