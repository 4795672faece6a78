"""Requests as a file for the load generator, and one run of it."""

import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tests.benchmarks.load_generator import LENGTH, LoadReport
from worker.providers.webhook_request import WebhookRequest

CONNECTIONS = 64
_GENERATOR = Path(__file__).with_name("load_generator.py")


def http_bytes(request: WebhookRequest, path: str) -> bytes:
    """The request as it goes over the wire, posted to `path` whatever it was made for."""
    headers = {**request.headers, "host": "127.0.0.1", "content-length": str(len(request.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + request.body


def write_requests(file: Path, requests: Iterable[WebhookRequest], path: str) -> Path:
    """The file, written."""
    with file.open("wb") as output:
        for request in requests:
            wire = http_bytes(request, path)
            output.write(LENGTH.pack(len(wire)) + wire)
    return file


async def send(
    file: Path,
    ports: Sequence[int],
    *,
    connections: int = CONNECTIONS,
    seconds: float = 120.0,
    cycle: bool = False,
    rate: float = 0.0,
    times: Path | None = None,
) -> LoadReport:
    """One run of the generator in a process of its own. Ended with us if we are interrupted."""
    command = [sys.executable, str(_GENERATOR), str(file), "--connections", str(connections)]
    for port in ports:
        command += ["--port", str(port)]
    command += ["--seconds", str(seconds), "--rate", str(rate)]
    if cycle:
        command.append("--cycle")
    if times is not None:
        command += ["--times", str(times)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise RuntimeError(f"the load generator ended with {process.returncode}: its output stands above")
    return msgspec.json.decode(output, type=LoadReport)


def require_all_accepted(report: LoadReport, what: str) -> None:
    """Raises when any request was not answered 2xx: a fast refusal is no throughput."""
    if report.other or report.connection_errors:
        raise RuntimeError(
            f"{what}: {report.accepted} of {report.sent} requests were accepted; other answers {report.other}, "
            f"lost connections {report.connection_errors}. Look into the log of that server."
        )
