"""A processor stays under 300 MB whatever waits for it: many large bodies of several sources, in either queue."""

import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from schemas.lane import Lane
from tests.benchmarks.servers import Server, our_command
from tests.waiting import pause, until
from worker.queue.postgres import PostgresWriter
from worker.queue.rabbitmq import RabbitMQReader, RabbitMQWriter
from worker.samples.registry import SAMPLE_SENDERS
from worker.settings.sources import write_source

NOW = datetime.now(UTC)
MOST_MIB = 300 * 1000 * 1000 / 1024 / 1024
LARGEST = 15 * 1024 * 1024
GROUP = 1024 * 1024
DONE = "SELECT count(*) FROM contacts WHERE status = 'blocklisted'"
STEADY_SECONDS = 4.0
DRAINED_SECONDS = 120.0
LANES = [Lane(source=name) for name in ("anna", "bert", "carla", "dora")]
Put = Callable[[bytes, Lane], Awaitable[None]]


def parcels() -> Iterator[tuple[Lane, bytes]]:
    """Of each source five bodies at the limit, then fifty of the size that webhooks share; an event in each."""
    number = 0
    for size, count in ((LARGEST, 5), (GROUP, 50)):
        for _ in range(count):
            for lane in LANES:
                number += 1
                event = b'{"email":"a%d@example.org","event":"bounce","type":"bounce","status":"5.1.1"}' % number
                # White space is what a vendor may send, and costs a processor nothing but to hold it.
                body = b"[" + event + b" " * (size - len(event) - 2) + b"]"
                envelope = Envelope(
                    delivery_id=new_delivery_id(),
                    source=lane.source,
                    provider="sendgrid",
                    account="default",
                    received_at=NOW,
                    content_type="application/json",
                    headers={},
                    body=body,
                )
                yield lane, encode_parcel([encode_envelope(envelope)])


async def peak_of_a_processor(put: Put, *, dsn: str, queue_url: str, folder: Path) -> float:
    """MiB, when everything that was put is in effect."""
    count = 0
    for lane, parcel in parcels():
        await put(parcel, lane)
        count += 1
    config = folder / "bouncekeeper.toml"
    tables = "\n".join(write_source(SAMPLE_SENDERS["sendgrid"]().source(lane.source)) for lane in LANES)
    queue = f'adapter = "rabbitmq"\nurl = "{queue_url}"' if queue_url else 'adapter = "postgres"'
    config.touch(mode=0o600)
    config.write_text(
        f'data_directory = "{folder}/data"\n[postgres]\nurl = "{dsn}"\ncommand_timeout_seconds = 60\n'
        f"[queue]\n{queue}\n{tables}"
    )
    connection = await asyncpg.connect(dsn)
    processor = None
    try:
        # While nothing can be stored, the processor is lent as much as it will ever be.
        async with connection.transaction():
            await connection.execute("LOCK TABLE contacts IN EXCLUSIVE MODE")
            processor = await Server.start(
                "processor", our_command("processor", config), folder=folder, ready_text="process.started"
            )
            await until_it_grows_no_more(processor)

        async def is_drained() -> bool:
            return bool(await connection.fetchval(DONE) >= count)

        await until(is_drained, "the backlog to be drained", seconds=DRAINED_SECONDS, every_seconds=0.2)
        return processor.peak_memory_mib()
    finally:
        await connection.close()
        if processor is not None:
            await processor.stop()


async def until_it_grows_no_more(processor: Server) -> None:
    """Its memory has been the same for some seconds when this returns."""
    peak, since = 0.0, time.monotonic()
    while time.monotonic() - since < STEADY_SECONDS:
        await pause(0.1, "its memory is looked at ten times a second")
        if processor.peak_memory_mib() > peak:
            peak, since = processor.peak_memory_mib(), time.monotonic()


@pytest.mark.drill
@pytest.mark.slow
async def test_a_backlog_of_large_bodies_in_rabbitmq_is_lent_a_few_at_a_time(
    database_dsn: str, rabbitmq_url: str, tmp_path: Path
) -> None:
    reader = await RabbitMQReader.open(rabbitmq_url)
    await reader.follow(LANES)
    await reader.close()
    writer = await RabbitMQWriter.open(rabbitmq_url)
    peak = await peak_of_a_processor(writer.put, dsn=database_dsn, queue_url=rabbitmq_url, folder=tmp_path)
    await writer.close()
    print(peak)
    assert peak < MOST_MIB


@pytest.mark.drill
@pytest.mark.slow
async def test_a_backlog_of_large_bodies_in_postgres_is_lent_a_few_at_a_time(database_dsn: str, tmp_path: Path) -> None:
    writer = await PostgresWriter.open(database_dsn)
    peak = await peak_of_a_processor(writer.put, dsn=database_dsn, queue_url="", folder=tmp_path)
    await writer.close()
    print(peak)
    assert peak < MOST_MIB
