"""Webhooks out from running processors: killed in the middle, taken over, listed and enabled by a person."""

import asyncio
import base64
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from schemas.vocabulary import Cause, Kind
from tests.processor.application import Application, application
from tests.schemas.feedback_events import START, make_event
from tests.waiting import until
from worker.commands.support.exit_code import ExitCode
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START - timedelta(days=1))
SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


@pytest.fixture
async def app() -> AsyncIterator[Application]:
    async with application(SECRET) as running:
        yield running


class Installation:
    """A configuration with one endpoint, and processes that run with it."""

    def __init__(self, folder: Path, dsn: str, app: Application) -> None:
        self._folder = folder
        self._processors: list[Process] = []
        (folder / "bouncekeeper.toml").write_text(
            f"""
[postgres]
url = "{dsn}"
[queue]
adapter = "postgres"
[processor]
relay_every_seconds = 0.05
[endpoints.crm]
url = "{app.url}"
secrets = ["{SECRET}"]
"""
        )

    async def start_processor(self) -> Process:
        process = await self._start("processor", stdout=DEVNULL)
        self._processors.append(process)
        return process

    async def command(self, *words: str, expected: int = 0) -> Any:
        process = await self._start(*words, "--json", stdout=PIPE)
        printed, _ = await process.communicate()
        assert process.returncode == expected, printed
        return json.loads(printed)

    async def endpoint(self, *, expected: int = 0) -> dict[str, Any]:
        """The only line of `endpoints list`."""
        answer = await self.command("endpoints", "list", expected=expected)
        (only,) = answer["endpoints"]
        found: dict[str, Any] = only
        return found

    async def stop(self) -> None:
        for processor in self._processors:
            if processor.returncode is None:
                processor.kill()
                await processor.wait()

    async def _start(self, *words: str, stdout: int) -> Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BOUNCEKEEPER_")}
        with (self._folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "worker", *words, "--config", str(self._folder / "bouncekeeper.toml")),
                env={**kept, "PYTHONPATH": str(REPOSITORY)},
                stdout=stdout,
                stderr=log,
            )


@pytest.fixture
async def installation(tmp_path: Path, database_dsn: str, app: Application) -> AsyncIterator[Installation]:
    one = Installation(tmp_path, database_dsn, app)
    yield one
    await one.stop()


async def complain(pool: WriterPool, *addresses: str) -> None:
    for address in addresses:
        event = make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, address=address)
        async with writing(pool) as connection:
            await apply_events(connection, [event], rules=RULES, now=START)


async def until_known(pool: WriterPool) -> None:
    """Waits for a processor to have taken the endpoint's place in the feed."""
    await until(lambda: pool.fetchval("SELECT count(*) FROM feed_followers"), "a processor that knows the endpoint")


async def test_processors_killed_in_the_middle_lose_nothing_and_change_no_order(
    pool: WriterPool, installation: Installation, app: Application
) -> None:
    processor = await installation.start_processor()
    await until_known(pool)
    addresses = [f"gone{number}@example.org" for number in range(120)]
    await complain(pool, *addresses)
    for goal in (20, 60, 90):
        await until(partial(app.has_heard_of, goal), f"{goal} addresses")
        other = await installation.start_processor()
        processor.send_signal(signal.SIGKILL)
        await processor.wait()
        processor = other
    await until(partial(app.has_heard_of, len(addresses)), "every address")

    assert list(dict.fromkeys(app.addresses)) == addresses
    repeated = len(app.addresses) - len(addresses)
    assert repeated <= 3, "a kill repeats the one message that was under way"
    assert [change.message_id for change in app.taken] == [
        change.message_id for change in sorted(app.taken, key=lambda one: int(one.cursor.split("-")[0]))
    ]


async def test_a_person_sees_how_an_endpoint_fares_and_enables_it_again(
    pool: WriterPool, installation: Installation, app: Application
) -> None:
    answer = await installation.endpoint()
    assert (answer["name"], answer["state"]) == ("crm", "no processor knows it yet")
    await installation.command("endpoints", "enable", "crm", expected=ExitCode.NO)
    await installation.start_processor()
    await until_known(pool)
    app.status = 410
    await complain(pool, "first@example.org")
    await until(lambda: app.attempts, "an attempt")

    async def is_disabled() -> bool:
        return bool((await installation.endpoint(expected=ExitCode.NO))["state"] == "disabled")

    await until(is_disabled, "the endpoint to be disabled")
    answer = await installation.endpoint(expected=ExitCode.NO)
    assert (answer["waiting"], answer["failure"], answer["statuses"]) == (1, "it answered 410", "all")

    app.status = 200
    await installation.command("endpoints", "enable", "crn", expected=ExitCode.IMPOSSIBLE_SETTING)
    await installation.command("endpoints", "enable", "crm", "--after", "9-00000000", expected=ExitCode.NO)
    assert await installation.command("endpoints", "enable", "crm") == {"endpoint": "crm", "enabled": True}
    await until(lambda: app.addresses == ["first@example.org"], "the message that waited")

    async def has_all() -> bool:
        return not (await installation.endpoint())["waiting"]

    await until(has_all, "nothing to wait any more")
    await installation.command("endpoints", "forget", "crm", expected=ExitCode.IMPOSSIBLE_SETTING)
    await installation.command("endpoints", "forget", "old-crm", expected=ExitCode.NO)
    await pool.execute("INSERT INTO feed_followers VALUES ('endpoint old-crm', 0, 0, 0)")
    assert await installation.command("endpoints", "forget", "old-crm") == {"endpoint": "old-crm", "forgotten": True}
    await installation.command("endpoints", "enable", "crm", "--after", "0-0")
    await until(lambda: app.addresses == ["first@example.org"] * 2, "the same message again")
