"""The feed over HTTP: pages, cursors, waiting for news."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession

from schemas.vocabulary import Cause, Kind
from tests.api.conftest import Store
from tests.schemas.feedback_events import make_event
from tests.waiting import stays


async def read(client: ClientSession, expected: int = 200, **query: str) -> dict[str, Any]:
    async with client.get("/v1/status-changes", params=query) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == expected, answer
        return answer


def bounces(count: int, start: int = 0) -> list[Any]:
    return [
        make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address=f"gone{number}@example.org")
        for number in range(start, start + count)
    ]


async def test_every_change_is_read_once_by_following_next(client: ClientSession, store: Store) -> None:
    await store(bounces(3))
    await store(bounces(4, start=3))
    seen: list[str] = []
    answer = await read(client, limit="2")
    while answer["changes"]:
        seen += [change["address"] for change in answer["changes"]]
        answer = await read(client, limit="2", after=answer["next"])
    assert sorted(seen) == [f"gone{number}@example.org" for number in range(7)]
    assert await read(client, after=answer["next"]) == {"changes": [], "next": answer["next"]}

    await store([make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, address="cross@example.org")])
    (change,) = (await read(client, after=answer["next"]))["changes"]
    assert (change["address"], change["old_status"], change["new_status"]) == ("cross@example.org", "new", "complained")
    assert (change["new_blocks"], change["cause"]) == ("all", "abuse_report")


async def test_an_empty_feed_begins_at_its_beginning(client: ClientSession) -> None:
    assert await read(client) == {"changes": [], "next": "0-0"}


async def test_a_reader_who_waits_hears_nothing_until_a_change_happens(client: ClientSession, store: Store) -> None:
    waiting = asyncio.create_task(read(client, wait_seconds="20"))
    await stays(lambda: not waiting.done(), "the reader waits", seconds=0.2)
    await store(bounces(1))
    async with asyncio.timeout(5):
        assert len((await waiting)["changes"]) == 1


async def test_a_reader_who_waits_in_vain_gets_an_empty_answer_in_time(client: ClientSession) -> None:
    async with asyncio.timeout(5):
        assert (await read(client, wait_seconds="0.3"))["changes"] == []


@pytest.mark.parametrize("after", ["", "x", "1", "1-2-3", "-", "1-x", f"{2**63}-9f3a6c01"])
async def test_what_is_no_cursor_is_refused(client: ClientSession, after: str) -> None:
    assert (await read(client, 422, after=after))["type"] == "urn:bouncekeeper:problem:bad-cursor"


async def test_a_cursor_of_a_change_that_the_database_does_not_have_is_gone_for_good(
    client: ClientSession, store: Store
) -> None:
    """As after a restore from a backup that is older than what this reader has read."""
    await store(bounces(1))
    assert len((await read(client))["changes"]) == 1
    problem = await read(client, 410, after="1042-9f3a6c01", wait_seconds="5")
    assert problem["type"] == "urn:bouncekeeper:problem:cursor-gone"
    assert "from its beginning" in problem["remedy"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "1.5"},
        {"limit": "many"},
        {"wait_seconds": "31"},
        {"wait_seconds": "-1"},
        {"wait_seconds": "nan"},
        {"since": "yesterday"},
    ],
)
async def test_a_parameter_out_of_its_range_is_refused(client: ClientSession, query: dict[str, str]) -> None:
    problem = await read(client, 422, **query)
    assert problem["type"] == "urn:bouncekeeper:problem:bad-parameter"
    assert problem["remedy"]
