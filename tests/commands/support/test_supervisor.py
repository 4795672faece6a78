"""The supervisor: crashes are mended, what no restart can help ends everything."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.waiting import until
from worker.commands.support.supervisor import WatchedProcess, supervise
from worker.errors import StopTheProcess


def python(name: str, code: str) -> WatchedProcess:
    return WatchedProcess(name=name, command=(sys.executable, "-c", code), environment={"COLOUR": "blue"})


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


async def run_until(path: Path, text: str, processes: list[WatchedProcess]) -> None:
    stop = asyncio.Event()
    watching = asyncio.create_task(supervise(processes, stop))

    def is_written() -> bool:
        assert not watching.done()
        return text_of(path) == text

    await until(is_written, f"{text!r} in {path.name}", show=lambda: repr(text_of(path)))
    stop.set()
    await watching


async def test_a_crash_is_mended(tmp_path: Path) -> None:
    lives = tmp_path / "lives"
    code = f"import os; open({str(lives)!r}, 'a').write('x'); os.kill(os.getpid(), 9)"
    await run_until(lives, "xx", [python("crashing", code)])


async def test_an_end_that_no_restart_can_help_ends_the_others_too(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    other = (
        "import signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(ended)!r}, 'w').write('in good order'), sys.exit(0)))\n"
        "time.sleep(60)"
    )
    misconfigured = python("misconfigured", "import sys, time; time.sleep(1); sys.exit(3)")
    with pytest.raises(StopTheProcess, match=r"misconfigured cannot run \(exit code 3\)"):
        await supervise([python("other", other), misconfigured], asyncio.Event())
    assert text_of(ended) == "in good order"


async def test_lines_stand_behind_their_process_and_its_variables_reach_it(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    done = tmp_path / "done"
    code = (
        "import os, sys, time; print('I am', os.environ['COLOUR'], flush=True); print('beside', file=sys.stderr, "
        f"flush=True); open({str(done)!r}, 'w').write('yes'); time.sleep(60)"
    )
    await run_until(done, "yes", [python("speaker", code)])
    out = capfdbinary.readouterr().out.decode()
    assert "speaker │ I am blue\n" in out
    assert "speaker │ beside\n" in out


async def test_one_that_is_ended_while_it_starts_says_nothing_of_it(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    begun = tmp_path / "begun"
    code = (
        "import time; from worker.process.interruption import end_at_once_when_asked; end_at_once_when_asked(); "
        f"print('begun', flush=True); open({str(begun)!r}, 'w').write('x'); time.sleep(60)"
    )
    await run_until(begun, "x", [python("starting", code)])
    assert capfdbinary.readouterr().out.splitlines() == ["starting │ begun".encode()]
