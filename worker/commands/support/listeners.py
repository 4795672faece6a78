"""Where receiver and API listen: whether the ports are free, whether they accept connections, how to reach them."""

import asyncio

from worker.errors import ImpossibleSetting
from worker.local_services.process import listens
from worker.settings.tree import Settings

_READY_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 0.05


async def require_free_ports(settings: Settings) -> None:
    """Raises ImpossibleSetting if a port is taken: on Linux two receivers would share it unnoticed."""
    for section, host, port in (
        ("receiver", settings.receiver.host, settings.receiver.port),
        ("api", settings.api.host, settings.api.port),
    ):
        if await listens(port, reachable_host(host)):
            raise ImpossibleSetting(
                f"another program listens on {host}, port {port}: end it, or choose another port with --{section}-port"
            )


async def wait_until_listening(settings: Settings) -> None:
    """Returns once receiver and API accept connections, or after half a minute."""
    await asyncio.gather(
        _wait_for_port(settings.receiver.host, settings.receiver.port),
        _wait_for_port(settings.api.host, settings.api.port),
    )


async def _wait_for_port(host: str, port: int) -> bool:
    deadline = asyncio.get_running_loop().time() + _READY_TIMEOUT_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if await listens(port, reachable_host(host)):
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False


def reachable_host(host: str) -> str:
    """The host by which this machine reaches a port that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound


def receiver_url(settings: Settings) -> str:
    """Where a receiver is found from here."""
    return _url(settings.receiver.reached_at, settings.receiver.host, settings.receiver.port)


def api_url(settings: Settings) -> str:
    """Where the API is found from here."""
    return _url(settings.api.reached_at, settings.api.host, settings.api.port)


def _url(reached_at: str, host: str, port: int) -> str:
    return reached_at.rstrip("/") or base_url(host, port)


def base_url(host: str, port: int) -> str:
    """`http://host:port`, for this machine."""
    name = reachable_host(host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
