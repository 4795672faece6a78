"""The queue that the settings name, for the length of one command."""

from worker.queue.port import QueueReader, QueueWriter
from worker.settings.tree import Settings


async def opened_writer(settings: Settings) -> QueueWriter:
    """A writer, ready or connecting by itself. Raises ImpossibleSetting when the queue refuses us."""
    if settings.queue.adapter == "rabbitmq" and settings.queue.url is not None:
        from worker.queue.rabbitmq import RabbitMQWriter  # noqa: PLC0415 - only the adapter that is used

        return await RabbitMQWriter.open(
            settings.queue.url.reveal(), confirm_timeout_seconds=settings.queue.confirm_timeout_seconds
        )
    from worker.queue.postgres import PostgresWriter  # noqa: PLC0415 - only the adapter that is used

    return await PostgresWriter.open(settings.postgres.url.reveal(), connections=1)


async def opened_reader(settings: Settings) -> QueueReader:
    """A reader, to ask how much waits; it takes nothing until asked. Raises ImpossibleSetting."""
    if settings.queue.adapter == "rabbitmq" and settings.queue.url is not None:
        from worker.queue.rabbitmq import RabbitMQReader  # noqa: PLC0415 - only the adapter that is used

        return await RabbitMQReader.open(settings.queue.url.reveal(), prefetch=1)
    from worker.queue.postgres import PostgresReader  # noqa: PLC0415 - only the adapter that is used

    return await PostgresReader.open(settings.postgres.url.reveal())
