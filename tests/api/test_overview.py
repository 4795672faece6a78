"""The overview tells what happens now, of one account or of all, and many boards cost as much as one."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession

from schemas.decision import Role
from schemas.vocabulary import Cause, Kind
from tests.api.conftest import Store
from tests.api.serving import api_on, serving
from tests.schemas.feedback_events import START, make_event
from worker.api import overview as overview_route
from worker.api import shared_answers
from worker.contacts import overview as contacts_overview
from worker.contacts.accounts import make_accounts
from worker.contacts.overview import ONLY_FOR_ALL_ACCOUNTS, ONLY_IN_THE_LOG
from worker.contacts.tokens import make_token
from worker.store.endpoint_states import follower_name, note_failure
from worker.store.feed_followers import ensure_follower
from worker.store.intake import ALL_ACCOUNTS, Intake, note_intake, note_sign
from worker.store.pool import Pool, WriterPool

OWN, FOREIGN = "shop-a", "shop-b"
NOW = datetime.now(UTC)


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API that starts after this keeps no answer."""
    monkeypatch.setattr(overview_route, "_FRESH_SECONDS", 0)
    monkeypatch.setattr(shared_answers, "_REST_FACTOR", 0)


@pytest.fixture
async def url(api_pool: Pool, pool: WriterPool) -> AsyncIterator[str]:
    await make_accounts(pool, [OWN, FOREIGN], now=NOW, actor="the test")
    async with serving(api_on(api_pool, source_accounts=())) as base:
        yield base


async def token_of(pool: Pool, account: str | None, role: Role = Role.READER) -> str:
    made = await make_token(pool, name=f"board {account}", account=account, role=role, now=NOW, actor="the test")
    assert made is not None
    return made.text


async def asked(url: str, token: str, account: str | None = None) -> dict[str, Any]:
    headers, params = {"Authorization": f"Bearer {token}"}, {} if account is None else {"account": account}
    async with ClientSession(url, headers=headers) as client, client.get("/v1/overview", params=params) as response:
        assert response.status == 200, await response.text()
        answer: dict[str, Any] = await response.json()
        return answer


async def happened(pool: WriterPool, store: Store) -> None:
    """In each account one bounce that blocks, and in the foreign one more; and what the processes say."""
    gone, now = Cause.MAILBOX_DOES_NOT_EXIST, datetime.now(UTC)
    today = (now - timedelta(minutes=1) - START) / timedelta(days=1)
    await store(
        [
            make_event(Kind.HARD_BOUNCE, cause=gone, account=account, address=address, day=today, source=source)
            for account, address, source in (
                (OWN, "gone@own.example", "own-source"),
                (FOREIGN, "gone@foreign.example", "foreign-source"),
                (FOREIGN, "away@foreign.example", "foreign-source"),
            )
        ]
    )
    await note_intake(
        pool,
        {
            (OWN, "own-source"): Intake(webhooks=2, last_received_at=now - timedelta(seconds=5)),
            (FOREIGN, "foreign-source"): Intake(webhooks=3, last_received_at=now),
            (ALL_ACCOUNTS, "own-source"): Intake(webhooks=2, last_received_at=now - timedelta(seconds=5)),
            (ALL_ACCOUNTS, "foreign-source"): Intake(webhooks=3, last_received_at=now),
            ("no-such-account", "secret-source"): Intake(webhooks=1, last_received_at=now),
        },
    )
    await note_sign(pool, uuid4(), oldest_age_seconds=0.5, waiting_parcels=7)
    await note_sign(pool, uuid4(), oldest_age_seconds=2.5, waiting_parcels=6)
    await ensure_follower(pool, follower_name("crm"))
    await note_failure(pool, follower_name("crm"), now=now, next_attempt_at=now, failure="410", disable=True)


async def test_a_token_of_all_accounts_is_told_of_all_accounts_and_of_the_processes(
    url: str, pool: WriterPool, store: Store
) -> None:
    await happened(pool, store)
    answer = await asked(url, await token_of(pool, None))

    assert (answer["account"], answer["processors"]) == (None, 2)
    assert (answer["queue_age_seconds"], answer["waiting_parcels"]) == (2.5, 7)
    assert [(one["source"], one["webhooks"]) for one in answer["sources"]] == [("foreign-source", 3), ("own-source", 2)]
    assert answer["statuses"] == [{"name": "blocklisted", "count": 3}]
    assert answer["causes"] == [{"name": "mailbox_does_not_exist", "count": 3}]
    assert answer["providers"] == [{"name": "postmark", "count": 3}]
    assert {one["contact"] for one in answer["changes"]} == {
        "g***@own.example",
        "g***@foreign.example",
        "a***@foreign.example",
    }
    assert [(one["event"], one["about"]) for one in answer["troubles"]] == [("endpoint.disabled", "crm")]
    assert answer["not_shown"] == list(ONLY_IN_THE_LOG)


@pytest.mark.parametrize("named", [None, OWN])
async def test_a_reader_of_one_account_learns_nothing_of_another_one(
    url: str, pool: WriterPool, store: Store, named: str | None
) -> None:
    await happened(pool, store)
    answer = await asked(url, await token_of(pool, OWN), named)

    assert "foreign" not in str(answer)
    assert "crm" not in str(answer)
    assert (answer["account"], answer["processors"], answer["waiting_parcels"]) == (OWN, None, None)
    assert [(one["source"], one["webhooks"]) for one in answer["sources"]] == [("own-source", 2)]
    assert answer["statuses"] == [{"name": "blocklisted", "count": 1}]
    assert answer["providers"] == [{"name": "postmark", "count": 1}]
    assert [one["contact"] for one in answer["changes"]] == ["g***@own.example"]
    assert answer["not_shown"][0] == ONLY_FOR_ALL_ACCOUNTS


@pytest.mark.usefixtures("always_fresh")
async def test_changes_are_shown_before_and_after_they_have_their_place_in_the_feed(
    url: str, pool: WriterPool, store: Store
) -> None:
    await happened(pool, store)
    token = await token_of(pool, OWN)
    before = await asked(url, token)
    assert await pool.fetchval("SELECT number_status_changes(100)") == 3
    after = await asked(url, token)
    assert [one["contact"] for one in before["changes"]] == ["g***@own.example"]
    for part in ("changes", "statuses", "causes", "providers"):
        assert before[part] == after[part]


async def test_without_a_sign_of_life_no_processor_is_the_first_trouble(url: str, pool: WriterPool) -> None:
    await note_sign(pool, uuid4(), oldest_age_seconds=1, waiting_parcels=1)
    await pool.execute("UPDATE processor_signs SET noted_at = now() - interval '1 minute'")
    answer = await asked(url, await token_of(pool, None))
    assert (answer["processors"], answer["queue_age_seconds"], answer["sources"]) == (0, None, [])
    assert answer["troubles"][0]["event"] == "processor.none"


async def test_a_queue_that_cannot_be_measured_is_a_trouble_and_not_an_empty_queue(url: str, pool: WriterPool) -> None:
    await note_sign(pool, uuid4(), oldest_age_seconds=0, waiting_parcels=None)
    answer = await asked(url, await token_of(pool, None))
    assert (answer["processors"], answer["waiting_parcels"]) == (1, None)
    assert [(one["event"], one["count"]) for one in answer["troubles"]] == [("queue.unmeasured", 1)]


async def test_reports_that_come_late_are_counted_with_the_changes_that_they_make(
    url: str, pool: WriterPool, store: Store
) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1) - START) / timedelta(days=1)
    gone = Cause.MAILBOX_DOES_NOT_EXIST
    for account, provider in ((OWN, "postmark"), (FOREIGN, "sendgrid")):
        await store([make_event(Kind.HARD_BOUNCE, cause=gone, account=account, provider=provider, day=yesterday)])
    own = await asked(url, await token_of(pool, OWN))
    every = await asked(url, await token_of(pool, None))
    assert own["providers"] == [{"name": "postmark", "count": 1}]
    assert every["providers"] == [{"name": "postmark", "count": 1}, {"name": "sendgrid", "count": 1}]
    assert every["statuses"] == [{"name": "blocklisted", "count": 2}]


async def test_a_change_by_a_processor_whose_clock_is_ahead_is_counted(
    url: str, pool: WriterPool, store: Store
) -> None:
    await happened(pool, store)
    await pool.execute("UPDATE status_changes SET recorded_at = now() + interval '20 seconds'")
    answer = await asked(url, await token_of(pool, None))
    assert answer["statuses"] == [{"name": "blocklisted", "count": 3}]


@pytest.mark.parametrize(("of_token", "named"), [(None, OWN), (OWN, None)])
async def test_whoever_is_not_told_of_the_processes_reads_how_to_ask(
    url: str, pool: WriterPool, of_token: str | None, named: str | None
) -> None:
    answer = await asked(url, await token_of(pool, of_token), named)
    assert answer["not_shown"][0].endswith("ask with a token of all accounts and without `account`")


async def test_what_takes_too_long_is_given_up_and_not_asked_again_at_once(
    url: str, pool: WriterPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts_overview, "TIMEOUT_SECONDS", 0.1)
    token = await token_of(pool, None)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE intake IN ACCESS EXCLUSIVE MODE")
        async with ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as client:
            for _ in range(2):
                async with client.get("/v1/overview") as response:
                    problem = await response.json()
                    assert (response.status, problem["type"]) == (503, "urn:bouncekeeper:problem:store-unavailable")
                    assert "the metrics and the log tell it" in problem["detail"]
    async with (
        ClientSession(url, headers={"Authorization": f"Bearer {token}"}) as client,
        client.get("/v1/overview") as response,
    ):
        assert response.status == 503, "it rests for as long as its making allows"
