"""Events as the parcels that a receiver would have queued, in a file; and a process that stores them."""

import asyncio
import sys
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


def write_parcels(file: Path, sender: SampleSender, events: Sequence[SampleEvent], *, received_at: datetime) -> Path:
    """The file, written."""
    blobs = [encode_envelope(envelope) for envelope in envelopes_of(sender, events, received_at=received_at)]
    parcels = [
        encode_parcel(blobs[start : start + _ENVELOPES_PER_PARCEL])
        for start in range(0, len(blobs), _ENVELOPES_PER_PARCEL)
    ]
    file.write_bytes(encode_parcels(parcels))
    return file


def _end_of(log_file: Path) -> str:
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-15:])


async def store(log_file: Path, *arguments: str) -> Stored:
    """One run of tests/benchmarks/storing_process.py; its log lines go to a file, as a worker's would."""
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.benchmarks.storing_process", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=REPOSITORY,
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
    if process.returncode != 0:
        raise RuntimeError(f"the storing process ended with {process.returncode}; its log: {_end_of(log_file)}")
    return msgspec.json.decode(output, type=Stored)
