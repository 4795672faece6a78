"""A replica takes over from the server on which a processor works: a real one of each."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from tests.process_roles import make_roles
from tests.processor.test_service import bounce, envelopes, parcel, processor, settings_for, until_answered
from tests.standby import Standby, answers, kill_server
from worker.local_services.postgres import EmbeddedPostgres
from worker.queue.postgres import PostgresWriter
from worker.store.migrations import migrate

SMALL = {"fsync": "off", "shared_buffers": "32MB"}


@pytest.fixture
async def primary(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with await EmbeddedPostgres.start(tmp_path / "primary", settings=SMALL) as server:
        await make_roles(server.dsn)
        await migrate(server.dsn)
        yield server


async def put(dsn: str, address: str, *, source: str) -> None:
    """One bounce, reported by this source."""
    writer = await PostgresWriter.open(dsn)
    await writer.put(parcel([msgspec.structs.replace(one, source=source) for one in envelopes([bounce(address)])]))
    await writer.close()


@pytest.mark.slow
async def test_what_a_processor_remembers_of_a_lost_server_is_not_written_into_the_one_that_takes_over(
    primary: EmbeddedPostgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    standby = Standby(tmp_path / "standby", primary)
    await asyncio.to_thread(standby.copy_primary)
    await standby.start()
    try:
        await answers(standby.dsn, "SELECT pg_is_in_recovery()")
        async with processor(settings_for(standby.both_dsn, None)):
            await put(primary.dsn, "first@example.org", source="first")
            await until_answered(primary.dsn, "SELECT count(*) FROM log WHERE source = 'first'", 1)
            await standby.has_all_of_the_primary()
            await standby.lose_the_primary()
            await put(primary.dsn, "lost@example.org", source="new")  # the replica never hears of this word
            await until_answered(primary.dsn, "SELECT count(*) FROM log WHERE source = 'new'", 1)
            await kill_server(primary.pid)
            await standby.promote()
            await put(standby.both_dsn, "kept@example.org", source="new")
            await until_answered(standby.dsn, "SELECT count(*) FROM contacts WHERE address = 'kept@example.org'", 1)
            await until_answered(standby.dsn, "SELECT count(*) FROM log WHERE source = 'new'", 1)
            await until_answered(standby.dsn, "SELECT count(*) FROM contacts", 2)
    finally:
        await standby.stop()
    assert capsys.readouterr().err.count('"event":"database.replaced"') == 1
