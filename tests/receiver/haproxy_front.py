"""The real HAProxy with the configuration that is shipped: only its ports and addresses are others."""

import asyncio
import re
import shutil
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.docs.pages import REPOSITORY
from tests.waiting import until
from worker.errors import ImpossibleSetting
from worker.local_services.debian_package import install_package
from worker.local_services.process import ServiceProcess, free_port, listens

SHIPPED = REPOSITORY / "deploy" / "front" / "haproxy.cfg"
_START_SECONDS = 20.0
_ENOUGH_CONNECTIONS = "256"  # the shipped figure wants more descriptors than a test may have


class HaproxyFront:
    """A front on a free port of 127.0.0.1 and ::1.

    It is before one receiver of this machine or, with `dns_port`, before all whose addresses the DNS there tells.
    """

    def __init__(self, process: ServiceProcess, port: int, health_port: int) -> None:
        self.port = port
        self.health_port = health_port
        self._process = process

    @classmethod
    async def start(
        cls,
        folder: Path,
        receiver_port: int,
        *,
        dns_port: int | None = None,
        connections_per_address: int | None = None,
        head_seconds: int | None = None,
    ) -> Self:
        """The front, ready for connections. Raises ImpossibleSetting if there is no HAProxy."""
        program = await asyncio.to_thread(find_haproxy)
        port, health_port = free_port(), free_port()
        replacements = [
            (r"maxconn 4096", f"maxconn {_ENOUGH_CONNECTIONS}"),
            (r"bind 0\.0\.0\.0:8025", f"bind 127.0.0.1:{port}"),
            (r"^    bind \[::\]:8025 v6only$", f"    bind [::1]:{port} v6only" if has_ipv6_loopback() else ""),
            (r"bind 127\.0\.0\.1:8024", f"bind 127.0.0.1:{health_port}"),
        ]
        if dns_port is None:
            replacements += [
                (r"resolvers docker\n(?:    .*\n)+", ""),
                (
                    r"server-template receiver \d+ receiver:8025 (.*) resolvers docker .*",
                    rf"server one 127.0.0.1:{receiver_port} \1",
                ),
            ]
        else:
            replacements += [
                (r"127\.0\.0\.11:53", f"127.0.0.1:{dns_port}"),
                (r"receiver:8025", f"receiver:{receiver_port}"),
            ]
        if connections_per_address is not None:
            replacements.append((r"sc0_conn_cur gt \d+", f"sc0_conn_cur gt {connections_per_address}"))
        if head_seconds is not None:
            replacements.append((r"timeout http-request \d+s", f"timeout http-request {head_seconds}s"))
        path = folder / "haproxy.cfg"
        path.write_text(_configuration(replacements))
        process = ServiceProcess.start(
            [program, "-db", "-f", str(path)], log_path=folder / "haproxy.log", working_directory=folder
        )

        async def is_ready() -> bool:
            assert process.running, f"HAProxy has ended:\n{process.last_lines()}"
            return await listens(port)

        try:
            await until(is_ready, "HAProxy to listen", seconds=_START_SECONDS, show=process.last_lines)
        except BaseException:
            process.send(signal.SIGKILL)
            raise
        return cls(process, port, health_port)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send(signal.SIGTERM)
        if not await self._process.wait(timeout_seconds=10):
            self._process.send(signal.SIGKILL)
            await self._process.wait(timeout_seconds=10)


def has_ipv6_loopback() -> bool:
    """True when this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def find_haproxy() -> str:
    """HAProxy's program, installed if it is missing. Raises ImpossibleSetting if it cannot be."""
    if found := shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin") or shutil.which("haproxy"):
        return found
    install_package("haproxy")
    if found := shutil.which("haproxy", path="/usr/sbin"):
        return found
    raise ImpossibleSetting(
        "There is no HAProxy, and the front of docker-compose.yml cannot be tested: install it (Debian, Ubuntu: "
        "`apt-get install haproxy`; macOS: `brew install haproxy`)."
    )


def _configuration(replacements: Sequence[tuple[str, str]]) -> str:
    """The shipped configuration, with each replacement made exactly once."""
    text = SHIPPED.read_text()
    for pattern, replacement in replacements:
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count == 1, f"{SHIPPED.name} has {count} lines like {pattern}"
    return text
