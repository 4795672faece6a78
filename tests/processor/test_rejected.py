"""Postgres rejects processes that it has let in before: they wait, say so as an error, and go on by themselves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from aiohttp import ClientSession

from tests.api.conftest import TOKEN
from tests.api.test_service import http_status
from tests.captured_lines import capture_logs
from tests.processor.rejecting_server import ROLES, USER, RejectingServer, rejections, settings_of
from tests.processor.test_service import bounce, envelopes, parcel, processor, until_answered
from tests.standby import several_hosts
from tests.waiting import stays, until
from worker.api.service import run_api
from worker.errors import ImpossibleSetting, QueueUnavailable, StoreUnavailable
from worker.local_services.process import free_port
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.store.pool import open_pool, store_errors

pytestmark = pytest.mark.slow


async def reject_by_rules(server: RejectingServer) -> None:
    await server.reload_rules(f"host all {USER} all reject\n")


async def accept_by_rules(server: RejectingServer) -> None:
    await server.reload_rules()


Change = Callable[[RejectingServer], Awaitable[None]]


def statement(text: str) -> Change:
    return lambda server: server.do(text)


MISTAKES: dict[str, tuple[Change, Change]] = {
    "pg_hba.conf rejects it": (reject_by_rules, accept_by_rules),
    "it may not log in": (statement(f"ALTER ROLE {USER} NOLOGIN"), statement(f"ALTER ROLE {USER} LOGIN")),
    "its password was changed": (
        statement(f"ALTER ROLE {USER} PASSWORD 'another'"),
        statement(f"ALTER ROLE {USER} PASSWORD 'its-password'"),
    ),
    "it may not connect to the database": (
        statement(f"REVOKE CONNECT ON DATABASE bouncekeeper FROM PUBLIC, {ROLES}"),
        statement(f"GRANT CONNECT ON DATABASE bouncekeeper TO {ROLES}"),
    ),
}
mistakes = pytest.mark.parametrize("mistake", MISTAKES)


async def is_rejected(ask: Callable[[], Awaitable[object]]) -> bool:
    """True if it is told so; at first it may hear that its session has ended."""
    try:
        await ask()
    except (StoreUnavailable, QueueUnavailable) as error:
        return "rejects us" in str(error)
    return False


@mistakes
async def test_a_pool_that_was_let_in_waits_for_the_mistake_to_be_mended(server: RejectingServer, mistake: str) -> None:
    make, mend = MISTAKES[mistake]
    pool = await open_pool(server.dsn, connections=1, command_timeout_seconds=10)

    async def is_served() -> bool:
        with store_errors("asking"):
            return bool(await pool.fetchval("SELECT true"))

    try:
        with capture_logs() as lines:
            await make(server)
            await server.end_sessions()
            await until(lambda: is_rejected(is_served), "the pool to be rejected")
            with pytest.raises(StoreUnavailable, match=r"rejects us.*change them back.*postgres\.url") as caught:
                await is_served()
        assert len(rejections(lines)) == 1
        assert "its-password" not in str(caught.value)
        await mend(server)
        assert await until(is_served, "the pool to be let in again", not_yet=StoreUnavailable)
    finally:
        await pool.close()


@mistakes
async def test_whoever_was_never_let_in_is_told_to_correct_the_setting(server: RejectingServer, mistake: str) -> None:
    await MISTAKES[mistake][0](server)
    with capture_logs() as lines, pytest.raises(ImpossibleSetting, match=r"postgres\.url"):
        await open_pool(server.dsn, connections=1, command_timeout_seconds=10)
    with pytest.raises(ImpossibleSetting, match=r"postgres\.url"):
        await PostgresReader.open(server.dsn)
    assert not rejections(lines)


async def test_a_wrong_password_is_not_sent_again_and_again(server: RejectingServer) -> None:
    """Every few seconds, whichever pool asks: proxies and watchers of the log lock out who repeats it."""
    reader = await PostgresReader.open(server.dsn)
    pool = await open_pool(server.dsn, connections=1, command_timeout_seconds=10)
    await server.do(f"ALTER ROLE {USER} PASSWORD 'another'")
    await server.end_sessions()
    for _ in range(5):
        with pytest.raises(StoreUnavailable), store_errors("asking"):
            await pool.fetchval("SELECT true")
        with pytest.raises(QueueUnavailable):
            await reader.take(max_parcels=1, max_wait_seconds=0.01)
    # The pool opens its session by itself, perhaps at the same moment as the reader.
    assert 1 <= server.log.read_text().count("password authentication failed") <= 2
    await reader.close()
    await pool.close()


def wrong_passwords(server: RejectingServer) -> int:
    """How many of them the server has got until now."""
    return server.log.read_text().count("password authentication failed")


async def test_a_wrong_password_is_not_sent_again_and_again_by_whoever_was_never_let_in(
    server: RejectingServer,
) -> None:
    """A receiver's writer and the API go on, and would ask with each webhook and each request."""
    dsn = server.dsn.replace("its-password", "wrong")
    writer = await PostgresWriter.open(dsn)
    pool = await open_pool(dsn, connections=10, command_timeout_seconds=10, idle_connections=0)
    for _ in range(3):
        with pytest.raises(QueueUnavailable, match="refuses us"):
            await writer.put(b"parcel")

    async def ask_pool() -> None:
        with store_errors("asking"):
            await pool.fetchval("SELECT true")

    for errors in [await asyncio.gather(*(ask_pool() for _ in range(10)), return_exceptions=True) for _ in range(3)]:
        assert all(isinstance(error, ImpossibleSetting) for error in errors)
    assert wrong_passwords(server) == 1
    # A start ends at once all the same.
    with pytest.raises(ImpossibleSetting, match="password authentication failed"):
        await open_pool(dsn, connections=1, command_timeout_seconds=10)
    assert wrong_passwords(server) == 1
    await writer.close()
    await pool.close()


async def test_sessions_that_are_asked_for_at_once_send_a_wrong_password_once(server: RejectingServer) -> None:
    dsn = server.dsn.replace("its-password", "wrong")
    pool = await open_pool(dsn, connections=10, command_timeout_seconds=10, idle_connections=0)
    errors = await asyncio.gather(*(pool.fetchval("SELECT true") for _ in range(10)), return_exceptions=True)
    assert all(isinstance(error, asyncpg.InvalidPasswordError) for error in errors)
    assert wrong_passwords(server) == 1
    await pool.close()


async def test_the_prober_of_a_writer_that_is_rejected_pauses_too(server: RejectingServer) -> None:
    writer = await PostgresWriter.open(server.dsn.replace("its-password", "wrong"))
    with pytest.raises(QueueUnavailable):
        await writer.put(b"parcel")
    await stays(lambda: wrong_passwords(server) == 1, "it was asked once", seconds=3)
    await until(lambda: wrong_passwords(server) == 2, "it to be asked again")
    await writer.close()


async def test_a_rejection_by_the_primary_is_told_and_paced_though_other_hosts_are_away(
    server: RejectingServer,
) -> None:
    pool = await open_pool(several_hosts(server.dsn, before=free_port()), connections=1, command_timeout_seconds=10)

    async def is_served() -> bool:
        with store_errors("asking"):
            return bool(await pool.fetchval("SELECT true"))

    with capture_logs() as lines:
        await reject_by_rules(server)
        await server.end_sessions()
        await until(lambda: is_rejected(is_served), "the pool to be rejected")
        asked = server.log.read_text().count("pg_hba.conf rejects")
        for _ in range(5):
            assert await is_rejected(is_served)
    assert server.log.read_text().count("pg_hba.conf rejects") == asked
    assert len(rejections(lines)) == 1
    assert "pg_hba.conf rejects" in str(rejections(lines)[0])
    assert "failed" in str(rejections(lines)[0]), "what the other host said"
    await accept_by_rules(server)
    assert await until(is_served, "the pool to be let in again", not_yet=StoreUnavailable)
    await pool.close()


async def test_whoever_was_never_let_in_waits_if_one_host_rejects_it_and_the_other_is_away(
    server: RejectingServer,
) -> None:
    await reject_by_rules(server)
    with capture_logs() as lines, pytest.raises(StoreUnavailable, match=r"pg_hba\.conf rejects"):
        await open_pool(several_hosts(server.dsn, before=free_port()), connections=1, command_timeout_seconds=10)
    assert not rejections(lines)


async def test_a_database_that_takes_no_connections_is_waited_for_from_the_start(server: RejectingServer) -> None:
    await server.do("CREATE DATABASE closed ALLOW_CONNECTIONS false")
    with pytest.raises(StoreUnavailable, match="not currently accepting connections"):
        await open_pool(server.owner_dsn.replace("/bouncekeeper", "/closed"), connections=1, command_timeout_seconds=10)


@mistakes
async def test_a_processor_goes_on_with_the_parcels_when_it_is_let_in_again(
    server: RejectingServer, mistake: str
) -> None:
    make, mend = MISTAKES[mistake]
    owner = await PostgresWriter.open(server.owner_dsn)
    blocked = "SELECT count(*) FROM contacts WHERE status = 'blocklisted'"
    with capture_logs() as lines:
        async with processor(settings_of(server)):
            await owner.put(parcel(envelopes([bounce("before@example.org")])))
            await until_answered(server.owner_dsn, blocked, 1)
            await make(server)
            await server.end_sessions()
            await owner.put(parcel(envelopes([bounce("meanwhile@example.org")])))
            await until(lambda: rejections(lines), "the processor to be rejected", show=lambda: lines)
            await mend(server)
            await until_answered(server.owner_dsn, blocked, 2, within_seconds=40)
    await owner.close()


async def test_a_receivers_writer_that_was_never_let_in_says_so_and_parks_when_it_is(server: RejectingServer) -> None:
    """It connects at its first parcel, long after the start: by then webhooks come in."""
    await reject_by_rules(server)
    writer = await PostgresWriter.open(server.dsn)
    with capture_logs() as lines, pytest.raises(QueueUnavailable, match="refuses us"):
        await writer.put(b"parcel")
    assert len(rejections(lines)) == 1
    assert not writer.available()
    await accept_by_rules(server)
    await until(writer.available, "the writer to be let in")
    await writer.put(b"parcel")
    await writer.close()


@asynccontextmanager
async def api(server: RejectingServer) -> AsyncIterator[int]:
    """The port of a running API."""
    port, stop = free_port(), asyncio.Event()
    settings = settings_of(server, **{"api.port": str(port), "api.tokens": TOKEN})
    serving = asyncio.create_task(run_api(settings, stop))
    try:
        yield port
    finally:
        stop.set()
        await serving


async def test_the_api_answers_503_with_the_reason_and_logs_it_as_an_error(server: RejectingServer) -> None:
    await reject_by_rules(server)
    with capture_logs() as lines:
        async with api(server) as port:
            assert await http_status(port, "/v1/status-changes") == 503
            async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                assert "pg_hba.conf" in await answer.text()
            await until(lambda: rejections(lines), "an error line", show=lambda: lines)
            await accept_by_rules(server)

            async def serves() -> bool:
                return await http_status(port, "/v1/status-changes") == 200

            await until(serves, "the API to serve")
