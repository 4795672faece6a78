"""`watch` from a shell: lines for scripts, and an end at Ctrl-C and at the end of the stream."""

import asyncio
import json
import os
import pty
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.surroundings import REPOSITORY

_MOST_SECONDS = 60


def accepted(source: str) -> str:
    now = datetime.now(UTC).isoformat()
    return json.dumps({"timestamp": now, "level": "info", "event": "webhook.accepted", "source": source}) + "\n"


async def watch(*words: str, stdin: bytes | None = None) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "watch", *words),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if stdin is not None and process.stdin is not None:
        process.stdin.write(stdin)
        process.stdin.close()
    return process


async def test_a_stream_is_watched_to_its_end() -> None:
    stream = (accepted("eu") + "no json\n" + accepted("eu")).encode()
    async with asyncio.timeout(_MOST_SECONDS):
        plain = await watch("--log", "-", stdin=stream)
        output, errors = await plain.communicate()
        as_json = await watch("--log", "-", "--json", stdin=stream)
        encoded, _ = await as_json.communicate()

    assert (plain.returncode, as_json.returncode, errors) == (0, 0, b"")
    assert (
        output.decode()
        .splitlines()[-1]
        .endswith("queue age unknown, changed 0, trouble: none, lines that are no JSON: 1")
    )
    board = json.loads(encoded.splitlines()[-1])
    assert (board["lines"], board["unreadable"]) == (3, 1)
    assert (board["sources"][0]["source"], board["sources"][0]["webhooks"]) == ("eu", 2)


async def test_a_file_is_watched_until_ctrl_c(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(accepted("eu"))
    async with asyncio.timeout(_MOST_SECONDS):
        process = await watch("--log", str(log), "--json", "--every", "0.1")
        assert process.stdout is not None
        assert process.stderr is not None
        await process.stdout.readline()
        log.rename(tmp_path / "log.1")
        log.write_text(accepted("us"))
        while json.loads(await process.stdout.readline())["lines"] < 2:
            pass
        process.send_signal(signal.SIGINT)
        await process.stdout.read()
        assert await process.stderr.read() == b""
        assert await process.wait() == 0


async def test_on_a_terminal_it_is_a_board_that_is_taken_away_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(accepted("eu-newsletter"))
    master, slave = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", "watch", "--log", str(log), "--every", "0.1"),
        cwd=REPOSITORY,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    loop, seen = asyncio.get_running_loop(), b""
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            while b"eu-newsletter" not in seen:
                seen += await loop.run_in_executor(None, os.read, master, 65_536)
            process.send_signal(signal.SIGINT)
            while b"\x1b[?1049l" not in seen:  # the former screen comes back
                seen += await loop.run_in_executor(None, os.read, master, 65_536)
            assert await process.wait() == 0
    finally:
        os.close(master)
    assert b"Nothing is wrong" in seen
    assert b"Traceback" not in seen


async def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with asyncio.timeout(_MOST_SECONDS):
        process = await watch("--log", str(tmp_path / "nothing"))
        _, errors = await process.communicate()
    assert process.returncode == 3
    assert b"nothing cannot be read: No such file or directory" in errors
