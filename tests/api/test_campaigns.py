"""Campaigns over HTTP: what became of one, its recipients page by page, and a contact's own."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from msgspec.structs import replace

from schemas.vocabulary import Cause, Kind
from tests.api.conftest import Store
from tests.api.test_people import get
from tests.schemas.feedback_events import make_event
from worker.providers.campaign_rule import with_campaign

CAMPAIGN = "spring/2026 ü"
PATH = "/v1/campaigns/spring%2F2026%20%C3%BC"


async def stored(store: Store) -> None:
    await store(
        [
            *(
                make_event(Kind.DELIVERED, address=f"user{number}@example.org", campaign=CAMPAIGN)
                for number in range(5)
            ),
            make_event(Kind.OPENED, day=1, address="user2@example.org", campaign=CAMPAIGN),
            make_event(
                Kind.HARD_BOUNCE,
                cause=Cause.MAILBOX_DOES_NOT_EXIST,
                day=1,
                address="user4@example.org",
                campaign=CAMPAIGN,
            ),
            make_event(Kind.DELIVERED, account="shop-eu", address="theirs@example.org", campaign=CAMPAIGN),
        ]
    )


async def test_a_campaign_tells_how_many_recipients_have_each_value(client: ClientSession, store: Store) -> None:
    await stored(store)
    code, found = await get(client, PATH)
    assert (code, found["campaign"]) == (200, CAMPAIGN)
    assert found["recipients"] == {
        "sent": 5,
        "delivered": 5,
        "opened": 1,
        "clicked": 0,
        "soft_bounced": 0,
        "hard_bounced": 1,
        "error": 0,
        "complaint": 0,
        "unsubscribed": 0,
    }
    assert (found["first_at"], found["latest_at"]) == ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z")


@pytest.mark.parametrize("rest", ["", "/recipients"])
@pytest.mark.parametrize("told", ["  spring ", "spr\x00\x1bing", "x" * 300, " " * 30 + "y" * 200])
async def test_a_campaign_is_found_by_the_id_that_its_vendor_tells(
    client: ClientSession, store: Store, told: str, rest: str
) -> None:
    body = json.dumps({"status": "delivered", "recipient": "jane@example.org", "camp": told}).encode()
    event = with_campaign(replace(make_event(Kind.DELIVERED), raw=body), "raw.camp")
    await store([event])
    code, found = await get(client, f"/v1/campaigns/{quote(told, safe='')}{rest}")
    assert (code, found["campaign"]) == (200, event.campaign)
    assert found["campaign"].isprintable()


async def test_each_recipient_is_on_one_page(client: ClientSession, store: Store) -> None:
    await stored(store)
    addresses: list[str] = []
    after: int | None = 0
    while after is not None:
        _, page = await get(client, f"{PATH}/recipients?limit=2&after={after}")
        assert len(page["recipients"]) <= 2
        addresses += [one["address"] for one in page["recipients"]]
        after = page["next"]
    assert sorted(addresses) == [f"user{number}@example.org" for number in range(5)]


async def test_recipients_are_asked_for_by_value_and_named_as_elsewhere(client: ClientSession, store: Store) -> None:
    await stored(store)
    _, page = await get(client, f"{PATH}/recipients?value=hard_bounced&names=emailmassivo")
    (one,) = page["recipients"]
    assert (one["address"], one["value"], one["name"]) == ("user4@example.org", "hard_bounced", "Hard bounced")
    assert (one["delivered_at"], one["hard_bounced_at"]) == ("2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z")
    assert page["next"] is None
    _, page = await get(client, f"{PATH}/recipients?value=opened&names=kartra")
    assert [(one["address"], one["name"]) for one in page["recipients"]] == [("user2@example.org", None)]


async def test_a_contacts_report_shows_its_campaigns(client: ClientSession, store: Store) -> None:
    await stored(store)
    _, report = await get(client, "/v1/contacts/user2@example.org?names=emailmassivo")
    (one,) = report["campaigns"]
    assert (one["campaign"], one["value"], one["name"]) == (CAMPAIGN, "opened", "Opened")


async def test_a_campaign_of_another_account_is_one_of_its_own(client: ClientSession, store: Store) -> None:
    await stored(store)
    _, page = await get(client, f"{PATH}/recipients?account=shop-eu")
    assert [one["address"] for one in page["recipients"]] == ["theirs@example.org"]


async def test_what_is_no_campaign_and_what_cannot_be_asked_is_refused(client: ClientSession, store: Store) -> None:
    await stored(store)
    refused: dict[str, Any] = {
        "/v1/campaigns/autumn": (404, "unknown-campaign"),
        "/v1/campaigns/autumn/recipients": (404, "unknown-campaign"),
        f"{PATH}?account=warehouse": (404, "unknown-campaign"),
        "/v1/campaigns/%00": (404, "unknown-campaign"),
        f"/v1/campaigns/{'x' * 300}": (404, "unknown-campaign"),
        f"{PATH}/recipients?value=read": (422, "bad-parameter"),
        f"{PATH}/recipients?limit=0": (422, "bad-parameter"),
        f"{PATH}/recipients?after=-1": (422, "bad-parameter"),
        f"{PATH}/recipients?names=mailchimp": (422, "bad-parameter"),
        f"{PATH}/recipients?page=2": (422, "bad-parameter"),
    }
    for path, expected in refused.items():
        code, problem = await get(client, path)
        assert (code, problem["type"].rpartition(":")[2]) == expected, path
