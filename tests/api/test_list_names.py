"""A list has one name for all who speak of it: in decisions, in links, in our own JSON and in questions."""

from typing import Any

import pytest
from aiohttp import ClientSession

from schemas.vocabulary import Kind
from tests.api.conftest import Store
from tests.api.serving import LINKS
from tests.schemas.feedback_events import make_event
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink

JANE = "jane@example.org"
FAULTS = ["  ", "x" * 201, "ne\x00ws", "ne\nws", "ne\u2028ws"]


async def post(client: ClientSession, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    async with client.post(path, json=body) as response:
        return response.status, await response.json()


async def allowed(client: ClientSession, scope: str) -> bool:
    status, answer = await post(client, "/v1/check", {"addresses": [JANE], "scope": scope})
    assert status == 200, answer
    result: bool = answer["results"][0]["allowed"]
    return result


@pytest.mark.parametrize("asked", ["News", "news", " NEWS "])
async def test_whatever_the_case_the_optout_of_the_list_is_found(
    client: ClientSession, store: Store, asked: str
) -> None:
    await store([make_event(Kind.UNSUBSCRIBE, scope="News")])
    assert await allowed(client, asked) is False
    assert await allowed(client, "offers") is True
    body = {"kind": "opted_in", "by_contact": True, "scope": asked, "proof": {"source": "shop"}}
    status, answer = await post(client, f"/v1/contacts/{JANE}/decisions", body)
    assert (status, answer["made"]) == (200, 1)
    assert await allowed(client, "News") is True


async def test_the_report_shows_the_spelling_that_was_first(client: ClientSession) -> None:
    for scope in (" News ", "NEWS"):
        await post(client, f"/v1/contacts/{JANE}/decisions", {"kind": "unsubscribed", "scope": scope})
    async with client.get(f"/v1/contacts/{JANE}") as response:
        report = await response.json()
    assert [one["scope"] for one in report["facts"]["optouts"]] == ["News"]


@pytest.mark.parametrize("name", FAULTS, ids=repr)
async def test_a_name_that_is_none_is_refused_wherever_it_is_given(client: ClientSession, name: str) -> None:
    for path, body, field in (
        ("/v1/check", {"addresses": [JANE], "scope": name}, "scope"),
        ("/v1/decisions", {"kind": "unsubscribed", "addresses": [JANE], "scope": name}, "scope"),
        (f"/v1/contacts/{JANE}/decisions", {"kind": "opted_in", "scope": name}, "scope"),
        ("/v1/unsubscribe-links", {"addresses": [JANE], "list": name}, "list"),
    ):
        status, problem = await post(client, path, body)
        assert status == 422, (path, problem)
        assert field in problem["detail"], problem
        assert problem["remedy"]


async def test_a_link_names_the_list_in_its_one_spelling(client: ClientSession) -> None:
    _, answer = await post(client, "/v1/unsubscribe-links", {"addresses": [JANE], "list": " Cafe\u0301 "})
    token = answer["links"][0]["url"].rpartition("/")[2]
    assert UnsubscribeKeys(LINKS.secrets).read(token) == UnsubscribeLink(address=JANE, list="Caf\u00e9")
