"""Services that tests ask for: real ones, started when the first test needs them, gone at the end."""

import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aio_pika
import asyncpg
import pytest

# The tests test this checkout, whatever is installed beside it.
sys.path.insert(0, str(Path(__file__).parent.parent))

from schemas.queue_topology import (
    CONTACTS_EXCHANGE,
    DEAD_EXCHANGE,
    DEAD_QUEUE,
    PARCELS_EXCHANGE,
    SHARED_EXCHANGE,
    SHARED_LANES,
    lane_queue,
)
from tests.databases import Databases
from tests.docs.log_examples import keep_lines
from tests.process_roles import as_process, make_roles
from tests.properties import FAST, load_profiles
from tests.providers.coverage_line import COVERAGE_LINE
from tests.queue.virtual_hosts import LANES, VirtualHosts
from tests.schemas.feedback_events import START
from tests.service_folder import service_folder
from tests.side_by_side import how_many, processes, register, shares_out
from tests.surroundings import left_behind, move_to
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.rabbitmq import URL_VARIABLE, RabbitMQ
from worker.local_services.rabbitmq_choice import start_rabbitmq
from worker.process.logs import configure_logging
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.store.partitions import make_partitions, month_of, months_later
from worker.store.pool import WriterPool
from worker.store.writer_pool import open_writer_pool

# Started in the background, as by nohup, a process ignores these, and so would all that the tests start and interrupt.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

_QUEUES = (*map(lane_queue, (*SHARED_LANES, *LANES)), DEAD_QUEUE)
_TAKEN_VARIABLES = pytest.StashKey[dict[str, str]]()
_SERVICES = frozenset({"postgres_server", "rabbitmq_server"})
_SURROUNDINGS = pytest.StashKey[Path]()

load_profiles()
configure_logging(level="debug", strict=True)  # for what services log before the first test


def pytest_addoption(parser: pytest.Parser) -> None:
    """What tests take from the command line."""
    parser.addoption("--api-seed", type=int, default=1, help="what Schemathesis makes its questions to the API from")


def pytest_configure(config: pytest.Config) -> None:
    """Each run has temporary folders of its own, and takes them away.

    Under pytest's common folder a second run on the same machine would shut the first one's embedded Postgres
    out: pytest closes that folder to other users whenever it begins, and Postgres never runs as root.
    """
    if config.option.basetemp is None:
        folder = TemporaryDirectory(prefix="bouncekeeper-tests-", ignore_cleanup_errors=True)
        config.option.basetemp = folder.name
        config.add_cleanup(folder.cleanup)
    register(config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes `-n auto` means."""
    return how_many(fast=config.getoption("hypothesis_profile") == FAST)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Moves to an empty folder, before any test's module is imported; goes back in the end."""
    config = session.config
    if shares_out(config):
        return
    empty = TemporaryDirectory(prefix="bouncekeeper-surroundings-")
    config.add_cleanup(empty.cleanup)
    config.add_cleanup(partial(os.chdir, config.invocation_params.dir))
    config.stash[_SURROUNDINGS] = Path(empty.name).resolve()
    config.stash[_TAKEN_VARIABLES] = move_to(config.stash[_SURROUNDINGS])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever is given a Postgres or a RabbitMQ is marked so: `-m "not services"` starts neither."""
    for item in items:
        if not _SERVICES.isdisjoint(_fixtures(item)):
            item.add_marker("services")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported and collected stays to the end: no search for garbage goes through it again."""
    if not shares_out(session.config):
        gc.collect()
        gc.freeze()


def _fixtures(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of tests hands the line over that the summary ends with."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["coverage"] = session.config.stash.get(COVERAGE_LINE, None)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes it from the process that has it."""
    if line := getattr(node, "workeroutput", {}).get("coverage"):
        node.config.stash[COVERAGE_LINE] = line


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Prints what the samples covered, when the test that counts it was run."""
    if line := config.stash.get(COVERAGE_LINE, None):
        terminalreporter.section("providers")
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _strict_logging() -> None:
    """An undeclared log event or field, or a value of another type, fails the test that logs it."""
    configure_logging(level="debug", strict=True)
    keep_lines()


@pytest.fixture(autouse=True)
def _untouched_surroundings(pytestconfig: pytest.Config) -> Iterator[None]:
    """A test that leaves a file, a folder or a variable behind for the others fails."""
    yield
    left = left_behind(pytestconfig.stash[_SURROUNDINGS])
    assert not left, f"this test left {', '.join(left)}"


@pytest.fixture(scope="session")
def given_broker_url(pytestconfig: pytest.Config) -> str | None:
    """The address of BOUNCEKEEPER_QUEUE_URL, the one variable of ours that is meant for the tests."""
    return pytestconfig.stash[_TAKEN_VARIABLES].get(URL_VARIABLE)


@pytest.fixture(scope="session")
async def postgres_server() -> AsyncIterator[EmbeddedPostgres]:
    """One Postgres for all tests. It never waits for the disk: tests kill processes, not the machine."""
    settings = {
        "fsync": "off",
        "full_page_writes": "off",
        "shared_buffers": "128MB",
        "max_connections": "200",
        "max_wal_size": "128MB",
        "autovacuum": "off",  # databases live for a second
        "scram_iterations": "1",  # a login is a test's most frequent act, and this the most of what it costs
    }
    with service_folder("bouncekeeper-postgres-") as folder:
        async with await EmbeddedPostgres.start(folder, settings=settings) as postgres:
            await make_roles(postgres.dsn_of("postgres"))
            yield postgres


@pytest.fixture(scope="session")
async def databases(postgres_server: EmbeddedPostgres) -> AsyncIterator[Databases]:
    """What makes and drops the databases of tests."""
    databases = await Databases.open(postgres_server)
    yield databases
    await databases.close()


@pytest.fixture
async def postgres_dsn(postgres_server: EmbeddedPostgres, databases: Databases) -> AsyncIterator[str]:
    """An empty database for this test alone."""
    name = await databases.create("template1")
    yield postgres_server.dsn_of(name)
    await databases.drop(name)


@pytest.fixture(scope="session")
async def _migrated_template(postgres_server: EmbeddedPostgres, databases: Databases) -> str:
    from worker.store.migrations import migrate  # noqa: PLC0415 - only tests with a schema need it

    name = await databases.create("template1")
    await migrate(postgres_server.dsn_of(name))
    return name


@pytest.fixture(scope="session")
async def template_with_months(postgres_server: EmbeddedPostgres, databases: Databases, _migrated_template: str) -> str:
    """A database with every migration applied and partitions for the events of the tests, to be copied."""
    name = await databases.create(_migrated_template)
    connection = await asyncpg.connect(postgres_server.dsn_of(name))
    await make_partitions(connection, [months_later(month_of(START), count) for count in range(-1, 14)])
    await connection.close()
    return name


@pytest.fixture
def database_template(request: pytest.FixtureRequest, _migrated_template: str, template_with_months: str) -> str:
    """What `database_dsn` is a copy of; a module may name one that it has filled. With `pool`, it has partitions."""
    return template_with_months if "pool" in request.fixturenames else _migrated_template


@pytest.fixture
async def database_dsn(
    postgres_server: EmbeddedPostgres, databases: Databases, database_template: str
) -> AsyncIterator[str]:
    """A database with every migration applied, for this test alone."""
    name = await databases.create(database_template)
    yield postgres_server.dsn_of(name)
    await databases.drop(name)


@pytest.fixture
async def stoppable_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A Postgres that the test may take away, with every migration applied."""
    from worker.store.migrations import migrate  # noqa: PLC0415 - only tests with a schema need it

    async with await EmbeddedPostgres.start(tmp_path / "postgres", settings={"fsync": "off"}) as postgres:
        await make_roles(postgres.dsn)
        await migrate(postgres.dsn)
        yield postgres


@pytest.fixture
async def pool(database_dsn: str) -> AsyncIterator[WriterPool]:
    """A pool as the processor opens it, on a database with partitions for the events of the tests."""
    async for opened in _pool_of(database_dsn):
        yield opened


@pytest.fixture
async def processor_pool(database_dsn: str) -> AsyncIterator[WriterPool]:
    """The same with the rights of the processor."""
    async for opened in _pool_of(as_process(database_dsn, "processor")):
        yield opened


@pytest.fixture
async def api_pool(database_dsn: str) -> AsyncIterator[WriterPool]:
    """The same with the rights of the API."""
    async for opened in _pool_of(as_process(database_dsn, "api")):
        yield opened


async def _pool_of(dsn: str) -> AsyncIterator[WriterPool]:
    opened = await open_writer_pool(dsn, connections=4, command_timeout_seconds=30)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def postgres_writer(database_dsn: str) -> AsyncIterator[PostgresWriter]:
    """The queue in Postgres, to be put into."""
    writer = await PostgresWriter.open(as_process(database_dsn, "receiver"))
    yield writer
    await writer.close()


@pytest.fixture
async def postgres_reader(database_dsn: str) -> AsyncIterator[PostgresReader]:
    """The same queue, to be taken from."""
    reader = await PostgresReader.open(as_process(database_dsn, "processor"))
    yield reader
    await reader.close()


@pytest.fixture(scope="session")
async def rabbitmq_server(given_broker_url: str | None) -> AsyncIterator[RabbitMQ]:
    """One RabbitMQ for all tests: the one of BOUNCEKEEPER_QUEUE_URL, else one of our own."""
    with service_folder("bouncekeeper-rabbitmq-") as folder:
        async with await start_rabbitmq(folder, url=given_broker_url) as rabbitmq:
            yield rabbitmq


@pytest.fixture(scope="session")
def _virtual_hosts(request: pytest.FixtureRequest, rabbitmq_server: RabbitMQ) -> VirtualHosts:
    asking = [item for item in request.session.items if {"rabbitmq_url", "queue_kit"} & set(_fixtures(item))]
    return VirtualHosts(rabbitmq_server, needed=len(asking) // processes(request.config) + 1)


@pytest.fixture
async def rabbitmq_url(rabbitmq_server: RabbitMQ, _virtual_hosts: VirtualHosts) -> AsyncIterator[str]:
    """A virtual host for this test alone, its queues declared and empty."""
    async for url in _virtual_host(rabbitmq_server, _virtual_hosts, declared=True):
        yield url


@pytest.fixture
async def bare_rabbitmq_url(rabbitmq_server: RabbitMQ, _virtual_hosts: VirtualHosts) -> AsyncIterator[str]:
    """A virtual host for this test alone, with nothing in it."""
    async for url in _virtual_host(rabbitmq_server, _virtual_hosts, declared=False):
        yield url


async def _virtual_host(rabbitmq: RabbitMQ, pool: VirtualHosts, *, declared: bool) -> AsyncIterator[str]:
    if rabbitmq.owned:
        yield await pool.one(declared=declared)
        return
    # A broker that was given has one virtual host for all tests; each finds it without our queues.
    await _refuse_broker_in_use(rabbitmq.url)
    yield rabbitmq.url
    await _remove_our_objects(rabbitmq.url)


async def _refuse_broker_in_use(url: str) -> None:
    """Tests remove the queues they find; that must never be those of a running Bouncekeeper."""
    async with await aio_pika.connect(url) as connection:
        for name in _QUEUES:
            channel = await connection.channel()
            try:
                queue = await channel.declare_queue(name, passive=True)
            except aio_pika.exceptions.ChannelNotFoundEntity:
                continue
            result = queue.declaration_result
            if result.message_count or result.consumer_count:
                pytest.fail(
                    f"The queue {name} of {URL_VARIABLE} is in use, and tests would remove it: "
                    "give the tests a virtual host of their own."
                )


async def _remove_our_objects(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for name in _QUEUES:
            await channel.queue_delete(name)
        for name in (PARCELS_EXCHANGE, SHARED_EXCHANGE, DEAD_EXCHANGE, CONTACTS_EXCHANGE):
            await channel.exchange_delete(name)
