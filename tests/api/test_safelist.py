"""Safelist requests over HTTP: a user of an account asks, an operator decides, and nobody reaches a foreign account."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession

from schemas.decision import Role
from schemas.vocabulary import Cause, Kind
from tests.api.conftest import Store
from tests.api.serving import api_on, serving
from tests.contacts.dns_server import dns_server
from tests.schemas.feedback_events import START, make_event
from worker.contacts.accounts import make_accounts
from worker.contacts.tokens import make_token
from worker.settings.tree import RecheckSettings
from worker.store.pool import WriterPool

JANE = "/v1/contacts/jane@example.org"
Headers = dict[str, str]


async def token(pool: WriterPool, role: Role, account: str = "default") -> Headers:
    await make_accounts(pool, [account], now=START - timedelta(days=400), actor="the test")
    made = await make_token(pool, name=f"{role} {account}", account=account, role=role, now=START, actor="the test")
    assert made is not None
    return {"Authorization": f"Bearer {made.text}"}


@pytest.fixture
async def reader(pool: WriterPool) -> Headers:
    """A user of the account."""
    return await token(pool, Role.READER)


@pytest.fixture
async def operator(pool: WriterPool) -> Headers:
    """Who reviews its requests."""
    return await token(pool, Role.OPERATOR)


@pytest.fixture
async def complained(store: Store) -> None:
    """Jane pressed "spam" three days ago."""
    day = (datetime.now(UTC) - timedelta(days=3) - START) / timedelta(days=1)
    await store([make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, day=day)])


async def call(client: ClientSession, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
    async with client.request(method, path, **options) as response:
        return response.status, await response.json()


def a_wish() -> dict[str, str]:
    return {"who": "Jane Doe", "when": datetime.now(UTC).isoformat(), "how": "phone"}


@pytest.mark.usefixtures("complained")
async def test_a_user_asks_and_an_operator_approves_and_the_report_shows_all_of_it(
    client: ClientSession, reader: Headers, operator: Headers
) -> None:
    before = (await call(client, "GET", JANE, headers=reader))[1]["safelist"]
    assert (before["possible"], before["wish_needed"], before["most_attempts"]) == (True, True, 1)
    body = {"note": "she pressed the wrong button", "wish": a_wish()}
    status, asked = await call(client, "POST", f"{JANE}/safelist-requests", json=body, headers=reader)
    assert (status, asked["requested"]) == (200, 1)
    number = asked["results"][0]["request"]["id"]
    _, page = await call(client, "GET", "/v1/safelist-requests?status=requested", headers=operator)
    assert [one["id"] for one in page["requests"]] == [number]

    path = f"/v1/safelist-requests/{number}/approve"
    assert (await call(client, "POST", path, json={}, headers=reader))[0] == 403
    status, answer = await call(client, "POST", path, json={"note": "heard the call"}, headers=operator)

    assert (status, answer["request"]["state"]) == (200, "approved")
    report = (await call(client, "GET", JANE, headers=reader))[1]
    assert (report["status"], report["forbids"]) == ("new", [])
    (shown,) = report["safelist"]["requests"]
    assert (shown["requested_by"], shown["decided_by"], shown["note"], shown["decision_note"]) == (
        "reader default",
        "operator default",
        "she pressed the wrong button",
        "heard the call",
    )
    assert shown["wish"]["who"] == "Jane Doe"
    assert shown["act_id"] is not None
    last = report["history"][0]
    assert (last["actor"], "she pressed the wrong button" in last["note"]) == ("operator default", True)
    changes = (await call(client, "GET", "/v1/status-changes", headers=reader))[1]["changes"]
    assert (changes[-1]["new_status"], changes[-1]["actor"]) == ("new", "operator default")


@pytest.mark.usefixtures("complained")
async def test_a_declined_request_says_why(client: ClientSession, reader: Headers, operator: Headers) -> None:
    body = {"note": "please", "wish": a_wish()}
    _, asked = await call(client, "POST", f"{JANE}/safelist-requests", json=body, headers=reader)
    path = f"/v1/safelist-requests/{asked['results'][0]['request']['id']}/decline"

    without_words = await call(client, "POST", path, json={"reason": "other"}, headers=operator)
    status, answer = await call(client, "POST", path, json={"reason": "spam_related"}, headers=operator)

    assert (without_words[0], without_words[1]["type"]) == (422, "urn:bouncekeeper:problem:bad-safelist-request")
    assert (status, answer["request"]["decline_reason"]) == (200, "spam_related")
    report = (await call(client, "GET", JANE, headers=reader))[1]
    assert (report["status"], report["safelist"]["possible"]) == ("complained", False)
    assert "opt-in form" in report["safelist"]["remedy"]


@pytest.mark.usefixtures("complained")
async def test_an_operator_of_another_account_finds_no_request(
    client: ClientSession, pool: WriterPool, reader: Headers
) -> None:
    body = {"note": "please", "wish": a_wish()}
    _, asked = await call(client, "POST", f"{JANE}/safelist-requests", json=body, headers=reader)
    foreign = await token(pool, Role.OPERATOR, "shop-eu")

    number = asked["results"][0]["request"]["id"]
    status, answer = await call(client, "POST", f"/v1/safelist-requests/{number}/approve", json={}, headers=foreign)

    assert (status, answer["type"]) == (404, "urn:bouncekeeper:problem:unknown-safelist-request")
    assert (await call(client, "GET", "/v1/safelist-requests", headers=foreign))[1]["requests"] == []


async def test_the_list_comes_in_pages(client: ClientSession, operator: Headers) -> None:
    body = {"addresses": [f"trap{number}@example.org" for number in range(5)], "note": "traps", "kind": "block"}
    assert (await call(client, "POST", "/v1/safelist-requests", json=body, headers=operator))[1]["approved"] == 5

    seen: list[str] = []
    after: int | None = 0
    while after is not None:
        _, page = await call(client, "GET", f"/v1/safelist-requests?limit=2&after={after}", headers=operator)
        seen += [one["address"] for one in page["requests"]]
        after = page["next"]

    assert seen == body["addresses"]


async def test_a_call_that_is_sent_again_with_its_key_asks_once(client: ClientSession, operator: Headers) -> None:
    headers = operator | {"Idempotency-Key": "k1"}
    body = {"addresses": ["trap@example.org"], "note": "a trap", "kind": "block"}
    first = (await call(client, "POST", "/v1/safelist-requests", json=body, headers=headers))[1]

    again = (await call(client, "POST", "/v1/safelist-requests", json=body, headers=headers))[1]

    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["results"] == first["results"]
    other = await call(client, "POST", "/v1/safelist-requests", json=body | {"note": "x"}, headers=headers)
    assert other[1]["type"] == "urn:bouncekeeper:problem:idempotency-key-reused"


async def test_an_operator_checks_an_address_again_and_a_silent_nameserver_holds_nobody_up(
    pool: WriterPool, store: Store, operator: Headers, reader: Headers
) -> None:
    now = datetime.now(UTC)
    await store(
        [
            make_event(
                Kind.HARD_BOUNCE,
                cause=Cause.DOMAIN_DOES_NOT_EXIST,
                address="jane@mx.example",
                message=f"m{days}",
                day=(now - timedelta(days=days) - START) / timedelta(days=1),
                received_at=now - timedelta(days=days),
            )
            for days in (15, 10, 5)
        ]
    )
    async with dns_server() as server:
        settings = RecheckSettings(dns=True, timeout_seconds=0.3, nameservers=(f"127.0.0.1:{server.port}",))
        async with serving(api_on(pool, recheck=settings)) as url, ClientSession(url) as asking:
            path = "/v1/contacts/jane@mx.example/recheck"
            assert (await call(asking, "POST", path, json={}, headers=reader))[0] == 403
            status, answer = await call(asking, "POST", path, json={}, headers=operator)
            silent = await call(asking, "POST", "/v1/contacts/x@silent.example/recheck", json={}, headers=operator)

    assert (status, answer["freed"], answer["domain"]["hosts"][0]) == (200, True, "mail.mx.example")
    assert (answer["contact"]["status"], answer["contact"]["decisions"][0]["actor"]) == ("new", "recheck rules")
    assert (silent[0], silent[1]["domain"]["state"], silent[1]["remedy"]) == (200, "unknown", "Ask again later.")
