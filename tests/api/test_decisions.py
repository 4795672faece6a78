"""Decisions over HTTP: what `lifted_by` names can do it, and no more; and everything shows who and why."""

from typing import Any

import pytest
from aiohttp import ClientSession

from schemas.decision import Role
from schemas.vocabulary import Cause, Kind
from tests.api.conftest import Store
from tests.schemas.feedback_events import START, make_event
from worker.contacts.accounts import make_accounts
from worker.contacts.tokens import make_token
from worker.store.pool import WriterPool

JANE = "/v1/contacts/jane@example.org"
LIFT = {"kind": "lifted", "note": "she called"}
BOUNCE = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST)


@pytest.fixture
async def operator(pool: WriterPool) -> dict[str, str]:
    """The token of an operator of the account."""
    await make_accounts(pool, ["default"], now=START, actor="the test")
    made = await make_token(pool, name="crm", account="default", role=Role.OPERATOR, now=START, actor="the test")
    assert made is not None
    return {"Authorization": f"Bearer {made.text}"}


async def post(client: ClientSession, path: str, body: Any, **options: Any) -> tuple[int, dict[str, Any]]:
    async with client.post(path, json=body, **options) as response:
        return response.status, await response.json()


async def get(client: ClientSession, path: str) -> dict[str, Any]:
    async with client.get(path) as response:
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


async def test_an_operator_lifts_what_the_answer_says_and_every_answer_shows_who_and_why(
    client: ClientSession, store: Store, operator: dict[str, str]
) -> None:
    await store([BOUNCE])
    assert "admin" in (await get(client, JANE))["lifted_by"]

    status, answer = await post(client, f"{JANE}/decisions", LIFT, headers=operator)

    assert (status, answer["made"]) == (200, 1)
    report = await get(client, JANE)
    assert (report["status"], report["blocks"]) == ("new", "none")
    assert [(one["kind"], one["actor"], one["note"]) for one in report["decisions"]] == [
        ("lifted", "crm", "she called")
    ]
    assert (report["history"][0]["actor"], report["history"][0]["note"]) == ("crm", "she called")
    steps = (await get(client, f"{JANE}/explanation"))["steps"]
    assert (steps[0]["decision"]["actor"], steps[0]["event"], steps[0]["outcome"]) == ("crm", None, "lifted")
    assert "crm lifted the block" in steps[0]["sentence"]
    assert '"she called"' in steps[0]["sentence"]
    last = (await get(client, "/v1/status-changes"))["changes"][-1]
    assert (last["new_status"], last["actor"], last["note"]) == ("new", "crm", "she called")
    _, checked = await post(client, "/v1/check", {"addresses": ["jane@example.org"]})
    assert checked["results"][0]["allowed"]


async def test_an_operator_cannot_lift_what_the_answer_leaves_to_the_person(
    client: ClientSession, store: Store, operator: dict[str, str]
) -> None:
    await store([make_event(Kind.UNSUBSCRIBE)])
    assert "admin" not in (await get(client, JANE))["lifted_by"]

    status, answer = await post(client, f"{JANE}/decisions", LIFT, headers=operator)

    assert (status, answer["made"], answer["skipped"]) == (200, 0, 1)
    assert answer["skipped_addresses"][0]["reason"] == "not_lifted_by_this"
    assert answer["skipped_addresses"][0]["remedy"] == "Only a new opt-in by the person does."
    assert (await get(client, JANE))["status"] == "unsubscribed"


@pytest.mark.parametrize(
    ("asked", "status", "forbids"),
    [
        ({"kind": "unsubscribed"}, "unsubscribed", ["marketing"]),
        ({"kind": "unsubscribed", "scope": "news", "way": "form"}, "unsubscribed", ["marketing"]),
        ({"kind": "unsubscribed_by_us", "note": "a bought list"}, "unsubscribed_by_us", ["marketing"]),
        ({"kind": "declined_commercial"}, "declined_commercial", ["marketing", "one_to_one"]),
        (
            {"kind": "do_not_contact", "by_contact": True, "way": "footer_link"},
            "do_not_contact",
            ["marketing", "one_to_one", "transactional"],
        ),
    ],
)
async def test_an_operator_records_what_the_person_wants_or_takes_the_contact_off(
    client: ClientSession, operator: dict[str, str], asked: dict[str, Any], status: str, forbids: list[str]
) -> None:
    code, answer = await post(client, f"{JANE}/decisions", asked, headers=operator)

    assert (code, answer["kind"], answer["made"]) == (200, asked["kind"], 1)
    report = await get(client, JANE)
    assert (report["status"], report["forbids"]) == (status, forbids)
    [decision] = report["decisions"]
    assert (decision["kind"], decision["way"], decision["scope"]) == (
        asked["kind"],
        asked.get("way"),
        asked.get("scope"),
    )
    last = (await get(client, "/v1/status-changes"))["changes"][-1]
    assert (last["new_status"], last["old_forbids"], last["new_forbids"]) == (status, [], forbids)
    [step] = (await get(client, f"{JANE}/explanation"))["steps"]
    assert (step["outcome"], step["forbids"]) == (asked["kind"], forbids)


async def test_nobody_but_the_person_ends_do_not_contact_and_the_answers_say_so(
    client: ClientSession, store: Store, operator: dict[str, str]
) -> None:
    await store([BOUNCE, make_event(Kind.FORBIDS_CONTACT, day=1)])
    assert (await get(client, JANE))["lifted_by"] == ["confirmed_optin", "optin"]

    _, lifted = await post(client, f"{JANE}/decisions", LIFT, headers=operator)
    _, recorded = await post(client, f"{JANE}/decisions", {"kind": "opted_in", "strength": "staff"}, headers=operator)
    by_form = {"kind": "opted_in", "by_contact": True, "strength": "single", "proof": {"source": "shop", "form": "3"}}
    _, opted_in = await post(client, f"{JANE}/decisions", by_form, headers=operator)

    assert lifted["still_forbidden"] == [
        {
            "address": "jane@example.org",
            "forbids": ["marketing", "one_to_one", "transactional"],
            "sentence": "A lift does not end the wish never to be contacted.",
            "remedy": "Only a new opt-in by the person does.",
        }
    ]
    assert [skip["reason"] for skip in recorded["skipped_addresses"]] == ["opted_out"]
    assert (opted_in["made"], opted_in["still_forbidden"]) == (1, [])
    report = await get(client, JANE)
    assert (report["status"], report["forbids"]) == ("new", [])
    [optin] = report["facts"]["consent"]["opted_in"]
    assert (optin["scope"], optin["strength"]) == ("", "single")
    proof = report["decisions"][0]["proof"]
    assert (proof["source"], proof["form"]) == ("shop", "3")


async def test_a_repeat_under_its_key_is_answered_alike_and_decides_once(
    client: ClientSession, store: Store, pool: WriterPool, operator: dict[str, str]
) -> None:
    await store([BOUNCE])
    headers = {**operator, "Idempotency-Key": "0b1f"}
    body = {**LIFT, "addresses": ["jane@example.org", "none"]}

    _, first = await post(client, "/v1/decisions", body, headers=headers)
    _, again = await post(client, "/v1/decisions", body, headers=headers)
    status, other = await post(client, "/v1/decisions", {**body, "note": "another"}, headers=headers)

    assert again == first | {"repeated": True}
    assert (status, other["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
    assert await pool.fetchval("SELECT count(*) FROM entries WHERE act_id IS NOT NULL") == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
async def test_a_key_that_is_no_key_is_refused(client: ClientSession, key: str) -> None:
    status, answer = await post(client, f"{JANE}/decisions", LIFT, headers={"Idempotency-Key": key})

    assert (status, answer["type"].rpartition(":")[2]) == (422, "bad-parameter")


@pytest.mark.parametrize("scope", ["", "  "])
async def test_an_empty_scope_is_refused_and_does_not_mean_everything(client: ClientSession, scope: str) -> None:
    optin = {"kind": "opted_in", "by_contact": True, "strength": "double", "scope": scope}
    status, answer = await post(client, f"{JANE}/decisions", optin)
    assert (status, answer["detail"]) == (422, "`scope` is empty.")


async def test_one_request_decides_about_so_many_and_no_more(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.DELIVERED)])
    body = {"kind": "listed", "note": "spam traps", "addresses": [f"u{number}@example.org" for number in range(50)]}
    assert (await post(client, "/v1/decisions", body))[1]["made"] == 50

    body["addresses"] = [f"u{number}@example.org" for number in range(51)]
    assert (await post(client, "/v1/decisions", body))[0] == 413


async def test_listings_and_opt_ins_are_among_the_facts_with_proof_and_strength(
    client: ClientSession, store: Store
) -> None:
    await store([make_event(Kind.DELIVERED)])
    proof = {"source": "summer campaign", "collected_at": "2026-02-01T10:00:00Z"}
    opted_in = {"kind": "opted_in", "by_contact": True, "strength": "double", "proof": proof}
    assert (await post(client, f"{JANE}/decisions", opted_in))[1]["made"] == 1
    listed = {"kind": "listed", "note": "on leave", "blocks": "marketing", "until": "2099-01-31T00:00:00Z"}
    assert (await post(client, f"{JANE}/decisions", listed))[1]["made"] == 1

    facts = (await get(client, JANE))["facts"]

    (optin,) = facts["consent"]["opted_in"]
    assert (optin["scope"], optin["strength"], optin["proof"]) == ("", "double", proof)
    (listing,) = facts["listings"]
    assert (listing["until"], listing["blocks"], listing["in_force"]) == ("2099-01-31T00:00:00Z", "marketing", True)
    assert listing["lifted_by"] == ["admin", "expiry"]
