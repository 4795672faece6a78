"""Opens the readers and writers of the queue that the settings name. Only this module knows which one that is."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from msgspec import Struct

from worker.errors import ImpossibleSetting
from worker.process import metrics
from worker.queue.parking import ParkingWriter
from worker.queue.port import LaneReader, QueueReader, QueueWriter
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.settings.tree import QueueSettings, Settings

if TYPE_CHECKING:
    from worker.queue.topic_publisher import TopicPublisher  # imports the broker's library


class OpenQueues(Struct, frozen=True, kw_only=True):
    """The readers and the publisher of a processor."""

    readers: dict[str, QueueReader]  # by the name of the broker
    lane_readers: list[LaneReader]  # those of the readers that must be told of lanes
    dead_readers: list[QueueReader]  # of parcels that a broker gave up
    publisher: "TopicPublisher | None"  # announces changes of status; None without a broker that has exchanges


def broker_url(queue: QueueSettings) -> str | None:
    """The URL of the configured RabbitMQ, with its password; None if Postgres is the queue.

    Raises ImpossibleSetting if RabbitMQ is configured without a URL.
    """
    if queue.adapter != "rabbitmq":
        return None
    if queue.url is None:
        raise ImpossibleSetting('queue.adapter is "rabbitmq", but queue.url is not set: give it as amqp://…')
    return queue.url.reveal()


async def open_writer(
    settings: Settings, *, postgres_connections: int = 1, ends_when_refused: bool = False
) -> QueueWriter:
    """A writer to the queue, ready or connecting by itself. With RabbitMQ it parks parcels in Postgres.

    Raises ImpossibleSetting if the broker refuses us. If Postgres does, a put raises QueueUnavailable, because a
    process goes on and waits; with `ends_when_refused`, for commands, ImpossibleSetting.
    """
    url = broker_url(settings.queue)
    postgres = await PostgresWriter.open(
        settings.postgres.url.reveal(), connections=postgres_connections, ends_when_refused=ends_when_refused
    )
    metrics.QUEUE_AVAILABLE.labels("postgres").set_function(lambda: float(postgres.available()))
    if url is None:
        return postgres
    from worker.queue.rabbitmq import RabbitMQWriter  # noqa: PLC0415 - only the adapter that is used

    try:
        rabbitmq = await RabbitMQWriter.open(url, confirm_timeout_seconds=settings.queue.confirm_timeout_seconds)
    except BaseException:
        await postgres.close()
        raise
    metrics.QUEUE_AVAILABLE.labels("rabbitmq").set_function(lambda: float(rabbitmq.available()))
    return ParkingWriter(rabbitmq, postgres, park_after_seconds=settings.queue.park_after_seconds)


async def open_queues(settings: Settings, stack: AsyncExitStack) -> OpenQueues:
    """All queues that a processor drains: the broker and the parcels parked in Postgres. The stack closes them.

    Raises ImpossibleSetting if the broker refuses us.
    """
    readers: dict[str, QueueReader] = {"postgres": await PostgresReader.open(settings.postgres.url.reveal())}
    lane_readers: list[LaneReader] = []
    dead_readers: list[QueueReader] = []
    publisher = None
    if (url := broker_url(settings.queue)) is not None:
        from worker.queue.rabbitmq import RabbitMQReader  # noqa: PLC0415 - only the adapter that is used
        from worker.queue.topic_publisher import TopicPublisher  # noqa: PLC0415 - as above

        reader = await RabbitMQReader.open(url, prefetch=settings.queue.prefetch_parcels)
        readers["rabbitmq"] = reader
        lane_readers.append(reader)
        dead_readers.append(await RabbitMQReader.open_dead(url))
        publisher = await TopicPublisher.open(
            url,
            confirm_timeout_seconds=settings.queue.confirm_timeout_seconds,
            queues=settings.queue.changes_queues,
        )
        stack.push_async_callback(publisher.close)
    for opened in (*readers.values(), *dead_readers):
        stack.push_async_callback(opened.close)
    return OpenQueues(readers=readers, lane_readers=lane_readers, dead_readers=dead_readers, publisher=publisher)


async def open_depth_reader(settings: Settings) -> QueueReader:
    """A reader to measure the queue; it takes parcels only if asked. Raises ImpossibleSetting."""
    url = broker_url(settings.queue)
    if url is None:
        return await PostgresReader.open(settings.postgres.url.reveal())
    from worker.queue.rabbitmq import RabbitMQReader  # noqa: PLC0415 - only the adapter that is used

    return await RabbitMQReader.open(url, prefetch=1)
