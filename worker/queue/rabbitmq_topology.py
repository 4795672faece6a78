"""Declares the broker's objects of schemas/queue_topology.py, each as often as one likes."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiormq import Channel
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed

from schemas.queue_topology import (
    CHANGES_QUEUE_ARGUMENTS,
    CONTACTS_EXCHANGE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    DEAD_QUEUE_ARGUMENTS,
    EVERY_STATUS,
    PARCEL_ROUTING_KEY,
    PARCELS_QUEUE,
    PARCELS_QUEUE_ARGUMENTS,
    WEBHOOKS_EXCHANGE,
)
from worker.errors import ImpossibleSetting

# A node writes down the names of new quorum queues a moment later than it confirms their first messages
# (Ra's directory, a dets table): killed in between, it comes back with an empty queue that never elects a
# leader. Measured on 3.10: 0.7 seconds are too few, 1.2 enough. See rabbitmq-server issue 15725.
_NEWBORN_SECONDS = 2.0


async def declare_webhooks(channel: Channel) -> None:
    """The way of the webhooks and of the dead ones exists when this returns, and outlives a crash.

    Raises ImpossibleSetting when something of that name exists with other properties, or the user may not
    declare it.
    """
    existed = await _exists(channel, DEAD_QUEUE) and await _exists(channel, PARCELS_QUEUE)
    with _remedies("exchange", DEAD_EXCHANGE):
        await channel.exchange_declare(DEAD_EXCHANGE, exchange_type="fanout", durable=True)
    with _remedies("queue", DEAD_QUEUE):
        await channel.queue_declare(DEAD_QUEUE, durable=True, arguments=dict(DEAD_QUEUE_ARGUMENTS))
        await channel.queue_bind(DEAD_QUEUE, DEAD_EXCHANGE)
    with _remedies("exchange", WEBHOOKS_EXCHANGE):
        await channel.exchange_declare(WEBHOOKS_EXCHANGE, exchange_type="direct", durable=True)
    with _remedies("queue", PARCELS_QUEUE):
        await channel.queue_declare(PARCELS_QUEUE, durable=True, arguments=dict(PARCELS_QUEUE_ARGUMENTS))
        await channel.queue_bind(PARCELS_QUEUE, WEBHOOKS_EXCHANGE, PARCEL_ROUTING_KEY)
    if not existed:
        await asyncio.sleep(_NEWBORN_SECONDS)


async def declare_contacts(channel: Channel, queues: Sequence[str] = ()) -> None:
    """The exchange for the sending applications exists when this returns, and each of `queues` takes every change.

    Raises as declare_webhooks does.
    """
    with _remedies("exchange", CONTACTS_EXCHANGE):
        await channel.exchange_declare(CONTACTS_EXCHANGE, exchange_type="topic", durable=True)
    for queue in queues:
        with _remedies("queue", queue):
            await channel.queue_declare(queue, durable=True, arguments=dict(CHANGES_QUEUE_ARGUMENTS))
            await channel.queue_bind(queue, CONTACTS_EXCHANGE, EVERY_STATUS)


async def _exists(channel: Channel, queue: str) -> bool:
    # On a channel of its own, which the broker closes when the answer is no.
    asking = await channel.connection.channel(publisher_confirms=False)
    try:
        await asking.queue_declare(queue, passive=True)
    except ChannelNotFoundEntity:
        return False
    await asking.close()
    return True


@contextmanager
def _remedies(what: str, name: str) -> Iterator[None]:
    try:
        yield
    except ChannelPreconditionFailed as error:
        remedy = (
            f"let it run empty, remove it with `rabbitmqctl delete_queue {name}`"
            if what == "queue"
            else "remove it in RabbitMQ's management page"
        )
        raise ImpossibleSetting(
            f"The {what} {name} exists in RabbitMQ with other properties than this version needs ({error}): "
            f"{remedy} and start this again; it is then made anew. A policy of the broker does not matter here."
        ) from error
    except ChannelAccessRefused as error:
        raise ImpossibleSetting(
            f"RabbitMQ does not let us declare the {what} {name} ({error}): give this user the permissions "
            '`configure`, `write` and `read` for names that match "bouncekeeper.*".'
        ) from error
