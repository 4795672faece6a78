"""A parcel that kills every processor that tries it is given up after some tries, and nothing that was lent with it."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from schemas.envelope import Envelope
from tests.processor.test_service import bounce, envelope, envelopes, parcel
from tests.queue.virtual_hosts import BUSY, LANES, QUIET, note_lanes
from tests.waiting import wait_seconds
from worker.processor.trials import MOST_ATTEMPTS, MOST_ATTEMPTS_TOGETHER
from worker.queue.port import QueueWriter
from worker.queue.postgres import PostgresWriter
from worker.queue.rabbitmq import RabbitMQWriter

pytestmark = pytest.mark.slow

# A processor with one provider more, whose parser dies as a defect in a library would make it die.
_PROCESSOR = textwrap.dedent("""
    import asyncio, os, signal, sys
    import msgspec
    from worker.process.logs import configure_logging
    from worker.processor.service import run_processor
    from worker.providers.registry import ENVELOPE_PROVIDERS, PROVIDERS
    from worker.settings.configuration import load_settings

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    async def main():
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        overrides = dict(pair.split("=", 1) for pair in sys.argv[1:])
        await run_processor(load_settings(config_file=None, environment={}, overrides=overrides), stop)

    configure_logging(level="info")
    deadly = msgspec.structs.replace(PROVIDERS["sendgrid"], name="deadly", parse=die)
    ENVELOPE_PROVIDERS["deadly"] = PROVIDERS["deadly"] = deadly
    asyncio.run(main())
""")
_PATIENCE_SECONDS = 120
# The first one that had it among others, the one that had it noted, and each that tried it alone.
_MOST_DEATHS = 2 + MOST_ATTEMPTS_TOGETHER + MOST_ATTEMPTS


@contextmanager
def _processor(folder: Path, overrides: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-c", _PROCESSOR, *(f"{name}={value}" for name, value in overrides.items())]
    with (folder / "processor.log").open("ab") as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


def _deadly() -> Envelope:
    return envelope(b'{"deadly": true}', provider="deadly")


@pytest.mark.parametrize("adapter", ["postgres", "rabbitmq"])
async def test_what_kills_processors_is_given_up_and_its_neighbours_are_applied(
    adapter: str, database_dsn: str, rabbitmq_url: str, tmp_path: Path
) -> None:
    overrides = {"postgres.url": database_dsn, "queue.adapter": adapter, "processor.relay_every_seconds": "0.1"}
    writer: QueueWriter
    if adapter == "rabbitmq":
        overrides["queue.url"] = rabbitmq_url
        writer = await RabbitMQWriter.open(rabbitmq_url)
    else:
        writer = await PostgresWriter.open(database_dsn)
    names = [f"user{number}@example.org" for number in range(40)]
    for start in range(0, len(names), 4):
        lane = BUSY if start % 8 else QUIET
        webhooks = envelopes([bounce(name) for name in names[start : start + 4]])
        if start == 4:
            webhooks.insert(2, _deadly())  # webhooks of a source that come together share a parcel
        await writer.put(parcel(webhooks), lane)
        if start == 20:
            await writer.put(parcel([_deadly()]), lane)
    await writer.close()

    deaths = 0
    deadline = time.monotonic() + _PATIENCE_SECONDS
    connection = await asyncpg.connect(database_dsn)
    await note_lanes(connection, LANES)
    try:
        while await connection.fetchval("SELECT count(*) FROM dead_letters") < 2:
            with _processor(tmp_path, overrides) as process:
                while process.poll() is None:
                    assert time.monotonic() < deadline, (tmp_path / "processor.log").read_text()[-4000:]
                    if await connection.fetchval("SELECT count(*) FROM dead_letters") == 2:
                        break
                    wait_seconds(0.05, "nothing else runs here")
                if process.poll() is not None:
                    assert process.returncode == -signal.SIGKILL, (tmp_path / "processor.log").read_text()[-4000:]
                    deaths += 1
        with _processor(tmp_path, overrides) as process:
            while await connection.fetchval("SELECT count(*) FROM contacts WHERE status = 'blocklisted'") < len(names):
                assert time.monotonic() < deadline
                assert process.poll() is None
                wait_seconds(0.05, "nothing else runs here")
        letters = await connection.fetch("SELECT reason, provider FROM dead_letters")
        assert [tuple(letter) for letter in letters] == [("stops_workers", "deadly")] * 2
        assert await connection.fetchval("SELECT count(*) FROM parcel_attempts") == 0
    finally:
        await connection.close()
    assert deaths <= 2 * _MOST_DEATHS
