"""Declares the broker's objects of schemas/queue_topology.py. Declaring again is harmless."""

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

from aiormq import Channel
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed

from schemas.lane import Lane
from schemas.queue_topology import (
    CHANGES_QUEUE_ARGUMENTS,
    CONTACTS_EXCHANGE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    DEAD_QUEUE_ARGUMENTS,
    EVERY_STATUS,
    PARCELS_EXCHANGE,
    PARCELS_EXCHANGE_ARGUMENTS,
    PARCELS_QUEUE_ARGUMENTS,
    SHARED_EXCHANGE,
    SHARED_LANES,
    lane_queue,
)
from worker.errors import ImpossibleSetting

# A node saves the names of new quorum queues a moment after it confirms their first messages (Ra's directory, a dets
# table). If it is killed in between, it comes back with an empty queue that never elects a leader. Measured on 3.10:
# 0.7 seconds are too few, 1.2 are enough. See rabbitmq-server issue 15725.
_NEWBORN_SECONDS = 2.0


async def declare_webhooks(channel: Channel) -> None:
    """Declares the exchanges and queues for parcels and dead parcels. They outlive a crash.

    Raises ImpossibleSetting if one of them exists with other properties, or if the user may not declare it.
    """
    with _remedies("exchange", DEAD_EXCHANGE):
        await channel.exchange_declare(DEAD_EXCHANGE, exchange_type="fanout", durable=True)
    born = await _declare_queue(channel, DEAD_QUEUE, DEAD_QUEUE_ARGUMENTS)
    with _remedies("queue", DEAD_QUEUE):
        await channel.queue_bind(DEAD_QUEUE, DEAD_EXCHANGE)
    with _remedies("exchange", SHARED_EXCHANGE):
        await channel.exchange_declare(SHARED_EXCHANGE, exchange_type="topic", durable=True)
    for lane in SHARED_LANES:
        born |= await _declare_queue(channel, lane_queue(lane), PARCELS_QUEUE_ARGUMENTS)
        with _remedies("queue", lane_queue(lane)):
            await channel.queue_bind(lane_queue(lane), SHARED_EXCHANGE, f"{lane.name}.#")
    with _remedies("exchange", PARCELS_EXCHANGE):
        await channel.exchange_declare(
            PARCELS_EXCHANGE, exchange_type="direct", durable=True, arguments=dict(PARCELS_EXCHANGE_ARGUMENTS)
        )
    if born:
        await asyncio.sleep(_NEWBORN_SECONDS)


async def find_or_declare_webhooks(channel: Channel) -> None:
    """As declare_webhooks, for a user who may not declare: then everything must be there already.

    Raises ImpossibleSetting if it is not, or has other properties.
    """
    # A channel of its own, because the broker closes it if it refuses us.
    trying = cast("Channel", await channel.connection.channel(publisher_confirms=False))
    try:
        await declare_webhooks(trying)
    except ImpossibleSetting as error:
        if not isinstance(error.__cause__, ChannelAccessRefused):
            raise
        if not await _webhooks_exist(channel):
            raise ImpossibleSetting(
                f"RabbitMQ has no exchange {PARCELS_EXCHANGE} with its queues, and does not let this user declare "
                "them: start a processor first, which declares them, or give this user the permission `configure` for "
                'names that match "bouncekeeper.*".'
            ) from error
    else:
        await trying.close()


async def _webhooks_exist(channel: Channel) -> bool:
    if not all([await queue_exists(channel, queue) for queue in (DEAD_QUEUE, *map(lane_queue, SHARED_LANES))]):
        return False
    asking = await channel.connection.channel(publisher_confirms=False)
    try:
        await asking.exchange_declare(PARCELS_EXCHANGE, passive=True)
    except ChannelNotFoundEntity:
        return False
    await asking.close()
    return True


async def declare_lanes(channel: Channel, lanes: Collection[Lane]) -> None:
    """Declares a queue for each lane. Until then, parcels of a lane go to the shared queues.

    Raises the same as declare_webhooks.
    """
    born = [await _declare_queue(channel, lane_queue(lane), PARCELS_QUEUE_ARGUMENTS) for lane in lanes]
    if any(born):
        await asyncio.sleep(_NEWBORN_SECONDS)
    for lane in lanes:
        with _remedies("queue", lane_queue(lane)):
            await channel.queue_bind(lane_queue(lane), PARCELS_EXCHANGE, lane.name)


async def declare_contacts(channel: Channel, queues: Sequence[str] = ()) -> None:
    """Declares the exchange for sending applications, and `queues`, each of which receives every change.

    Raises the same as declare_webhooks.
    """
    with _remedies("exchange", CONTACTS_EXCHANGE):
        await channel.exchange_declare(CONTACTS_EXCHANGE, exchange_type="topic", durable=True)
    for queue in queues:
        with _remedies("queue", queue):
            await channel.queue_declare(queue, durable=True, arguments=dict(CHANGES_QUEUE_ARGUMENTS))
            await channel.queue_bind(queue, CONTACTS_EXCHANGE, EVERY_STATUS)


async def queue_exists(channel: Channel, queue: str) -> bool:
    """True if the broker has a queue of this name, whatever its properties."""
    # Uses a channel of its own, because the broker closes the channel if the queue does not exist.
    asking = await channel.connection.channel(publisher_confirms=False)
    try:
        await asking.queue_declare(queue, passive=True)
    except ChannelNotFoundEntity:
        return False
    await asking.close()
    return True


async def _declare_queue(channel: Channel, queue: str, arguments: Mapping[str, str | int]) -> bool:
    """True if the queue is new."""
    existed = await queue_exists(channel, queue)
    with _remedies("queue", queue):
        await channel.queue_declare(queue, durable=True, arguments=dict(arguments))
    return not existed


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
            f"RabbitMQ does not let us declare the {what} {name} ({error}): give this user its permissions with "
            "deploy/rabbitmq-permissions, or `configure`, `write` and `read` for names that match "
            '"bouncekeeper.*".'
        ) from error
