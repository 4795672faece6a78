"""What the processor tells of its queues: how much waits, and how old it is."""

from prometheus_client import REGISTRY

from schemas.lane import Lane
from worker.local_services.process import free_port
from worker.process import metrics
from worker.processor.service import depth_gauge
from worker.queue.postgres import PostgresReader, PostgresWriter


def age_seconds() -> float | None:
    return REGISTRY.get_sample_value("bouncekeeper_oldest_age_seconds")


async def test_the_age_of_the_last_batch_does_not_outlive_the_backlog(
    postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    """Processors are added and removed by it, and an alert hangs on it."""
    waiting: dict[str, int | None] = {"postgres": 1, "rabbitmq": 0}
    measure = depth_gauge("postgres", postgres_reader, None, waiting)
    await postgres_writer.put(b"parcel", Lane(source="shop"))
    metrics.OLDEST_AGE_SECONDS.set(600)

    await measure()
    assert (waiting["postgres"], age_seconds()) == (1, 600)

    await postgres_reader.acknowledge(await postgres_reader.take(max_parcels=1, max_wait_seconds=10))
    waiting["rabbitmq"] = 3
    await measure()
    assert (waiting["postgres"], age_seconds()) == (0, 600)

    waiting["rabbitmq"] = 0
    await measure()
    assert age_seconds() == 0


async def test_what_waits_in_a_queue_that_is_away_is_unknown() -> None:
    reader = await PostgresReader.open(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    waiting: dict[str, int | None] = {"postgres": 3}
    metrics.OLDEST_AGE_SECONDS.set(600)
    await depth_gauge("postgres", reader, None, waiting)()
    await reader.close()
    assert (waiting, age_seconds()) == ({"postgres": None}, 600)
