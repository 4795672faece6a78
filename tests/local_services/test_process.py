"""Children of the event loop: a signal that comes too late does not take their exit status away."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.waiting import wait_until
from worker.local_services.process import signal_child

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfd and /proc are Linux")


@pytest.fixture
async def _loop_that_reaps_by_itself() -> AsyncIterator[None]:
    """Children are reaped by the event loop in its next turn, and not by a thread, which may be faster or slower."""
    policy, watcher = asyncio.get_event_loop_policy(), asyncio.PidfdChildWatcher()
    before = policy.get_child_watcher()
    watcher.attach_loop(asyncio.get_running_loop())
    policy.set_child_watcher(watcher)
    yield
    policy.set_child_watcher(before)


def has_ended(pid: int) -> bool:
    """True if it is dead, though nobody has asked for its exit status."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.usefixtures("_loop_that_reaps_by_itself")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_child_that_is_signalled_just_after_its_end_has_its_own_exit_status(number: signal.Signals) -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "raise SystemExit(7)")
    wait_until(lambda: has_ended(child.pid), "the child's end")  # meanwhile the loop has no turn
    signal_child(child, number)
    assert await child.wait() == 7


async def test_a_child_that_runs_gets_the_signal_and_one_that_was_reaped_does_not() -> None:
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    signal_child(child, signal.SIGTERM)
    assert await child.wait() == -signal.SIGTERM
    signal_child(child, signal.SIGKILL)
    assert child.returncode == -signal.SIGTERM
