"""One connection to RabbitMQ with one channel. If it is lost, it is opened again.

aio-pika's own robust connection is not used: it restores consumers unseen, and then the acknowledgement of an earlier
delivery tag settles another message. Here every new connection is a new start, and its user is notified.
"""

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

import aio_pika
from aio_pika.abc import AbstractConnection
from aiormq import Channel
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ConnectionNotAllowed,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from yarl import URL

from worker.errors import ImpossibleSetting, QueueUnavailable, StopTheProcess
from worker.process.backoff import Backoff
from worker.process.logs import Reminder, get_logger

log = get_logger()

# `broker.lost` logs the library's complaints once, with the remedy.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)
logging.getLogger("aio_pika").setLevel(logging.CRITICAL)

# Errors of the library that mean "not now". The RuntimeErrors say "closed".
_AWAY_ERRORS = (AMQPError, RuntimeError, OSError, TimeoutError, EOFError)
_REFUSALS = (AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed)

_CONNECT_TIMEOUT_SECONDS = 10.0
_HEARTBEAT_SECONDS = 10  # the connection is dropped after three missing heartbeats
_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 2.0

Prepare = Callable[[Channel], Awaitable[None]]


class BrokerConnection:
    """Keeps a prepared channel open. `role` is the connection's name in logs and in the broker's list."""

    def __init__(self, url: str, *, role: str, prepare: Prepare, on_lost: Callable[[], None] | None = None) -> None:
        self._url = URL(url)
        self.address = str(self._url.with_user(None).with_query(None))  # as it may be shown
        self._role = role
        self._prepare = prepare
        self._on_lost = on_lost
        self._connection: AbstractConnection | None = None
        self._channel: Channel | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost_reason = self._away("not connected yet")
        self._reminder = Reminder()
        self._generation = 0
        self._keeper: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        """Returns once the channel is ready, or once the first attempt has failed; more attempts then follow.

        Raises ImpossibleSetting if the broker answers but refuses us: a person must act.
        """
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep(first), name=f"rabbitmq {self._role}")
        try:
            await first
        except BaseException:
            await self.close()
            raise

    @property
    def channel(self) -> Channel:
        """The open channel. Raises QueueUnavailable while there is none."""
        if self._channel is None or self._channel.is_closed:
            raise QueueUnavailable(self._lost_reason)
        return self._channel

    def up(self) -> bool:
        """True while the channel is open."""
        return self._channel is not None and not self._channel.is_closed

    def blocked(self) -> bool:
        """True while the broker blocks publishers because it is short of memory or disk."""
        connection = self._connection
        if connection is None or connection.transport is None:
            return False
        # The library only offers to wait for it. A single step of that wait answers without waiting.
        waiting = connection.transport.connection.ready()
        try:
            waiting.send(None)
        except StopIteration:
            return False
        waiting.close()
        return True

    def give_up(self, reason: str) -> None:
        """Drops the connection. A new one is opened, and everything is declared again."""
        self._lose(reason)

    async def close(self) -> None:
        """Closes the channel and the connection for good."""
        # The library swallows a cancellation while it closes a channel; the keeper then goes on.
        self._closing = True
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self, first: asyncio.Future[None]) -> None:
        backoff = Backoff(first_seconds=_FIRST_WAIT_SECONDS, longest_seconds=_LONGEST_WAIT_SECONDS)
        while not self._closing:
            try:
                await self._connect()
            except StopTheProcess as error:
                if not first.done():
                    first.set_exception(error)
                    return
                self._tell_away("broker.misconfigured", str(error), backoff.seconds)
            except QueueUnavailable as error:
                self._tell_away("broker.lost", self._away(repr(error.__cause__ or error)), backoff.seconds)
            else:
                backoff.succeeded()
                self._reminder.over()
                log.info("broker.connected", role=self._role, address=self.address)
                if not first.done():
                    first.set_result(None)
                await self._until_lost()
                if self._closing:
                    return
                self._tell_away("broker.lost", self._lost_reason, backoff.seconds)
            if not first.done():
                first.set_result(None)
            # Randomised, so that receivers do not all come back at the same moment.
            await asyncio.sleep(backoff.failed() * random.uniform(0.5, 1.0))  # noqa: S311 - no secret

    async def _connect(self) -> None:
        self._generation += 1
        self._lost.clear()
        connection: AbstractConnection | None = None
        try:
            with lost_means_unavailable(self.address):
                async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                    connection = await self._open_connection()
                    channel = await self._open_channel(connection)
                    await self._prepare(channel)
        except BaseException:
            if connection is not None:
                await _close_quietly(connection)
            raise
        self._connection, self._channel = connection, channel
        self._up.set()

    async def _open_connection(self) -> AbstractConnection:
        # Not aio_pika.connect, which does not close a connection that it could not open.
        connection = aio_pika.Connection(
            self._url.update_query({"heartbeat": str(_HEARTBEAT_SECONDS), **self._url.query}),
            client_properties={"connection_name": f"bouncekeeper {self._role} {os.getpid()}"},
        )
        try:
            await self._connect_or_explain(connection)
        except BaseException:
            await _close_quietly(connection)
            raise
        return connection

    async def _connect_or_explain(self, connection: AbstractConnection) -> None:
        try:
            await connection.connect()
        except InvalidFrameError as error:
            # The library does not expect Connection.Close here, which means that the virtual host does not exist.
            if "OpenOk" not in str(error):
                raise
            raise ImpossibleSetting(
                f"RabbitMQ at {self.address} closes the connection when its virtual host is named: check that the "
                "virtual host exists and that this user may use it"
            ) from error
        except _REFUSALS as error:
            raise ImpossibleSetting(
                f"RabbitMQ at {self.address} refuses us ({error}): check user, password and virtual host "
                "of the queue's URL."
            ) from error

    async def _open_channel(self, connection: AbstractConnection) -> Channel:
        opened = await connection.channel(publisher_confirms=True, on_return_raises=True)
        generation = self._generation

        def lose(reason: str) -> None:
            if generation == self._generation:  # ignore late news about an older connection
                self._lose(reason)

        connection.close_callbacks.add(lambda _sender, error: lose(repr(error)))
        opened.close_callbacks.add(lambda _sender, error: lose(repr(error)))
        channel = cast("Channel", await opened.get_underlay_channel())
        channel.on_consumer_cancel_callbacks.add(lambda _frame: lose("the broker cancelled the consumer"))
        return channel

    def _lose(self, reason: str) -> None:
        if not self._lost.is_set():
            self._lost_reason = self._away(reason)
            self._lost.set()
            if self._up.is_set():
                self._up.clear()
                self._channel = None
                if self._on_lost is not None:
                    self._on_lost()

    async def _until_lost(self) -> None:
        try:
            if not self._closing:
                await self._lost.wait()
        finally:
            connection, self._connection, self._channel = self._connection, None, None
            self._up.clear()
            if connection is not None:
                await _close_quietly(connection)

    def _away(self, cause: str) -> str:
        return f"RabbitMQ at {self.address} is away ({cause}): start it, or check queue.url."

    def _tell_away(self, event: str, reason: str, wait_seconds: float) -> None:
        self._lost_reason = reason
        if not self._reminder.due(event):
            return
        tell = log.error if event == "broker.misconfigured" else log.warning
        tell(event, role=self._role, reason=reason, wait_seconds=wait_seconds)


@contextlib.contextmanager
def lost_means_unavailable(address: str) -> Iterator[None]:
    """Turns the library's errors while the broker is away into QueueUnavailable."""
    try:
        yield
    except _AWAY_ERRORS as error:
        raise _unavailable(address, error) from error
    except asyncio.CancelledError as error:
        # The library cancels tasks that wait on a closed connection; only our own cancellations are passed on.
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 0:
            raise
        raise _unavailable(address, error) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        # If a connection ends without an error, the library raises a bare Exception in everything that waits for it.
        raise _unavailable(address, error) from error


def _unavailable(address: str, error: BaseException) -> QueueUnavailable:
    return QueueUnavailable(f"RabbitMQ at {address} did not answer or closed the connection: {error!r}")


async def _close_quietly(connection: AbstractConnection) -> None:
    try:
        with contextlib.suppress(QueueUnavailable), lost_means_unavailable(""):
            async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
                await connection.close()
    finally:
        # One that could not be closed in time counts as open to the library, which begins to close it again when its
        # memory is freed, perhaps where no loop runs. It has let go of its transport by now: this does not wait.
        await connection.close()
