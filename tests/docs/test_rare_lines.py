"""Log lines of accidents that few tests meet: each is provoked, so that docs/log-events.md has an example of it."""

import asyncio
import json
import os
import pwd
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from schemas.vocabulary import Kind
from tests.contacts.test_respelling import DELIVERED, respell, store
from tests.docs.log_examples import keep_text
from tests.jobs.smtp_server import smtp_server
from tests.jobs.summaries import EIGHT, an_account, blocked
from tests.jobs.summaries import settings_for as settings_of_summaries
from tests.processor.test_batch import RULES
from tests.processor.test_service import NOW, bounce, envelope, parcel, processor, settings_for
from tests.receiver.running_receiver import RunningReceiver
from tests.schemas.feedback_events import make_event
from tests.standby import ask
from tests.surroundings import REPOSITORY
from tests.waiting import until, wait_until
from worker.contacts import respelling
from worker.contacts.daily_summary import summary_view
from worker.jobs.summary_sender import SummarySender
from worker.local_services.debian_package import install_package
from worker.local_services.folder import ensure_user
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import free_port
from worker.local_services.rabbitmq import RabbitMQ
from worker.local_services.rabbitmq_node import RabbitMQNode
from worker.processor.batch import BatchWriter
from worker.providers.bound_source import BoundSource
from worker.providers.registry import PROVIDERS
from worker.queue.postgres import PostgresWriter
from worker.queue.rabbitmq import RabbitMQWriter
from worker.samples.postmark import PostmarkSamples
from worker.store.pool import WriterPool

pytestmark = pytest.mark.slow
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root does that")

Logged = Callable[[str], bool]


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Logged:
    """Asks whether the process of the test has written a line of this event."""
    log = ""

    def is_logged(event: str) -> bool:
        nonlocal log
        log += capsys.readouterr().err
        return f'"event":"{event}"' in log

    return is_logged


async def test_tables_that_vanish_and_return(database_dsn: str, logged: Logged) -> None:
    async with processor(settings_for(database_dsn, None)):
        await until(lambda: logged("process.started"), "the processor to start")
        await ask(database_dsn, "ALTER TABLE contacts RENAME TO contacts_elsewhere")
        await until(lambda: logged("schema.vanished"), "the processor to miss its table")
        await ask(database_dsn, "ALTER TABLE contacts_elsewhere RENAME TO contacts")
        await until(lambda: logged("schema.returned"), "the processor to find it")


async def test_a_broker_that_takes_our_rights_away(
    rabbitmq_server: RabbitMQ, rabbitmq_url: str, logged: Logged
) -> None:
    if not isinstance(rabbitmq_server, RabbitMQNode):
        pytest.skip("rabbitmqctl can only be asked of a broker that the tests have started")
    parts = urlsplit(rabbitmq_url)
    host, user = parts.path.removeprefix("/"), f"{parts.path.removeprefix('/')}-user"
    program = str(rabbitmq_server._server.with_name("rabbitmqctl"))
    environment = {**os.environ, **rabbitmq_server._environment()}

    async def control(*words: str) -> None:
        command = [program, "-n", rabbitmq_server._identity["node"], "--quiet", *words]
        await asyncio.to_thread(subprocess.run, command, env=environment, check=True)

    await control("add_user", user, "pw")
    await control("set_permissions", "-p", host, user, ".*", ".*", ".*")
    writer = await RabbitMQWriter.open(f"amqp://{user}:pw@{parts.hostname}:{parts.port}{parts.path}")
    await control("clear_permissions", "-p", host, user)
    await control("close_all_user_connections", user, "the test")
    await until(lambda: logged("broker.misconfigured"), "the broker to refuse us")
    await writer.close()


async def test_an_event_that_is_older_than_the_retention(database_dsn: str, logged: Logged) -> None:
    at = int((NOW - timedelta(days=400)).timestamp())
    accepted = [{"email": "jane@example.org", "event": "processed", "sg_event_id": "1", "timestamp": at}]
    writer = await PostgresWriter.open(database_dsn)
    await writer.put(parcel([envelope(json.dumps(accepted).encode(), provider="sendgrid")]))
    await writer.close()
    async with processor(settings_for(database_dsn, None, retention_months=1)):
        await until(lambda: logged("event.expired"), "the event to be dropped")


async def test_an_event_on_which_a_bug_of_ours_fails(pool: WriterPool, logged: Logged) -> None:
    unwritable = make_event(Kind.DELIVERED, metadata={"campaign": object()})
    committed = await BatchWriter(pool, RULES).commit([unwritable])
    assert len(committed.refused) == 1
    assert logged("event.failed")


async def test_a_webhook_on_which_a_bug_of_ours_fails(
    postgres_writer: PostgresWriter, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(bound: BoundSource) -> BoundSource:
        return replace(bound, proof=_BrokenProof())

    monkeypatch.setitem(PROVIDERS, "postmark", replace(PROVIDERS["postmark"], tailor=fail))
    sender = PostmarkSamples()
    receiver = await RunningReceiver.start(sources=[sender.source("main")], writer=postgres_writer)
    try:
        (webhook,) = sender.requests([bounce("jane@example.org")], now=NOW)
        status, _, _ = await receiver.post(webhook, "main")
    finally:
        await receiver.stop()
    assert status == 503
    assert logged("webhook.failed")


class _BrokenProof:
    """A proof with a bug."""

    unproven_bytes = 0

    def __getattr__(self, name: str) -> object:
        raise ZeroDivisionError(name)


async def test_contacts_that_take_long_to_look_at(
    pool: WriterPool, logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(pool, '"jane"@example.org', DELIVERED)
    monkeypatch.setattr(respelling, "_LOG_EVERY_SECONDS", 0.0)
    await respell(pool)
    assert logged("contacts.looked_at")


async def test_a_time_zone_that_this_machine_does_not_know(pool: WriterPool, logged: Logged) -> None:
    await an_account(pool)
    await pool.execute("UPDATE accounts SET time_zone = 'Mars/Olympus_Mons'")
    await summary_view(pool, "default", local_date=None, now=EIGHT)
    assert logged("summary.zone_unknown")


async def test_a_summary_that_cannot_be_made(pool: WriterPool, logged: Logged) -> None:
    async with smtp_server() as smtp:
        await an_account(pool)
        await blocked(pool, "jane@example.org")
        settings = replace(settings_of_summaries(smtp.port), sender="bouncekeeper@shop.example\r\n")
        await SummarySender(pool, settings, clock=lambda: EIGHT).work_off(asyncio.Event())
    assert logged("summary.failed")


async def test_a_postgres_that_a_killed_process_left_over(tmp_path: Path, logged: Logged) -> None:
    first = await EmbeddedPostgres.start(tmp_path / "data")
    first._lock.release()  # as the kernel does when its process is killed
    async with await EmbeddedPostgres.start(tmp_path / "data"):
        assert logged("service.left_over")
    await first.stop()


@root
def test_a_package_that_is_installed(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory(prefix="programs-") as folder:
        program = Path(folder) / "apt-get"
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        install_package("rabbitmq-server")
    assert logged("package.installing")


@root
def test_a_user_who_is_added(logged: Logged) -> None:
    name = f"bouncekeeper-{os.getpid()}"
    try:
        ensure_user(name)
        assert pwd.getpwnam(name).pw_shell.endswith("nologin")
    finally:
        subprocess.run(["/usr/sbin/userdel", name], check=False, capture_output=True)
    assert logged("user.added")


def test_a_port_that_gets_fewer_files_than_it_may_have_connections(tmp_path: Path) -> None:
    def allow_few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))

    log = tmp_path / "log"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "BOUNCEKEEPER_DATA_DIRECTORY": str(tmp_path),
        "BOUNCEKEEPER_POSTGRES_URL": f"postgresql://nobody@127.0.0.1:{free_port()}/nothing",
        "BOUNCEKEEPER_API_PORT": str(free_port()),
    }
    with log.open("w") as file:
        api = subprocess.Popen(
            [sys.executable, "-m", "worker", "api"],
            cwd=tmp_path,
            env=environment,
            stderr=file,
            preexec_fn=allow_few_files,  # noqa: PLW1509 - no thread holds a lock that the child would need
        )
    try:
        wait_until(lambda: "process.started" in log.read_text(), "the API to start", show=log.read_text)
        api.send_signal(signal.SIGTERM)
        api.wait(timeout=30)
    finally:
        api.kill()
        api.wait()
    keep_text(log.read_text())
    (line,) = (one for one in log.read_text().splitlines() if '"connections.limited"' in one)
    assert json.loads(line)["open_files"] == 1024
