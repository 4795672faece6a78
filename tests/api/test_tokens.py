"""Tokens of the database over real HTTP: valid at once, revoked within seconds, known while Postgres is away."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from aiohttp import ClientSession

from schemas.decision import Role
from schemas.source import Secret
from tests.api.serving import api_on, serving
from tests.schemas.feedback_events import START
from tests.waiting import until
from worker.api.known_tokens import FRESH_SECONDS, KnownTokens
from worker.api.schema_doubt import SchemaDoubt
from worker.contacts.accounts import make_accounts
from worker.contacts.principal import Principal
from worker.contacts.tokens import TOKEN_MARK, end_tokens, make_token, token_digest
from worker.errors import StoreUnavailable
from worker.local_services.postgres import EmbeddedPostgres
from worker.settings.tree import ApiSettings
from worker.store.pool import Connection, Pool, open_pool

WRONG = TOKEN_MARK + "0" * 64


async def created(
    pool: Pool, name: str = "crm", account: str | None = None, role: Role = Role.READER
) -> tuple[int, str]:
    made = await make_token(pool, name=name, account=account, role=role, now=START, actor="jane")
    assert made is not None
    return made.token.id, made.text


async def whose(tokens: KnownTokens, text: str) -> Principal | None:
    return await tokens.find(text, token_digest(text), is_worth_reading=True)


@pytest.fixture
async def url(pool: Pool) -> AsyncIterator[str]:
    """An API whose tokens are all in the database."""
    app = api_on(pool)
    async with serving(app) as address:
        yield address


async def status(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    async with ClientSession(url, headers=headers) as client, client.get("/v1/status-changes") as response:
        return response.status


async def test_a_token_is_valid_from_the_moment_on_at_which_it_is_made(url: str, pool: Pool) -> None:
    for number in range(5):
        assert await status(url, WRONG) == 401  # the tokens were read just now
        _, text = await created(pool, f"crm {number}")
        assert await status(url, text) == 200


async def test_a_revoked_token_is_refused_within_seconds_and_the_other_ones_stay_valid(url: str, pool: Pool) -> None:
    """As while one is rotated."""
    old_id, old = await created(pool, "crm")
    _, new = await created(pool, "crm 2026")
    assert [await status(url, old), await status(url, new)] == [200, 200]
    await end_tokens(pool, [old_id], now=START, actor="jane")
    revoked_at = time.monotonic()
    await until(lambda: _is_refused(url, old), "the token is refused")
    assert time.monotonic() - revoked_at < FRESH_SECONDS + 3
    assert await status(url, new) == 200
    assert await created(pool, "crm")  # the name is free again


async def _is_refused(url: str, token: str) -> bool:
    return await status(url, token) == 401


async def test_of_two_tokens_one_has_the_name(pool: Pool) -> None:
    await created(pool, "crm")
    assert await make_token(pool, name="crm", account=None, role=Role.READER, now=START, actor="joe") is None


async def test_when_a_token_was_used_last_is_kept_and_not_more_often_than_once_a_minute(url: str, pool: Pool) -> None:
    token_id, text = await created(pool)
    _, unused = await created(pool, "unused")
    assert await status(url, text) == 200

    async def is_noted() -> bool:
        return await pool.fetchval("SELECT last_used_at FROM tokens WHERE id = $1", token_id) is not None

    await until(is_noted, "its use is noted")
    noted = await pool.fetchval("SELECT xmin::text FROM tokens WHERE id = $1", token_id)
    for _ in range(20):
        assert await status(url, text) == 200
    assert await pool.fetchval("SELECT xmin::text FROM tokens WHERE id = $1", token_id) == noted
    assert await pool.fetchval("SELECT last_used_at FROM tokens WHERE name = 'unused'") is None
    assert unused


async def test_neither_text_nor_hash_of_a_token_is_logged(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    token_id, text = await created(pool, "crm", role=Role.OPERATOR)
    await end_tokens(pool, [token_id], now=START + timedelta(days=1), actor="joe")
    await asyncio.sleep(0)  # lines are written at the end of a turn of the loop
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [line for line in lines if line["event"].startswith("token.")]
    assert [(line["event"], line["token"], line["actor"], line["role"]) for line in told] == [
        ("token.created", "crm", "jane", "operator"),
        ("token.revoked", "crm", "joe", "operator"),
    ]
    stored = await pool.fetchrow("SELECT * FROM tokens")
    assert stored is not None
    assert stored["hash"] == token_digest(text)
    assert text.startswith(stored["prefix"])
    for shown in (str(lines), str({**stored, "hash": None})):
        assert text not in shown
        assert token_digest(text).hex() not in shown


async def test_wrong_tokens_cost_postgres_next_to_nothing(database_dsn: str) -> None:
    statements: list[str] = []

    async def listen(connection: Connection) -> None:
        connection.add_query_logger(lambda query: statements.append(query.query))

    pool = await open_pool(database_dsn, connections=2, command_timeout_seconds=10, prepare=listen)
    try:
        tokens = KnownTokens([], pool, SchemaDoubt(pool))
        began_at = time.monotonic()
        wrong = [TOKEN_MARK + f"{number:064x}" for number in range(300)]
        for text in wrong[:3]:
            assert await whose(tokens, text) is None
        for text in wrong:
            assert await tokens.find(text, token_digest(text), is_worth_reading=False) is None
        for _ in range(300):  # a script with a token that was revoked
            assert await whose(tokens, wrong[0]) is None
        for number in range(300):  # none of ours
            assert await whose(tokens, f"guess {number}") is None
        asked = [statement for statement in statements if "FROM tokens" in statement]
        assert 1 <= len(asked) <= 2 + (time.monotonic() - began_at) / 0.5
    finally:
        await pool.close()


@pytest.mark.slow
async def test_while_postgres_is_away_known_tokens_are_known_and_nobody_is_told_that_his_is_wrong(
    stoppable_postgres: EmbeddedPostgres, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = await open_pool(stoppable_postgres.dsn, connections=2, command_timeout_seconds=5)
    try:
        _, text = await created(pool)
        app = api_on(pool, settings=ApiSettings(tokens=(Secret("a-token-of-the-configuration"),)))
        async with serving(app) as url:
            assert await status(url, text) == 200
            await stoppable_postgres.stop()
            capsys.readouterr()
            for token, expected in (
                (text, 503),
                ("a-token-of-the-configuration", 503),
                (TOKEN_MARK + "1" * 64, 503),  # it may have been made since
                ("not-one-of-ours", 401),
            ):
                assert await status(url, token) == expected
            began_at = time.monotonic()
            for number in range(100):
                assert await status(url, TOKEN_MARK + f"{number:064x}") == 503
            assert time.monotonic() - began_at < 20
    finally:
        pool.terminate()


async def test_a_database_that_is_restored_makes_no_token_wrong(database_dsn: str) -> None:
    """Restoring a backup makes the tables before it fills them."""
    pool = await open_pool(database_dsn, connections=2, command_timeout_seconds=10)
    try:
        _, text = await created(pool)
        tokens = KnownTokens([], pool, SchemaDoubt(pool))
        assert await whose(tokens, text)
        await pool.execute("ALTER TABLE tokens RENAME TO tokens_away")
        await pool.execute("DELETE FROM _yoyo_migration")
        with pytest.raises(StoreUnavailable):
            await whose(tokens, WRONG)
        await pool.execute("CREATE TABLE tokens (LIKE tokens_away)")
        found = await whose(tokens, text)
        assert found is not None
        assert found.name == "crm"
    finally:
        await pool.close()


async def test_a_token_needs_an_account_that_exists(pool: Pool) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await created(pool, account="nosuch")
    await make_accounts(pool, ["shop"], now=START, actor="jane")
    assert await created(pool, account="shop")


@pytest.mark.parametrize(
    ("has", "needs", "may"),
    [
        (Role.READER, Role.READER, True),
        (Role.READER, Role.OPERATOR, False),
        (Role.OPERATOR, Role.OPERATOR, True),
        (Role.OPERATOR, Role.READER, True),
        (Role.OPERATOR, Role.ADMINISTRATOR, False),
        (Role.ADMINISTRATOR, Role.OPERATOR, True),
    ],
)
def test_each_role_may_do_what_the_one_before_it_may(has: Role, needs: Role, *, may: bool) -> None:
    principal = Principal(token_id=1, name="crm", role=has, account=None)
    assert principal.may_act_as(needs) is may
