"""Numbers and times that the database cannot hold, in each parameter of each route: refused, or not found."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.api.test_openapi import DOCUMENT, OF_THE_RECEIVER
from tests.api.test_roles import GONE, REQUESTS

LARGE = ["9" * 20, "9" * 18, "9" * 5000, "-1", "1e400", "nan", "0x10", "١٢", "", "9" * 18 + "-00000000"]
TIMES = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1970-01-01T00:00:00Z"]
DATES = ["0001-01-01", "9999-12-31"]


def _parameters() -> Iterator[tuple[str, str, str, str]]:
    """Each parameter: its method, its path, `query` or `path`, and its name."""
    for path, item in DOCUMENT["paths"].items():
        if path in OF_THE_RECEIVER:
            continue
        for method in {"get", "post", "put", "patch", "delete"} & set(item):
            for one in [*item.get("parameters", []), *item[method].get("parameters", [])]:
                found = DOCUMENT["components"]["parameters"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
                if found["in"] in {"query", "path"}:
                    yield method.upper(), path, found["in"], found["name"]


def _request(method: str, path: str, where: str, name: str, text: str) -> tuple[str, dict[str, Any]]:
    if (method, path) == ("GET", "/v1/openapi.yaml"):
        return path, {}
    _, asked = REQUESTS[method, path]
    arguments = {**asked(None)}
    query = {**arguments.pop("params", {})}
    if where == "query":
        query[name] = text
    filled = path.replace(f"{{{name}}}", text or "0") if where == "path" else path
    filled = re.sub(r"\{\w+\}", lambda left: GONE if left.group() == "{address}" else "1", filled)
    return filled, {**arguments, "params": query}


@pytest.mark.slow
@pytest.mark.parametrize("text", LARGE, ids=lambda text: text[:24] or "nothing")
async def test_every_parameter_out_of_range_is_answered_with_a_remedy(client: ClientSession, text: str) -> None:
    asked = list(_parameters())
    assert len(asked) > 20
    for method, path, where, name in asked:
        url, arguments = _request(method, path, where, name, text)
        async with client.request(method, url, **arguments) as response:
            answer = await response.text()
            assert response.status in {200, 400, 404, 410, 414, 422}, (method, path, name, response.status, answer)
            if response.status >= 400 and response.status != 414 and "json" in response.headers["content-type"]:
                problem = await response.json()
                assert problem["detail"], problem
                assert problem["remedy"], problem


@pytest.mark.parametrize("date", DATES)
async def test_a_summary_of_the_first_and_the_last_day_of_the_calendar_is_answered(
    client: ClientSession, date: str
) -> None:
    async with client.get("/v1/summary", params={"date": date}) as response:
        assert response.status in {200, 422}, await response.text()


@pytest.mark.parametrize("time", TIMES)
async def test_a_time_at_the_ends_of_the_calendar_is_refused_or_stored(client: ClientSession, time: str) -> None:
    bodies: list[tuple[str, dict[str, Any]]] = [
        (f"/v1/contacts/{GONE}/decisions", {"kind": "listed", "note": "a test", "until": time}),
        (
            f"/v1/contacts/{GONE}/decisions",
            {"kind": "opted_in", "proof": {"source": "a fair", "collected_at": time}},
        ),
        (
            f"/v1/contacts/{GONE}/safelist-requests",
            {"note": "a test", "wish": {"who": "Jane", "when": time, "how": "phone"}},
        ),
    ]
    for path, body in bodies:
        async with client.post(path, json=body) as response:
            assert response.status in {200, 422}, (path, body, await response.text())
            if response.status == 200:
                async with client.get(f"/v1/contacts/{GONE}") as report:
                    assert report.status in {200, 404}, await report.text()
