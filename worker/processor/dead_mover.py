"""Moves what landed in the broker's dead-letter queue into the table dead_letters: nothing rests unseen."""

import asyncio
from datetime import UTC, datetime

import msgspec

from schemas.envelope import decode_envelope, decode_parcel
from worker.errors import TryAgainLater
from worker.logs import Reminder, get_logger
from worker.processor.parsing import SetAsideDelivery, unreadable
from worker.processor.pause import pause
from worker.processor.reporting import report_set_aside
from worker.queue.port import Lease, QueueReader
from worker.store.dead_letters import put_aside
from worker.store.pool import Pool, store_errors

_log = get_logger()
_PARCELS_AT_ONCE = 16
_WAIT_SECONDS = 1.0
_PAUSE_SECONDS = 5.0
_REASON = "given_up_by_queue"
_DETAIL = "it was lent out again and again and never acknowledged: look for what stopped the workers, then replay"


async def move_dead_parcels(pool: Pool, reader: QueueReader, stop: asyncio.Event) -> None:
    """Works until `stop`; a broker or database that is away is waited for."""
    reminder = Reminder()
    while not stop.is_set():
        leases: list[Lease] = []
        try:
            leases = await reader.take(max_parcels=_PARCELS_AT_ONCE, max_wait_seconds=_WAIT_SECONDS)
            while leases:
                deliveries = dead_deliveries(leases[0].parcel, now=datetime.now(UTC))
                with store_errors("moving dead letters"):
                    await _store(pool, deliveries)
                await reader.acknowledge([leases.pop(0)])
                report_set_aside(deliveries)
            reminder.over()
        except TryAgainLater as error:
            # The broker would else keep them lent to us, unseen, for as long as this connection lives.
            await reader.give_back(leases)
            if reminder.due(type(error).__name__):
                _log.warning("task.failed", task="dead_mover", reason=str(error), wait_seconds=_PAUSE_SECONDS)
            await pause(stop, _PAUSE_SECONDS)


def dead_deliveries(parcel: bytes, *, now: datetime) -> list[SetAsideDelivery]:
    """The parcel's envelopes, each as a delivery to set aside; bytes that are none are kept as they are."""
    try:
        blobs = decode_parcel(parcel)
    except msgspec.MsgspecError as error:
        return [unreadable(parcel, f"{_DETAIL}; and it is no parcel of ours: {error}", now=now, reason=_REASON)]
    deliveries = []
    for blob in blobs:
        try:
            deliveries.append(SetAsideDelivery(envelope=decode_envelope(blob), reason=_REASON, detail=_DETAIL))
        except msgspec.MsgspecError as error:
            deliveries.append(
                unreadable(blob, f"{_DETAIL}; and it is no envelope of ours: {error}", now=now, reason=_REASON)
            )
    return deliveries


async def _store(pool: Pool, deliveries: list[SetAsideDelivery]) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await put_aside(connection, deliveries, at=datetime.now(UTC))
