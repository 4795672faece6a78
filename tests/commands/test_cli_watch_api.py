"""`watch --url` from a shell: the board of the API, while it answers, while it is away, and if it refuses."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from schemas.decision import Role
from tests.api.serving import api_on, serving
from tests.commands.test_cli_watch import watch
from worker.contacts.accounts import make_accounts
from worker.contacts.tokens import make_token
from worker.local_services.process import free_port
from worker.store.intake import ALL_ACCOUNTS, Intake, note_intake, note_sign
from worker.store.pool import Pool, WriterPool

_MOST_SECONDS = 60
NOW = datetime.now(UTC)


async def token_file(pool: Pool, folder: Path, account: str | None = None) -> Path:
    made = await make_token(pool, name="board", account=account, role=Role.READER, now=NOW, actor="the test")
    assert made is not None
    path = folder / "token"
    path.write_text(f"{made.text}\n")
    return path


@asynccontextmanager
async def watching(*words: str) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
    """Gives the next board each time; at the end Ctrl-C ends it with exit code 0."""
    async with asyncio.timeout(_MOST_SECONDS):
        process = await watch(*words, "--json", "--every", "0.1")
        assert process.stdout is not None
        assert process.stderr is not None
        stdout = process.stdout

        async def board() -> dict[str, Any]:
            seen: dict[str, Any] = json.loads(await stdout.readline())
            return seen

        yield board
        process.send_signal(signal.SIGINT)
        await stdout.read()
        assert await process.stderr.read() == b""
        assert await process.wait() == 0


async def test_the_board_shows_what_the_api_tells_and_counts_what_comes_in(
    api_pool: Pool, pool: WriterPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.api.overview._FRESH_SECONDS", 0.05)
    monkeypatch.setattr("worker.api.shared_answers._REST_FACTOR", 0)
    await make_accounts(pool, ["default"], now=NOW, actor="the test")
    file = await token_file(pool, tmp_path)
    await note_sign(pool, uuid4(), oldest_age_seconds=1.5, waiting_parcels=3)
    intake = {(ALL_ACCOUNTS, "eu"): Intake(webhooks=5, last_received_at=NOW)}
    await note_intake(pool, intake)
    async with serving(api_on(api_pool)) as url, watching("--url", f"{url}/", "--token-file", str(file)) as board:
        first = await board()
        assert (first["webhooks_per_second"], first["queue_age_seconds"]) == (None, 1.5)
        assert (first["processors"], first["waiting_parcels"], first["troubles"]) == (1, 3, [])
        assert [(one["source"], one["webhooks"]) for one in first["sources"]] == [("eu", 0)]
        await note_intake(pool, intake)
        while (seen := await board())["sources"][0]["webhooks"] != 5:
            pass
        assert seen["webhooks_per_second"] > 0
        assert any("only in the log" in one for one in seen["not_shown"])


async def test_while_the_api_is_away_the_board_says_so_and_goes_on(
    api_pool: Pool, pool: WriterPool, tmp_path: Path
) -> None:
    file, port = await token_file(pool, tmp_path), free_port()
    async with watching("--url", f"http://127.0.0.1:{port}", "--token-file", str(file)) as board:
        away = await board()
        assert [one["event"] for one in away["troubles"]] == ["api.away"]
        assert "it is asked again" in away["troubles"][0]["remedy"]
        runner = web.AppRunner(api_on(api_pool))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        while "api.away" in str((await board())["troubles"]):
            pass
        await runner.cleanup()
        while "api.away" not in str((seen := await board())["troubles"]):
            pass
        assert seen["processors"] == 0, "what was known stays"


@asynccontextmanager
async def answering(status: int, body: bytes = b"", **headers: str) -> AsyncIterator[str]:
    """A server in the place of the API."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers, content_type="application/problem+json")

    app = web.Application()
    app.router.add_get("/v1/overview", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_a_token_that_is_refused_ends_it_with_what_to_do(
    api_pool: Pool, pool: WriterPool, tmp_path: Path
) -> None:
    await token_file(pool, tmp_path)
    wrong = tmp_path / "wrong"
    wrong.write_text("bk_wrong")
    async with serving(api_on(api_pool)) as url:
        process = await watch("--url", url, "--token-file", str(wrong))
        _, errors = await process.communicate()
    assert process.returncode == 3
    assert b"/v1/overview answers 401" in errors
    assert b"bouncekeeper tokens create" in errors
    assert b"bk_wrong" not in errors


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (
            403,
            {},
            b'{"detail": "This token has the role none; this route needs reader."}',
            "needs reader. Remedy: the token",
        ),
        (404, {}, b"<html>", "answers 404. Remedy: it is no API of Bouncekeeper"),
        (302, {"Location": "https://elsewhere.example/"}, b"", "answers 302. Remedy: correct --url"),
        (200, {}, b"<html>", "answers something else than an overview"),
    ],
)
async def test_what_no_waiting_mends_ends_it(
    tmp_path: Path, status: int, headers: dict[str, str], body: bytes, says: str
) -> None:
    file = tmp_path / "token"
    file.write_text("bk_a-token")
    async with answering(status, body, **headers) as url:
        process = await watch("--url", url, "--token-file", str(file))
        _, errors = await process.communicate()
    assert (process.returncode, says in errors.decode()) == (3, True), errors


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [(429, {"Retry-After": "4"}, "it wants 4 s: ask less often"), (503, {}, "whether Postgres runs")],
)
async def test_what_waiting_may_mend_is_shown_with_what_to_do(
    tmp_path: Path, status: int, headers: dict[str, str], says: str
) -> None:
    file = tmp_path / "token"
    file.write_text("bk_a-token")
    async with (
        answering(status, b'{"detail": "evil \\u001b[2J jane@example.org"}', **headers) as url,
        watching("--url", url, "--token-file", str(file)) as board,
    ):
        seen = await board()
        (trouble,) = (await board())["troubles"]
    assert seen["troubles"][0]["event"] == "api.away"
    assert says in trouble["remedy"]
    assert "\x1b" not in trouble["reason"]
    assert "jane@" not in trouble["reason"]


@pytest.mark.parametrize(
    "words",
    [
        ("--url", "https://bouncekeeper.example"),
        ("--log", "-", "--token-file", "token"),
        ("--url", "bouncekeeper.example", "--token-file", "token"),
        ("--url", "http://u:p@bouncekeeper.example", "--token-file", "token"),
        ("--url", "http://127.0.0.1:99999999", "--token-file", "token"),
        ("--url", "https://bouncekeeper.example", "--log", "-", "--token-file", "token"),
        (),
    ],
)
async def test_a_command_line_that_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "token").write_text("bk_a-token")
    process = await watch(*(str(tmp_path / "token") if word == "token" else word for word in words))
    await process.communicate()
    assert process.returncode == 2


@pytest.mark.parametrize("text", ["", "two words", "no\ncontrol"])
async def test_a_file_without_a_token_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text)
    process = await watch("--url", "https://bouncekeeper.example", "--token-file", str(tmp_path / "token"))
    _, errors = await process.communicate()
    assert process.returncode == 3
    assert b"token holds no token of the API" in errors
