"""A RabbitMQ that somebody else runs."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from worker.errors import ImpossibleSetting
from worker.local_services.rabbitmq import URL_VARIABLE


class GivenRabbitMQ:
    """A configured broker, which we use but never stop."""

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
