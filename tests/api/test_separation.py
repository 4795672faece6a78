"""A reader of one account learns nothing of another: whatever he asks, and whatever was reported about both."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.decision import Role
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.api.conftest import TOKEN, Store
from tests.api.serving import api_on, serving
from tests.properties import examples
from tests.schemas.feedback_events import START, make_event
from tests.stored_contacts import EMPTY_LOG
from worker.contacts.accounts import make_accounts
from worker.contacts.tokens import make_token
from worker.store import status_feed
from worker.store.pool import Pool, WriterPool
from worker.store.status_feed import changes_after

MINE, THEIRS, NOBODYS = "mine-4711", "theirs-4711", "nobody-4711"
# In every text of the other account's events, and in no other.
MARK = "zeppelin"
CAMPAIGNS = ("spring", "autumn", None)  # of both
SHARED = ("jane@example.org", "joe@example.org")
KINDS = (Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.COMPLAINT, Kind.UNSUBSCRIBE, Kind.DELIVERED, Kind.OPENED)


@st.composite
def reports(draw: st.DrawFn) -> list[FeedbackEvent]:
    """Events of both accounts, of the same and of different addresses; those of the other one are marked."""
    events = []
    for number in range(draw(st.integers(2, 12))):
        theirs = draw(st.booleans())
        event = make_event(
            draw(st.sampled_from(KINDS)),
            cause=draw(st.sampled_from((Cause.MAILBOX_FULL, Cause.MAILBOX_DOES_NOT_EXIST))),
            day=number,
            account=THEIRS if theirs else MINE,
            address=draw(st.sampled_from(SHARED)) if draw(st.booleans()) else f"{MARK * theirs}x{number}@example.org",
            key=f"{theirs} {number}",
            campaign=draw(st.sampled_from(CAMPAIGNS)),
        )
        if theirs:
            event = msgspec.structs.replace(
                event, message_id=MARK, diagnostic=f"550 {MARK}", vendor_event=MARK, tags=(MARK,), metadata={MARK: MARK}
            )
        events.append(event)
    return events


class Reader:
    """Somebody with a token of one account."""

    def __init__(self, client: ClientSession, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, **request: object) -> tuple[int, str]:
        async with self._client.request(method, path, headers=self._headers, **request) as response:  # type: ignore[arg-type]
            return response.status, await response.text()

    async def everything(self, account: str | None, addresses: Sequence[str]) -> list[tuple[int, str]]:
        """Each route about each address, and the whole feed."""
        named = {} if account is None else {"account": account}
        answers = [await self.ask("POST", "/v1/check", json={"addresses": list(addresses), **named})]
        for address in addresses:
            answers.append(await self.ask("GET", f"/v1/contacts/{address}", params=named))
            answers.append(await self.ask("GET", f"/v1/contacts/{address}/explanation", params=named))
        for campaign in ("spring", "autumn"):
            answers.append(await self.ask("GET", f"/v1/campaigns/{campaign}", params=named))
            answers.append(await self.ask("GET", f"/v1/campaigns/{campaign}/recipients", params=named))
        after = "0-0"
        while True:
            status, text = await self.ask("GET", "/v1/status-changes", params={"after": after, "limit": "2"})
            answers.append((status, text))
            if (following := json.loads(text)["next"]) == after:
                return answers
            after = following


@pytest.fixture
async def url(pool: Pool) -> AsyncIterator[str]:
    app = api_on(pool, source_accounts=())
    async with serving(app) as address:
        yield address


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(events=reports())
async def test_nothing_in_any_answer_is_of_another_account(
    url: str, pool: WriterPool, store: Store, events: list[FeedbackEvent]
) -> None:
    await pool.execute(f"{EMPTY_LOG}, tokens CASCADE")
    await make_accounts(pool, [MINE, THEIRS], now=START, actor="jane")
    made = await make_token(pool, name="reader", account=MINE, role=Role.ADMINISTRATOR, now=START, actor="jane")
    assert made is not None
    await store(events)
    addresses = sorted({event.address for event in events if event.address})
    async with ClientSession(url) as client:
        reader = Reader(client, made.text)
        mine = await reader.everything(None, addresses)
        theirs = await reader.everything(THEIRS, addresses)
        nobodys = await reader.everything(NOBODYS, addresses)
    secrets = {MARK, THEIRS}
    secrets |= {event.event_key.hex() for event in events if event.account == THEIRS}
    secrets |= {
        str(record["message_id"])
        for record in await pool.fetch("SELECT message_id FROM status_changes WHERE account = $1", THEIRS)
    }
    asked = {address for address in addresses if MARK in address}
    for _, text in mine:
        told = text
        for address in asked:  # the question itself comes back
            told = told.replace(address, "")
        assert not [secret for secret in secrets if secret in told]
    assert [(status, text.replace(THEIRS, "?")) for status, text in theirs] == [
        (status, text.replace(NOBODYS, "?")) for status, text in nobodys
    ]


async def test_the_feed_of_an_account_holds_its_changes_alone_and_knows_no_place_of_others(
    url: str, pool: WriterPool, store: Store
) -> None:
    for number in range(6):
        account = THEIRS if number % 2 else MINE
        await store(
            [make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, account=account, address=f"{number}@example.org")]
        )
    all_changes = await changes_after(pool, "0-0", limit=10)
    assert len(all_changes) == 6
    made = await make_token(pool, name="reader", account=MINE, role=Role.READER, now=START, actor="jane")
    assert made is not None
    async with ClientSession(url) as client:
        reader = Reader(client, made.text)
        status, text = await reader.ask("GET", "/v1/status-changes")
        assert [change["address"] for change in json.loads(text)["changes"]] == [
            "0@example.org",
            "2@example.org",
            "4@example.org",
        ]
        status, text = await reader.ask("GET", "/v1/status-changes", params={"after": all_changes[2].cursor})
        assert [change["address"] for change in json.loads(text)["changes"]] == ["4@example.org"]
        status, text = await reader.ask("GET", "/v1/status-changes", params={"after": all_changes[1].cursor})
        assert (status, json.loads(text)["type"]) == (410, "urn:bouncekeeper:problem:cursor-gone")
        status, nothing = await reader.ask("GET", "/v1/status-changes", params={"after": all_changes[4].cursor})
        assert json.loads(nothing) == {"changes": [], "next": all_changes[4].cursor}


async def test_the_feed_of_an_account_is_read_without_reading_the_changes_of_others(pool: WriterPool) -> None:
    await pool.execute(
        """
        WITH made AS (
            INSERT INTO contacts (account, channel, address, first_seen_at)
            SELECT CASE WHEN n % 1000 = 0 THEN $1 ELSE $2 END, 'email', n || '@example.org', now()
              FROM generate_series(1, 20000) n RETURNING id
        )
        INSERT INTO status_changes
            (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks, cause, actor)
        SELECT id, now(), 'new', 'complained', 'none', 'all', 'none', 'events' FROM made
        """,
        MINE,
        THEIRS,
    )
    while await pool.fetchval("SELECT number_status_changes(5000)"):
        pass
    await pool.execute("VACUUM ANALYZE status_changes, contacts")
    assert len(await changes_after(pool, "0-0", limit=100, account=MINE)) == 20
    async with pool.acquire() as connection:
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        statement, *parameters = status_feed._AFTER_OF_ACCOUNT(position=0, limit=100, account=MINE)
        await connection.execute(f"PREPARE asked AS {statement}")
        given = ", ".join(f"'{parameter}'" for parameter in parameters)
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE asked ({given})"))
        await connection.execute("DEALLOCATE asked")
    assert "Index Scan using status_changes_account" in plan
    assert "Sort" not in plan
    assert "Seq Scan" not in plan


async def test_a_token_of_all_accounts_sees_all(url: str, pool: WriterPool, store: Store) -> None:
    await store([make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, account=one) for one in (MINE, THEIRS)])
    made = await make_token(pool, name="all", account=None, role=Role.READER, now=datetime.now(UTC), actor="jane")
    assert made is not None
    assert made.text != TOKEN
    async with ClientSession(url) as client:
        _, text = await Reader(client, made.text).ask("GET", "/v1/status-changes")
    assert {change["account"] for change in json.loads(text)["changes"]} == {MINE, THEIRS}
