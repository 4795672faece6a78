"""Events as the parcels that a receiver would have queued, in a file; and a process that stores them."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from tests.benchmarks.feedback import BATCH_EVENTS, signed_requests
from tests.benchmarks.servers import REPOSITORY
from tests.benchmarks.storing_process import Stored
from worker.providers.registry import PROVIDERS
from worker.samples.sample import SampleEvent, SampleSender

_ENVELOPES_PER_PARCEL = 8  # webhooks of a hundred events are large: few of them share a parcel
encode_parcels = msgspec.msgpack.Encoder().encode


def envelopes_of(
    sender: SampleSender,
    events: Sequence[SampleEvent],
    *,
    received_at: datetime,
    batch_events: int = BATCH_EVENTS,
) -> list[Envelope]:
    """The webhooks that carry the events, wrapped as the receiver does."""
    kept_headers = PROVIDERS[sender.provider].kept_headers
    return [
        Envelope(
            delivery_id=new_delivery_id(),
            source=sender.provider,
            provider=sender.provider,
            account="default",
            received_at=received_at,
            content_type=request.headers.get("content-type", ""),
            headers={name: value for name, value in request.headers.items() if name in kept_headers},
            body=request.body,
        )
        for request in signed_requests(sender, events, batch_events=batch_events)
    ]


def write_parcels(
    file: Path, sender: SampleSender, events: Sequence[SampleEvent], *, received_at: datetime, shares: int = 1
) -> list[Path]:
    """As many files, written: each process's share, dealt out one parcel after the other as a broker does."""
    blobs = [encode_envelope(envelope) for envelope in envelopes_of(sender, events, received_at=received_at)]
    parcels = [
        encode_parcel(blobs[start : start + _ENVELOPES_PER_PARCEL])
        for start in range(0, len(blobs), _ENVELOPES_PER_PARCEL)
    ]
    files = [file.with_suffix(f".{share}-of-{shares}") for share in range(shares)]
    for share, path in enumerate(files):
        path.write_bytes(encode_parcels(parcels[share::shares]))
    return files


async def process_parcels(log_file: Path, config: Path, shares: Sequence[Path]) -> list[Stored]:
    """One storing process for each share, all at the same time."""
    return await _store(log_file, [["process", str(config), str(share)] for share in shares])


async def copy_rows(log_file: Path, from_dsn: str, to_dsn: str) -> Stored:
    """The event rows of one database written to another by COPY."""
    return (await _store(log_file, [["copy", from_dsn, to_dsn]]))[0]


def seconds_of(stored: Sequence[Stored]) -> float:
    """From the first start to the last end."""
    return max(one.finished_at for one in stored) - min(one.started_at for one in stored)


async def _store(log_file: Path, runs: Sequence[Sequence[str]]) -> list[Stored]:
    """Runs of tests/benchmarks/storing_process.py; their log lines go to a file, as a worker's would."""
    processes: list[Process] = []
    with log_file.open("ab") as log:
        try:
            for arguments in runs:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "tests.benchmarks.storing_process", *arguments),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    cwd=REPOSITORY,
                )
                processes.append(process)
            for process in processes:
                await _read_line(process, log_file)  # it is ready
            for process in processes:
                await _say_go(process)
            lines = [await _read_line(process, log_file) for process in processes]
            for process in processes:
                await process.wait()
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
    return [msgspec.json.decode(line, type=Stored) for line in lines]


async def _say_go(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.write(b"go\n")
        await process.stdin.drain()


async def _read_line(process: Process, log_file: Path) -> bytes:
    line = await process.stdout.readline() if process.stdout is not None else b""
    if not line:
        raise RuntimeError(f"a storing process ended early; its log: {_end_of(log_file)}")
    return line


def _end_of(log_file: Path) -> str:
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-15:])
