"""RabbitMQ for tests, drills and `make stack`: the one given, else one of our own on this machine."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import aio_pika
from aiormq.exceptions import AMQPError
from yarl import URL

from worker.errors import ImpossibleSetting, QueueUnavailable
from worker.local_services.debian_package import install_package

URL_VARIABLE = "BOUNCEKEEPER_QUEUE_URL"
# Errors of a broker that is away, is only just starting, or refuses us for now.
CONNECT_ERRORS = (AMQPError, OSError, TimeoutError, EOFError)

# What `rabbitmqctl eval` is given to play out a broker that runs out of memory.
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
    """A broker in use. Only an owned one can be stopped, killed and given virtual hosts."""

    @property
    def url(self) -> str:
        """Where it is, with user and password: `amqp://user:password@127.0.0.1:5672/`."""
        ...

    @property
    def owned(self) -> bool:
        """True when it was started by us."""
        ...

    async def create_virtual_hosts(self, names: Sequence[str]) -> list[str]:
        """Makes empty virtual hosts in one go and gives back their URLs."""
        ...

    async def stop(self) -> None:
        """Ends it in good order; the data stays for `restart`."""
        ...

    async def kill(self) -> None:
        """Ends it as a crash does."""
        ...

    async def restart(self) -> None:
        """The same broker with its data on the same port, stopped first when it runs."""
        ...

    async def pause(self) -> None:
        """Freezes it: connections stay open and nothing is answered, until `resume`."""
        ...

    async def resume(self) -> None:
        """Lets it go on after `pause`."""
        ...

    async def raise_memory_alarm(self) -> None:
        """Makes it block its publishers, as it does when it runs out of memory."""
        ...

    async def clear_memory_alarm(self) -> None:
        """Lets publishers go on."""
        ...

    async def close_connections(self, times: int, *, pause_seconds: float) -> None:
        """Closes the connections of all clients so many times, with a pause before each."""
        ...

    async def close(self) -> None:
        """Ends it for good. A broker that was given is left alone."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class GivenRabbitMQ:
    """Somebody else's broker: used, never stopped."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.owned = False

    async def create_virtual_hosts(self, names: Sequence[str]) -> list[str]:
        """Refused."""
        raise self._refusal(f"be given the virtual hosts {', '.join(names)}")

    async def stop(self) -> None:
        """Refused."""
        raise self._refusal("be stopped")

    async def kill(self) -> None:
        """Refused."""
        raise self._refusal("be killed")

    async def restart(self) -> None:
        """Refused."""
        raise self._refusal("be restarted")

    async def pause(self) -> None:
        """Refused."""
        raise self._refusal("be paused")

    async def resume(self) -> None:
        """Refused."""
        raise self._refusal("be resumed")

    async def raise_memory_alarm(self) -> None:
        """Refused."""
        raise self._refusal("be blocked")

    async def clear_memory_alarm(self) -> None:
        """Refused."""
        raise self._refusal("be unblocked")

    async def close_connections(self, times: int, *, pause_seconds: float) -> None:
        """Refused."""
        del pause_seconds
        raise self._refusal(f"close its connections {times} times")

    async def close(self) -> None:
        """Leaves it alone."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _refusal(self, what: str) -> ImpossibleSetting:
        return ImpossibleSetting(f"The RabbitMQ of {URL_VARIABLE} is not ours to {what}: unset {URL_VARIABLE}.")


async def start_rabbitmq(
    data_directory: Path, *, url: str | None = None, port: int | None = None, own: bool = False
) -> RabbitMQ:
    """The broker to use, ready for connections.

    In this order: `url`, or the environment's BOUNCEKEEPER_QUEUE_URL (neither when it must be our own, to be
    stopped and killed); a node of our own from the binaries on this machine; a container, where a Docker
    engine runs; Debian's package, installed with apt-get where we are root. Raises ImpossibleSetting, which
    says what to install, when there is none of these.
    """
    from worker.local_services.rabbitmq_container import (  # noqa: PLC0415 - both of these import this file
        RabbitMQContainer,
        docker_runs,
    )
    from worker.local_services.rabbitmq_node import RabbitMQNode, find_server  # noqa: PLC0415

    given = None if own else url or os.environ.get(URL_VARIABLE)
    if given:
        await wait_until_ready(given, timeout_seconds=10)
        return GivenRabbitMQ(given)
    if server := find_server():
        return await RabbitMQNode.start(data_directory, server=server, port=port)
    if await asyncio.to_thread(docker_runs):
        return await RabbitMQContainer.start(port=port)
    await asyncio.to_thread(install_package, "rabbitmq-server", otherwise=f", or start Docker, or set {URL_VARIABLE}")
    if server := find_server():
        return await RabbitMQNode.start(data_directory, server=server, port=port)
    raise ImpossibleSetting(
        "There is no RabbitMQ: install rabbitmq-server (Debian, Ubuntu: `apt-get install rabbitmq-server`; "
        f"macOS: `brew install rabbitmq`), or start Docker, or set {URL_VARIABLE}."
    )


async def wait_until_ready(url: str, *, timeout_seconds: float) -> None:
    """Returns once an AMQP connection has been opened; raises QueueUnavailable when none could be."""
    deadline = time.monotonic() + timeout_seconds
    parts = URL(url)
    while True:
        connection = aio_pika.Connection(parts)
        try:
            # First without the library, which complains aloud of every attempt.
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
    """The URL as it may be shown."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
