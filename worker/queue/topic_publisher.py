"""Publishes status changes to the exchange to which applications bind their queues."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self, cast

from aiormq import Channel
from aiormq.abc import ChannelFrame

from schemas.queue_topology import CONTACTS_EXCHANGE
from schemas.trace_context import TraceContext
from worker.errors import QueueUnavailable
from worker.queue.amqp_frames import message_frames
from worker.queue.rabbitmq import DEFAULT_CONFIRM_TIMEOUT_SECONDS
from worker.queue.rabbitmq_connection import BrokerConnection, lost_means_unavailable
from worker.queue.rabbitmq_topology import declare_contacts


class TopicPublisher:
    """Publishes many messages, then waits for all their confirms together."""

    def __init__(
        self, url: str, *, confirm_timeout_seconds: float = DEFAULT_CONFIRM_TIMEOUT_SECONDS, queues: Sequence[str] = ()
    ) -> None:
        self._confirm_timeout_seconds = confirm_timeout_seconds
        self._connection = BrokerConnection(url, role="relay", prepare=partial(declare_contacts, queues=queues))

    @classmethod
    async def open(
        cls, url: str, *, confirm_timeout_seconds: float = DEFAULT_CONFIRM_TIMEOUT_SECONDS, queues: Sequence[str] = ()
    ) -> Self:
        """The publisher, connected, or connecting by itself. Raises the same as RabbitMQWriter.open.

        Each of `queues` is declared and receives every change.
        """
        publisher = cls(url, confirm_timeout_seconds=confirm_timeout_seconds, queues=queues)
        await publisher._connection.open()
        return publisher

    async def publish_many(
        self, messages: Sequence[tuple[str, str, bytes]], *, traces: Mapping[str, TraceContext] | None = None
    ) -> None:
        """All messages (routing key, message id, JSON body) are confirmed when this returns, with or without listeners.

        `traces` are the spans of those that are traced, by message id: their headers go with the message.
        Raises QueueUnavailable if one was not confirmed: then publish all again; listeners recognise duplicates by
        their ids.
        """
        connection = self._connection
        channel = connection.channel
        if connection.blocked():
            raise QueueUnavailable(
                f"RabbitMQ at {connection.address} blocks publishers: it is short of memory or disk."
            )
        if not messages:
            return
        with lost_means_unavailable(connection.address):
            async with channel.lock:
                confirms = _send(channel, messages, traces or {})
            while True:
                waiting = confirms.waiting
                try:
                    async with asyncio.timeout(self._confirm_timeout_seconds):
                        await asyncio.shield(confirms.all)
                except TimeoutError:
                    # A slow broker gets more time as long as it confirms any message.
                    if confirms.waiting == waiting:
                        raise
                else:
                    return

    def available(self) -> bool:
        """False while the broker is away or blocks its publishers."""
        return self._connection.up() and not self._connection.blocked()

    async def close(self) -> None:
        """Closes the connection."""
        await self._connection.close()


class _Confirms:
    """The confirms of many messages, in place of the library's one future per message."""

    def __init__(self, everything: "asyncio.Future[None]", count: int) -> None:
        self.all = everything  # fails when the channel is closed
        self.waiting = count

    def done(self) -> bool:
        """Always false: the library asks this before it sets the result of each message."""
        return False

    def set_result(self, _: object) -> None:
        """The broker has confirmed a message."""
        self.waiting -= 1
        if not self.waiting and not self.all.done():
            self.all.set_result(None)

    def set_exception(self, error: BaseException) -> None:
        """The broker has refused a message."""
        if not self.all.done():
            self.all.set_exception(error)


def _send(
    channel: Channel, messages: Sequence[tuple[str, str, bytes]], traces: Mapping[str, TraceContext]
) -> _Confirms:
    """Writes all messages at once. The caller holds the channel's lock, so that tags and messages stay in step."""
    payload = b"".join(
        message_frames(
            body,
            exchange=CONTACTS_EXCHANGE,
            routing_key=routing_key,
            message_id=message_id,
            channel=channel.number,
            max_frame_bytes=channel.connection.connection_tune.frame_max,
            headers=traces[message_id].headers if message_id in traces else None,
        )
        for routing_key, message_id, body in messages
    )
    confirms = _Confirms(channel.create_future(), len(messages))
    channel.write_queue.put_nowait(ChannelFrame(payload=payload, should_close=False))
    first = channel.delivery_tag + 1
    channel.delivery_tag += len(messages)
    tags = range(first, first + len(messages))
    channel.confirmations.update(dict.fromkeys(tags, cast("asyncio.Future[Any]", confirms)))
    return confirms
