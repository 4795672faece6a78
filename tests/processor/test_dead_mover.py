"""What the broker gave up moves into dead_letters; what cannot be moved now stays with the broker, unhurt."""

import asyncio

import aio_pika
import pytest

from schemas.queue_topology import DEAD_EXCHANGE
from tests.waiting import until
from worker.processor.dead_mover import move_dead_parcels
from worker.queue.rabbitmq import RabbitMQReader
from worker.store.pool import Pool, open_pool

# From RabbitMQ 4.0 on, a queue without a limit of its own drops what was lent more than twenty times.
_DEFAULT_LIMIT_OF_RABBITMQ_4 = 20


async def _put_dead(rabbitmq_url: str, parcel: bytes) -> None:
    async with await aio_pika.connect(rabbitmq_url) as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(DEAD_EXCHANGE)
        message = aio_pika.Message(parcel, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await exchange.publish(message, routing_key="")


async def test_a_dead_parcel_that_cannot_be_stored_goes_back_to_the_broker_and_is_moved_later(
    rabbitmq_url: str, database_dsn: str, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = await RabbitMQReader.open_dead(rabbitmq_url)
    await _put_dead(rabbitmq_url, b"no parcel at all")
    away = await open_pool(database_dsn, connections=2, command_timeout_seconds=5, idle_connections=0)
    away.terminate()

    stop = asyncio.Event()
    mover = asyncio.create_task(move_dead_parcels(away, reader, stop))
    await until(lambda: "task.failed" in capsys.readouterr().err, "the line that tells of the failure")
    stop.set()
    await mover
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0

    # The same reader, on the same connection: nothing but giving it back lets the broker lend it again.
    stop = asyncio.Event()
    mover = asyncio.create_task(move_dead_parcels(pool, reader, stop))
    await until(lambda: pool.fetchval("SELECT count(*) FROM dead_letters"), "the dead letter")
    stop.set()
    await mover
    await reader.close()


async def test_a_dead_parcel_is_never_dropped_however_often_it_is_lent(rabbitmq_url: str) -> None:
    reader = await RabbitMQReader.open_dead(rabbitmq_url)
    await _put_dead(rabbitmq_url, b"kept")
    for _ in range(_DEFAULT_LIMIT_OF_RABBITMQ_4 + 5):
        [lease] = await reader.take(max_parcels=1, max_wait_seconds=5)
        await reader.give_back([lease])
    [lease] = await reader.take(max_parcels=1, max_wait_seconds=5)
    assert lease.parcel == b"kept"
    await reader.close()
