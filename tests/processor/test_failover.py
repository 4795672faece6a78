"""A replica takes over from the server on which a processor works: a real one of each."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from schemas.vocabulary import Cause, Kind
from tests.contacts.test_decisions import BLOCK, decide
from tests.process_roles import as_process, make_roles
from tests.processor.test_batch import RULES
from tests.processor.test_service import bounce, envelopes, parcel, processor, settings_for, until_answered
from tests.schemas.feedback_events import make_event
from tests.standby import Standby, answers, ask, kill_server
from tests.waiting import pause, until
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.processor.batch import BatchWriter
from worker.queue.postgres import PostgresWriter
from worker.store.migrations import migrate
from worker.store.writer_pool import open_writer_pool

_PATIENCE_SECONDS = 1.5
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
async def test_a_processor_that_starts_at_a_server_without_writes_waits_for_them(
    primary: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]
) -> None:
    async def make_read_only(value: str) -> None:
        await ask(primary.dsn, f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        await ask(primary.dsn, "SELECT pg_reload_conf()")
        await answers(primary.dsn, f"SELECT current_setting('default_transaction_read_only') = '{value}'")

    await put(primary.dsn, "gone@example.org", source="first")
    await make_read_only("on")
    log = ""

    def has_waited() -> bool:
        nonlocal log
        log += capsys.readouterr().err
        return '"event":"task.failed","task":"start"' in log

    async with processor(settings_for(primary.dsn, None)):
        await until(has_waited, "the processor to wait", show=lambda: log)
        await make_read_only("off")
        await until_answered(primary.dsn, "SELECT count(*) FROM contacts WHERE status = 'blocklisted'", 1)


@asynccontextmanager
async def probing(port: int) -> AsyncIterator[set[int]]:
    """Asks without a pause whether the process at this port is ready; gives the HTTP statuses of all answers."""
    statuses: set[int] = set()
    ended = asyncio.Event()

    async def ask_again(http: aiohttp.ClientSession) -> None:
        while not ended.is_set():
            try:
                async with http.get("/readyz") as answer:
                    statuses.add(answer.status)
            except aiohttp.ClientError:  # it does not listen yet, or not at the moment
                await pause(0.02, "a probe that is refused is repeated soon")

    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http, asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(ask_again(http))
        try:
            yield statuses
        finally:
            ended.set()


@pytest.mark.slow
async def test_what_a_processor_remembers_of_a_lost_server_is_not_written_into_the_one_that_takes_over(
    primary: EmbeddedPostgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Standby(tmp_path / "standby", primary) as standby:
        await answers(standby.dsn, "SELECT pg_is_in_recovery()")
        async with (
            probing(port := free_port()) as answers_of_probe,
            processor(settings_for(standby.both_dsn, None, port=port)),
        ):
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
    assert capsys.readouterr().err.count('"event":"database.replaced"') == 1
    assert answers_of_probe == {200, 503}


async def is_cut_short(work: Coroutine[Any, Any, object]) -> bool:
    """True if the work does not end in time, as when a caller hangs up: its last statement is cancelled."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await work
    except TimeoutError:
        return True
    return False


@pytest.mark.slow
async def test_a_repeat_is_not_answered_before_the_synchronous_replica_has_what_it_found(
    primary: EmbeddedPostgres, tmp_path: Path
) -> None:
    async with Standby(tmp_path / "standby", primary) as standby:
        await answers(primary.dsn, "SELECT count(*) = 1 FROM pg_stat_replication")
        pool = await open_writer_pool(as_process(primary.dsn, "processor"), connections=2, command_timeout_seconds=30)
        deciders = await open_writer_pool(as_process(primary.dsn, "api"), connections=2, command_timeout_seconds=30)
        writer = BatchWriter(pool, RULES)
        await writer.commit([make_event(Kind.DELIVERED, address="known@example.org")])
        await standby.make_synchronous()
        bounced = [make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address="gone@example.org")]
        nameless = [make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address=None)]
        await standby.lose_the_primary()

        # Postgres commits what it is called off from, on this server alone: the next one finds it.
        for _ in range(2):
            assert await is_cut_short(writer.commit(bounced))
            assert await is_cut_short(writer.commit(nameless))
            assert await pool.fetchval("SELECT count(*) FROM log") == 3
        blocking = partial(decide, deciders, BLOCK, "gone@example.org", idempotency_key="k1")
        for _ in range(3):  # the act, its decision, and then there is nothing left to write
            assert await is_cut_short(blocking())

        await standby.find_the_primary()
        assert await writer.commit(bounced)
        assert await writer.commit(nameless)
        assert (await blocking()).repeated
        await kill_server(primary.pid)
        await standby.promote()
        assert await ask(standby.dsn, "SELECT count(*) FROM acts WHERE finished_at IS NOT NULL") == 1
        for opened in (pool, deciders):
            opened.terminate()
