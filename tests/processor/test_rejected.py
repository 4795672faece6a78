"""Postgres rejects processes that it has let in before: they wait, say so as an error, and go on by themselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from aiohttp import ClientSession

from tests.api.conftest import TOKEN
from tests.api.test_service import http_status
from tests.captured_lines import capture_logs
from tests.processor.test_service import bounce, envelopes, parcel, processor, until_answered
from tests.standby import ask
from tests.waiting import until
from worker.api.service import run_api
from worker.errors import ImpossibleSetting, QueueUnavailable, StoreUnavailable
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.settings.configuration import load_settings
from worker.settings.tree import Settings
from worker.store.pool import open_pool, store_errors

pytestmark = pytest.mark.slow

USER = "mail_process"
ROLES = "bouncekeeper_receiver, bouncekeeper_processor, bouncekeeper_api"
_END_SESSIONS = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '{USER}'"  # noqa: S608


class Server:
    """A Postgres whose operator makes mistakes about one user."""

    def __init__(self, postgres: EmbeddedPostgres, folder: Path) -> None:
        self.owner_dsn = postgres.dsn
        self.dsn = f"postgresql://{USER}:its-password@127.0.0.1:{postgres.port}/bouncekeeper"
        self.log = folder / "postgres.log"
        self._rules = folder / "cluster" / "pg_hba.conf"
        self._rules_before = self._rules.read_text()

    async def do(self, statement: str) -> None:
        await ask(self.owner_dsn, statement)

    async def end_sessions(self) -> None:
        """Those of the user, as time and failovers do."""
        await self.do(_END_SESSIONS)

    async def reload_rules(self, added: str = "") -> None:
        """Writes pg_hba.conf with these lines first, and waits until the server goes by it."""
        self._rules.write_text(added + self._rules_before)
        await self.do("SELECT pg_reload_conf()")

        async def are_in_force() -> bool:
            return await self.rejects() == bool(added)

        await until(are_in_force, "the server to read pg_hba.conf")

    async def rejects(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn)
        except asyncpg.PostgresError:
            return True
        await connection.close()
        return False


async def reject_by_rules(server: Server) -> None:
    await server.reload_rules(f"host all {USER} all reject\n")


async def accept_by_rules(server: Server) -> None:
    await server.reload_rules()


def statement(text: str) -> Callable[[Server], object]:
    return lambda server: server.do(text)


MISTAKES = {
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


@pytest.fixture
async def server(stoppable_postgres: EmbeddedPostgres, tmp_path: Path) -> Server:
    made = Server(stoppable_postgres, tmp_path / "postgres")
    await made.do(f"CREATE ROLE {USER} LOGIN PASSWORD 'its-password' IN ROLE {ROLES}")
    return made


def settings_of(server: Server, **overrides: str) -> Settings:
    values = {"postgres.url": server.dsn, "queue.adapter": "postgres", **overrides}
    return load_settings(config_file=None, environment={}, overrides=values)


async def is_rejected(ask: Callable[[], Awaitable[object]]) -> bool:
    """True if it is told so; at first it may hear that its session has ended."""
    try:
        await ask()
    except (StoreUnavailable, QueueUnavailable) as error:
        return "rejects us" in str(error)
    return False


def lines_of(log: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def rejections(lines: Sequence[Mapping[str, object]]) -> list[object]:
    return [line["reason"] for line in lines if line["event"] == "postgres.rejected"]


@mistakes
async def test_a_pool_that_was_let_in_waits_for_the_mistake_to_be_mended(server: Server, mistake: str) -> None:
    make, mend = MISTAKES[mistake]
    pool = await open_pool(server.dsn, connections=1, command_timeout_seconds=10)

    async def is_served() -> bool:
        with store_errors("asking"):
            return bool(await pool.fetchval("SELECT true"))

    try:
        with capture_logs() as lines:
            await make(server)  # type: ignore[misc]
            await server.end_sessions()
            await until(lambda: is_rejected(is_served), "the pool to be rejected")
            with pytest.raises(StoreUnavailable, match=r"rejects us.*change them back.*postgres\.url") as caught:
                await is_served()
        assert len(rejections(lines)) == 1
        assert "its-password" not in str(caught.value)
        await mend(server)  # type: ignore[misc]
        assert await until(is_served, "the pool to be let in again", not_yet=StoreUnavailable)
    finally:
        await pool.close()


@mistakes
async def test_whoever_was_never_let_in_is_told_to_correct_the_setting(server: Server, mistake: str) -> None:
    await MISTAKES[mistake][0](server)  # type: ignore[misc]
    with capture_logs() as lines, pytest.raises(ImpossibleSetting, match=r"postgres\.url"):
        await open_pool(server.dsn, connections=1, command_timeout_seconds=10)
    with pytest.raises(ImpossibleSetting, match=r"postgres\.url"):
        await PostgresReader.open(server.dsn)
    assert not rejections(lines)


async def test_a_wrong_password_is_not_sent_again_and_again(server: Server) -> None:
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


async def test_a_database_that_takes_no_connections_is_waited_for_from_the_start(server: Server) -> None:
    await server.do("CREATE DATABASE closed ALLOW_CONNECTIONS false")
    with pytest.raises(StoreUnavailable, match="not currently accepting connections"):
        await open_pool(server.owner_dsn.replace("/bouncekeeper", "/closed"), connections=1, command_timeout_seconds=10)


@mistakes
async def test_a_processor_goes_on_with_the_parcels_when_it_is_let_in_again(
    server: Server, mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, mend = MISTAKES[mistake]
    log = ""

    def has_told() -> bool:
        nonlocal log
        log += capsys.readouterr().err
        return bool(rejections(lines_of(log)))

    owner = await PostgresWriter.open(server.owner_dsn)
    blocked = "SELECT count(*) FROM contacts WHERE status = 'blocklisted'"
    async with processor(settings_of(server)):
        await owner.put(parcel(envelopes([bounce("before@example.org")])))
        await until_answered(server.owner_dsn, blocked, 1)
        await make(server)  # type: ignore[misc]
        await server.end_sessions()
        await owner.put(parcel(envelopes([bounce("meanwhile@example.org")])))
        await until(has_told, "the processor to be rejected", show=lambda: log)
        await mend(server)  # type: ignore[misc]
        await until_answered(server.owner_dsn, blocked, 2, within_seconds=40)
    await owner.close()


async def test_a_receivers_writer_that_was_never_let_in_says_so_and_parks_when_it_is(server: Server) -> None:
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
async def api(server: Server) -> AsyncIterator[int]:
    """The port of a running API."""
    port, stop = free_port(), asyncio.Event()
    settings = settings_of(server, **{"api.port": str(port), "api.tokens": TOKEN})
    serving = asyncio.create_task(run_api(settings, stop))
    try:
        yield port
    finally:
        stop.set()
        await serving


async def test_the_api_answers_503_with_the_reason_and_logs_it_as_an_error(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    await reject_by_rules(server)
    log = ""

    def has_told() -> bool:
        nonlocal log
        log += capsys.readouterr().err
        return bool(rejections(lines_of(log)))

    async with api(server) as port:
        assert await http_status(port, "/v1/status-changes") == 503
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert "pg_hba.conf" in await answer.text()
        await until(has_told, "an error line", show=lambda: log)
        await accept_by_rules(server)

        async def serves() -> bool:
            return await http_status(port, "/v1/status-changes") == 200

        await until(serves, "the API to serve")
