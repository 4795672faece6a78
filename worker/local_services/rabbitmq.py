"""RabbitMQ for tests, drills and `make stack`: a configured one, else one that we start on this machine."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

import aio_pika
from aiormq.exceptions import AMQPError
from yarl import URL

from worker.errors import QueueUnavailable

URL_VARIABLE = "BOUNCEKEEPER_QUEUE_URL"
# Errors of a broker that is away, is starting, or refuses us for now.
CONNECT_ERRORS = (AMQPError, OSError, TimeoutError, EOFError)

# With these, `rabbitmqctl eval` makes a broker behave as if it ran out of memory.
RAISE_MEMORY_ALARM = "rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []})."
CLEAR_MEMORY_ALARM = "rabbit_alarm:clear_alarm({resource_limit, memory, node()})."


def close_connections_expression(times: int, pause_seconds: float) -> str:
    """The same for one that closes the connections of all clients again and again, whenever there are any."""
    return (
        f"Close = fun Again(0) -> ok; Again(Left) -> timer:sleep({round(pause_seconds * 1000)}), "
        "case rabbit_networking:connections() of [] -> Again(Left); Pids -> "
        '[catch rabbit_networking:close_connection(Pid, "on purpose") || Pid <- Pids], Again(Left - 1) end end, '
        f"Close({times})."
    )


class RabbitMQ(Protocol):
    """A broker in use. Only an owned one can be stopped, be killed and get virtual hosts."""

    @property
    def url(self) -> str:
        """Its URL with user and password: `amqp://user:password@127.0.0.1:5672/`."""
        ...

    @property
    def owned(self) -> bool:
        """True if we started it."""
        ...

    async def create_virtual_hosts(self, names: Sequence[str]) -> list[str]:
        """Makes empty virtual hosts in one step and returns their URLs."""
        ...

    async def stop(self) -> None:
        """Ends it in order; the data stay for `restart`."""
        ...

    async def kill(self) -> None:
        """Ends it like a crash."""
        ...

    async def restart(self) -> None:
        """Starts the same broker with its data on the same port; stops it first if it runs."""
        ...

    async def pause(self) -> None:
        """Freezes it: connections stay open, but it does not answer until `resume`."""
        ...

    async def resume(self) -> None:
        """Lets it go on after `pause`."""
        ...

    async def raise_memory_alarm(self) -> None:
        """Makes it block publishers, as if it ran out of memory."""
        ...

    async def clear_memory_alarm(self) -> None:
        """Lets publishers go on."""
        ...

    async def close_connections(self, times: int, *, pause_seconds: float) -> None:
        """Closes the connections of all clients so many times, with a pause before each."""
        ...

    async def close(self) -> None:
        """Ends it for good, if it is ours."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


async def wait_until_ready(url: str, *, timeout_seconds: float) -> None:
    """Returns once an AMQP connection opens. Raises QueueUnavailable if none opens in time."""
    deadline = time.monotonic() + timeout_seconds
    parts = URL(url)
    while True:
        connection = aio_pika.Connection(parts)
        try:
            # First without the library, which logs every failed attempt.
            _, probe = await asyncio.open_connection(parts.host, parts.port or 5672)
            probe.close()
            await connection.connect(timeout=5)
        except CONNECT_ERRORS as error:
            if time.monotonic() > deadline:
                raise QueueUnavailable(
                    f"RabbitMQ does not answer at {without_password(url)} ({error!r}): is it running?"
                ) from error
            await asyncio.sleep(0.1)
        else:
            return
        finally:
            await connection.close()


def without_password(url: str) -> str:
    """The URL without user and password, for messages."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
