"""The command `mailbox` as an operator runs it: its answers, its exit codes, and what a kill -9 costs."""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from schemas.vocabulary import Cause, Kind
from tests.docs.log_examples import keep_text
from tests.mailbox.imap_server import PASSWORD, USER, ImapServer, running_imap_server
from tests.mailbox.relay import relaying
from tests.waiting import until
from worker.commands.support.exit_code import ExitCode
from worker.local_services.process import asks_for_death_signal, free_port
from worker.processor.service import run_processor
from worker.samples.mail_message import delivery_status
from worker.samples.sample import SampleEvent
from worker.settings.configuration import load_settings

pytestmark = pytest.mark.slow

TOKEN_SECRET = "a-token-secret-for-the-tests"
REPOSITORY = Path(__file__).resolve().parents[2]
BOUNCE = delivery_status(
    SampleEvent(
        address="jane@example.org",
        kind=Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        occurred_at=datetime.now(UTC) - timedelta(hours=1),
        message_id="m1",
    ),
    "failed",
    token_secret=TOKEN_SECRET,
    dated=False,  # the hardest case: nothing but the mailbox says when it was
)


def configuration(folder: Path, dsn: str, port: int, **options: str) -> Path:
    """A configuration whose one source has the mailbox at this port."""
    (folder / "imap-password").write_text(PASSWORD + "\n")
    source = {
        "provider": "mail",
        "account": "shop",
        "token_secrets": [TOKEN_SECRET],
        "imap_host": "127.0.0.1",
        "imap_port": port,
        "imap_tls": "none",
        "imap_user": USER,
        "imap_password_file": "imap-password",
        "imap_verify_dkim": False,
        **options,
    }
    lines = ["[postgres]", f'url = "{dsn}"', "[queue]", 'adapter = "postgres"', "[sources.bounces]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in source.items()]
    file = folder / "bouncekeeper.toml"
    file.write_text("\n".join(lines) + "\n")
    return file


@asynccontextmanager
async def started(config: Path, *words: str, command: str = "mailbox") -> AsyncIterator[Process]:
    """The command as a process of its own, ended in the end whatever happens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", command, "--config", str(config), *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=REPOSITORY,
        preexec_fn=asks_for_death_signal(signal.SIGKILL),
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def ran(config: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, output and error output."""
    async with started(config, *words) as process, asyncio.timeout(60):
        output, errors = await process.communicate()
        return process.returncode or 0, output.decode(), errors.decode()


async def test_once_takes_what_is_there_and_says_how_much(
    imap_server: ImapServer, database_dsn: str, tmp_path: Path
) -> None:
    imap_server.put(BOUNCE)
    config = configuration(tmp_path, database_dsn, imap_server.port)
    code, output, errors = await ran(config, "--dry-run", "--json")
    assert (code, errors) == (ExitCode.OK, "")
    (row,) = json.loads(output)
    assert (row["source"], row["size_bytes"], row["would_be"]) == ("bounces", len(BOUNCE), "fetched")
    code, output, errors = await ran(config, "--once", "--json")
    assert json.loads(output) == {"queued": 1, "postponed": 0, "passed_over": 0}
    assert code == ExitCode.OK
    assert PASSWORD not in errors
    assert (await ran(config, "--once", "bounces"))[1].startswith("0 mails queued")


async def test_a_mail_that_is_left_gives_1(imap_server: ImapServer, database_dsn: str, tmp_path: Path) -> None:
    imap_server.put(BOUNCE + b"x" * 2_000)
    config = configuration(tmp_path, database_dsn, imap_server.port)
    code, output, _ = await ran(config, "--once", "--mailbox-max-message-bytes", "1024")
    assert code == ExitCode.NO
    assert "1 passed over" in output


async def test_a_server_that_does_not_let_us_in_gives_3_and_one_that_is_away_4(
    imap_server: ImapServer, database_dsn: str, tmp_path: Path
) -> None:
    code, _, errors = await ran(configuration(tmp_path, database_dsn, imap_server.port, imap_user="x"), "--once")
    assert (code, "check imap_user and imap_password" in errors) == (ExitCode.IMPOSSIBLE_SETTING, True)
    code, _, errors = await ran(configuration(tmp_path, database_dsn, free_port()), "--once")
    assert (code, "cannot be reached" in errors) == (ExitCode.UNAVAILABLE, True)


async def test_a_source_without_a_mailbox_is_reported_with_the_remedy(
    imap_server: ImapServer, database_dsn: str, tmp_path: Path
) -> None:
    code, _, errors = await ran(configuration(tmp_path, database_dsn, imap_server.port), "--once", "mandrill")
    assert code == ExitCode.IMPOSSIBLE_SETTING
    assert "source mandrill has no mailbox" in errors


async def test_without_any_mailbox_it_says_so_once_and_waits_since_it_would_be_started_again_for_ever(
    database_dsn: str, tmp_path: Path
) -> None:
    config = tmp_path / "bouncekeeper.toml"
    config.write_text(f'[postgres]\nurl = "{database_dsn}"\n[queue]\nadapter = "postgres"\n')
    assert (await ran(config, "--once"))[0] == ExitCode.IMPOSSIBLE_SETTING
    probes = free_port()
    async with started(config, "--mailbox-port", str(probes)) as process, aiohttp.ClientSession() as client:

        async def healthy() -> bool:
            async with client.get(f"http://127.0.0.1:{probes}/readyz") as answer:
                return answer.status == 200

        await until(healthy, "the process to be ready", seconds=60, not_yet=aiohttp.ClientConnectionError)
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == ExitCode.OK
    assert [json.loads(line)["event"] for line in errors.splitlines()].count("mailbox.not_configured") == 1


async def test_killed_between_queue_and_flag_a_bounce_is_fetched_again_and_counts_once(
    imap_server: ImapServer, database_dsn: str, tmp_path: Path
) -> None:
    imap_server.put(BOUNCE)
    async with relaying(imap_server.port, hold_at=b"UID STORE") as relay:
        config = configuration(tmp_path, database_dsn, relay.port)
        async with started(config, "--once") as process:
            await asyncio.wait_for(relay.held.wait(), 60)
            process.send_signal(signal.SIGKILL)
            await process.wait()
    assert imap_server.found("UNFLAGGED") == 1
    config = configuration(tmp_path, database_dsn, imap_server.port)
    assert (await ran(config, "--once"))[0] == ExitCode.OK
    assert imap_server.found("FLAGGED") == 1
    settings = load_settings(config_file=config, environment={}, overrides={})
    stop = asyncio.Event()
    processor = asyncio.create_task(run_processor(settings, stop))
    try:
        connection = await asyncpg.connect(database_dsn)

        async def is_processed() -> bool:
            return await connection.fetchval("SELECT count(*) FROM contacts") == 1 and not await _parcels(connection)

        await until(is_processed, "the contact, and an empty queue")
        assert await connection.fetchval("SELECT count(*) FROM log") == 1
        assert await connection.fetchval("SELECT count(*) FROM dead_letters") == 0
        await connection.close()
    finally:
        stop.set()
        await processor


async def _parcels(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    return int(await connection.fetchval("SELECT count(*) FROM parked_deliveries"))


async def test_it_runs_on_while_the_server_is_away_and_takes_what_came_meanwhile(
    database_dsn: str, tmp_path: Path
) -> None:
    port, probes = free_port(), free_port()
    with running_imap_server(port=port) as server:
        config = configuration(tmp_path, database_dsn, port)
        words = ("--mailbox-poll-every-seconds", "0.5", "--mailbox-port", str(probes))
        async with started(config, *words) as process, aiohttp.ClientSession() as client:

            async def ready() -> bool:
                with contextlib.suppress(aiohttp.ClientError):
                    async with client.get(f"http://127.0.0.1:{probes}/readyz") as answer:
                        return answer.status == 200
                return False

            async def not_ready() -> bool:
                return not await ready()

            await until(ready, "the process to be ready", seconds=60)
            server.stop()
            await until(not_ready, "the process to be no longer ready", seconds=60)
            with running_imap_server(port=port) as again:
                await asyncio.to_thread(again.put, BOUNCE)
                flagged = partial(asyncio.to_thread, again.found, "FLAGGED")
                await until(flagged, "the mail to be flagged", seconds=60)
                await until(ready, "the process to be ready again", seconds=60)
                async with client.get(f"http://127.0.0.1:{probes}/metrics") as answer:
                    shown = await answer.text()
                assert 'bouncekeeper_fetched_mails_total{outcome="queued",source="bounces"} 1.0' in shown
                assert 'bouncekeeper_mailbox_available{source="bounces"} 1.0' in shown
                process.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(process.wait(), 30) == ExitCode.OK


async def test_up_fetches_too_and_a_mailbox_that_refuses_it_stops_nothing_else(
    imap_server: ImapServer, database_dsn: str, tmp_path: Path
) -> None:
    config = configuration(tmp_path, database_dsn, imap_server.port)
    refused = config.read_text().replace("[sources.bounces]", "[sources.refused]").partition("[sources.refused]")[2]
    with config.open("a") as file:
        file.write("[sources.refused]\n" + refused.replace(USER, "somebody@example.org"))
    imap_server.put(BOUNCE)
    ports = (free_port(), free_port())
    words = ("--receiver-port", str(ports[0]), "--api-port", str(ports[1]), "--mailbox-poll-every-seconds", "0.5")
    async with started(config, *words, command="up") as process:
        connection = await asyncpg.connect(database_dsn)
        question = "SELECT count(*) FROM contacts WHERE account = 'shop' AND address = 'jane@example.org'"
        await until(lambda: connection.fetchval(question), "the contact", seconds=60)
        await connection.close()
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == ExitCode.OK
    keep_text(errors.decode())
    lost = [line for line in errors.decode().splitlines() if '"mailbox.lost"' in line]
    assert lost
    assert all(json.loads(line)["source"] == "refused" for line in lost)
    assert not [line for line in errors.decode().splitlines() if "somebody@" in line or PASSWORD in line]
