"""Tags are taken away and people leave contacts, as an act with its actor; nothing else changes."""

import json
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.api.test_people import FAMILY, JANE_1, ROWS, add, get
from worker.store.pool import Pool

PATH = f"/v1/contacts/{FAMILY}/removals"


async def remove(client: ClientSession, path: str = PATH, **body: Any) -> tuple[int, dict[str, Any]]:
    async with client.post(path, json=body) as response:
        return response.status, await response.json()


async def belongings(client: ClientSession, address: str = FAMILY) -> tuple[list[str], list[tuple[str, str | None]]]:
    _, report = await get(client, f"/v1/contacts/{address}")
    return report["tags"], [(one["person"], one["field"]) for one in report["people"]]


async def test_a_tag_and_a_person_go_and_the_act_says_who_did_it_and_why(
    client: ClientSession, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    await add(client, *ROWS, tags=["import", "family"])
    before = await get(client, f"/v1/contacts/{FAMILY}")
    code, answer = await remove(client, tags=["import", "nosuch"], people=[{"person": "4712"}], note="moved out")
    assert (code, answer["tags"], answer["people"]) == (200, ["import"], [{"person": "4712", "field": "email_1"}])
    assert await belongings(client) == (["family"], [("crm/4711", None)])
    assert (await get(client, "/v1/people/4712"))[0] == 404
    after = await get(client, f"/v1/contacts/{FAMILY}")
    assert (before[1]["status"], before[1]["history"]) == (after[1]["status"], after[1]["history"])
    act = await pool.fetchrow("SELECT * FROM acts WHERE id = $1", answer["act_id"])
    assert act is not None
    assert (act["subject"], act["note"], act["account"]) == ("remove tags and people", "moved out", "default")
    assert act["finished_at"] is not None
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [one for one in lines if one["event"] == "belongings.removed"]
    assert (line["tags"], line["people"], line["act_id"]) == (1, 1, answer["act_id"])
    assert FAMILY not in str(line)
    assert "4712" not in str(line)


async def test_a_person_leaves_by_one_field_alone(client: ClientSession) -> None:
    rows = [{"address": JANE_1, "person": "1", "field": field} for field in ("email_1", "work")]
    await add(client, *rows, {"address": JANE_1, "person": "1"})
    path = f"/v1/contacts/{JANE_1}/removals"
    assert (await remove(client, path, people=[{"person": "1", "field": "work"}]))[1]["people"] == [
        {"person": "1", "field": "work"}
    ]
    assert await belongings(client, JANE_1) == ([], [("1", None), ("1", "email_1")])
    await remove(client, path, people=[{"person": "1", "field": ""}])
    assert await belongings(client, JANE_1) == ([], [("1", "email_1")])
    await remove(client, path, people=[{"person": "1"}])
    assert await belongings(client, JANE_1) == ([], [])


async def test_what_is_not_there_leaves_no_act_and_neither_does_a_rehearsal(client: ClientSession, pool: Pool) -> None:
    await add(client, *ROWS)
    acts = await pool.fetchval("SELECT count(*) FROM acts")
    _, nothing = await remove(client, tags=["nosuch"], people=[{"person": "0815"}])
    assert (nothing["act_id"], nothing["tags"], nothing["people"]) == (None, [], [])
    _, rehearsed = await remove(client, people=[{"person": "4712"}], dry_run=True)
    assert (rehearsed["act_id"], rehearsed["people"]) == (None, [{"person": "4712", "field": "email_1"}])
    assert await pool.fetchval("SELECT count(*) FROM acts") == acts
    assert len((await belongings(client))[1]) == 2


async def test_nothing_of_another_account_goes(client: ClientSession) -> None:
    await add(client, *ROWS)
    await add(client, {"address": FAMILY, "person": "4712"}, account="shop-eu")
    await remove(client, f"{PATH}?account=shop-eu", people=[{"person": "4712"}])
    assert ("4712", "email_1") in (await belongings(client))[1]
    code, problem = await remove(client, f"/v1/contacts/{JANE_1}/removals?account=shop-eu", tags=["shop"])
    assert (code, problem["type"]) == (404, "urn:bouncekeeper:problem:unknown-contact")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tags": [" "]},
        {"tags": ["x" * 101]},
        {"tags": ["a\x00b"]},
        {"people": [{"person": ""}]},
        {"people": [{"person": "x" * 201}]},
        {"people": [{"person": "1", "field": "x" * 61}]},
        {"people": [{"field": "email_1"}]},
        {"tags": ["a"], "note": " "},
        {"tags": ["a"] * 51},
        {"tag": ["a"]},
    ],
    ids=str,
)
async def test_what_makes_no_sense_is_refused(client: ClientSession, body: dict[str, Any]) -> None:
    await add(client, *ROWS)
    code, problem = await remove(client, **body)
    assert code == 422, problem
    assert problem["remedy"]
