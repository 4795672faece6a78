"""A service's process: the first signal asks, the second ends; one that fails takes the others along."""

import asyncio
import signal
import subprocess
import sys

import pytest

from worker.commands.support.exit_code import ExitCode
from worker.commands.support.running import run_together
from worker.errors import ImpossibleSetting

# A service that notes the first signal and then takes its time.
SLOW = """
import asyncio
from worker.commands.support.running import run_service
from worker.settings.configuration import load_settings

settings = load_settings(config_file=None, environment={}, overrides={}, needs=())

async def work(stop):
    print("ready", flush=True)
    await stop.wait()
    print("asked", flush=True)
    await asyncio.sleep(60)

run_service(settings, "slow", work)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process_at_once(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == "ready\n"
        process.send_signal(number)
        assert output.readline() == "asked\n"
        process.send_signal(number)
        assert process.wait(timeout=10) == ExitCode.INTERRUPTED


async def test_a_service_that_fails_makes_the_others_stop_in_good_order() -> None:
    ended = []

    async def failing(_stop: asyncio.Event) -> None:
        raise ImpossibleSetting("no port")

    async def faithful(stop: asyncio.Event) -> None:
        await stop.wait()
        ended.append("in good order")

    with pytest.raises(ImpossibleSetting, match="no port"):
        await run_together(asyncio.Event(), faithful, failing, faithful)
    assert ended == ["in good order"] * 2


async def test_several_failures_are_all_reported() -> None:
    async def failing(_stop: asyncio.Event) -> None:
        raise ImpossibleSetting("no port")

    with pytest.raises(ExceptionGroup) as caught:
        await run_together(asyncio.Event(), failing, failing)
    assert len(caught.value.exceptions) == 2
