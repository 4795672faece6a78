"""The API makes unsubscribe links for many mails at once, and only for who may opt people out."""

from typing import Any

import pytest
from aiohttp import ClientSession

from schemas.vocabulary import Channel
from tests.api.conftest import TOKEN
from tests.api.serving import LINKS, api_on, serving
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink
from worker.settings.tree import ApiSettings, UnsubscribeSettings
from worker.store.pool import Pool

ROUTE = "/v1/unsubscribe-links"
BEGINNING = "https://bounces.example.com/u/"


async def made(client: ClientSession, **asked: Any) -> dict[str, Any]:
    async with client.post(ROUTE, json=asked) as answer:
        assert answer.status == 200, await answer.text()
        read: dict[str, Any] = await answer.json()
        return read


async def test_each_address_gets_its_link_and_its_two_header_fields(client: ClientSession) -> None:
    answer = await made(
        client,
        addresses=["jane@example.org", "none", "john@example.net"],
        list="newsletter",
        campaign="spring",
        account="warehouse",
    )
    assert (answer["made"], answer["refused"]) == (2, 1)
    jane, none, john = answer["links"]
    assert none == {"address": "none", "url": None, "headers": {}, "problem": "this is not an address"}
    assert jane["headers"] == {
        "List-Unsubscribe": f"<{jane['url']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert jane["url"] != john["url"]
    assert UnsubscribeKeys(LINKS.secrets).read(jane["url"].removeprefix(BEGINNING)) == UnsubscribeLink(
        address="jane@example.org", list="newsletter", campaign="spring", account="warehouse"
    )


async def test_the_same_request_makes_the_same_links(client: ClientSession) -> None:
    asked = {"addresses": ["+491701234567"], "channel": "sms"}
    first = await made(client, **asked)
    assert first == await made(client, **asked)
    token = first["links"][0]["url"].removeprefix(BEGINNING)
    assert UnsubscribeKeys(LINKS.secrets).read(token) == UnsubscribeLink(address="+491701234567", channel=Channel.SMS)


async def test_a_link_that_is_too_long_for_a_header_is_not_made(client: ClientSession) -> None:
    long = "ä" * 200
    answer = await made(client, addresses=["jane@example.org"], list=long, campaign=long, message_id=long)
    assert (answer["made"], answer["links"][0]["url"]) == (0, None)
    assert answer["links"][0]["problem"] == "the link would be too long for a header line"


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"addresses": [], "account": "nosuch"}, "unknown-account"),
        ({"addresses": ["a@example.org"] * 51}, "too-many-addresses"),
        ({"addresses": [], "scope": "newsletter"}, "unreadable-request"),
        ({"addresses": ["a@example.org"], "list": "  "}, "bad-parameter"),
    ],
)
async def test_what_cannot_be_made_is_refused(client: ClientSession, asked: dict[str, Any], problem: str) -> None:
    async with client.post(ROUTE, json=asked) as answer:
        assert (await answer.json())["type"] == f"urn:bouncekeeper:problem:{problem}"


@pytest.mark.parametrize("settings", [UnsubscribeSettings(), UnsubscribeSettings(secrets=LINKS.secrets)])
async def test_without_a_secret_or_an_url_the_answer_says_what_is_missing(
    pool: Pool, api_settings: ApiSettings, settings: UnsubscribeSettings
) -> None:
    app = api_on(pool, settings=api_settings, unsubscribe=settings)
    async with (
        serving(app) as url,
        ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as client,
        client.post(ROUTE, json={"addresses": ["jane@example.org"]}) as answer,
    ):
        told = await answer.json()
    assert (answer.status, told["type"]) == (422, "urn:bouncekeeper:problem:no-unsubscribe-links")
    assert "unsubscribe.secrets" in told["remedy"]
