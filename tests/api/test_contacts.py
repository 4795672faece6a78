"""One contact: its standing, its history, and why."""

from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from yarl import URL

from schemas.vocabulary import Cause, Kind, Way
from tests.api.conftest import Store
from tests.schemas.feedback_events import make_event
from worker.store.pool import Pool

BOUNCE = make_event(
    Kind.HARD_BOUNCE,
    day=2,
    message="m2",
    cause=Cause.MAILBOX_DOES_NOT_EXIST,
    smtp_code=550,
    enhanced_status="5.1.1",
    diagnostic="550 5.1.1 nobody of that name here",
    vendor_event="HardBounce",
)
HISTORY = [make_event(Kind.DEFERRED, day=1, cause=Cause.GREYLISTED, message="m2"), BOUNCE]


async def get(client: ClientSession, path: str, expected: int = 200) -> dict[str, Any]:
    async with client.get(URL(path, encoded=True)) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == expected, answer
        return answer


async def test_a_contact_tells_where_it_stands_and_the_servers_own_words(client: ClientSession, store: Store) -> None:
    await store(HISTORY)
    report = await get(client, "/v1/contacts/Jane@Example.org")

    assert (report["address"], report["status"], report["blocks"]) == ("jane@example.org", "blocklisted", "all")
    assert (report["reason"], report["since"]) == ("mailbox_does_not_exist", "2026-03-03T12:00:00Z")
    (block,) = report["facts"]["blocks"]
    assert block["in_force"]
    assert block["rule"] == report["rule"]
    assert "blocklisted" in report["sentence"]
    assert report["lifts"]

    (change,) = report["history"]
    assert (change["new_status"], change["actor"]) == ("blocklisted", "events")
    assert change["event_key"] == BOUNCE.event_key.hex()
    latest = report["events"][0]
    assert latest["event_key"] == BOUNCE.event_key.hex()
    assert latest["diagnostic"] == "550 5.1.1 nobody of that name here"
    assert (latest["smtp_code"], latest["enhanced_status"], latest["blame"]) == (550, "5.1.1", "recipient")
    assert latest["delivery_id"] == str(BOUNCE.delivery_id)


async def test_a_contact_is_described_in_five_words_and_in_one_sentence(client: ClientSession, store: Store) -> None:
    await store(HISTORY)
    report = await get(client, "/v1/contacts/jane@example.org")
    assert report["short"] == "No: no such mailbox"
    assert report["why"] == ("No such mailbox, on 3 March 2026, last answer: 550 5.1.1 nobody of that name here.")
    assert report["name"] is None


@pytest.mark.parametrize("path", ["/v1/contacts/jane@example.org", "/v1/contacts/jane@example.org/explanation"])
async def test_a_status_gets_the_name_that_another_system_has_for_it(
    client: ClientSession, store: Store, path: str
) -> None:
    await store(HISTORY)
    assert (await get(client, f"{path}?names=kartra"))["name"] == "Blocklisted"
    assert (await get(client, f"{path}?names=keap"))["name"] == "Hard bounce"
    refused = await get(client, f"{path}?names=mailer", expected=422)
    assert "names=kartra" in refused["remedy"]


async def test_events_are_explained_one_by_one(client: ClientSession, store: Store) -> None:
    await store(HISTORY)
    told = await get(client, "/v1/contacts/jane@example.org/explanation")
    assert [step["event"]["kind"] for step in told["steps"]] == ["hard_bounce", "deferred"]
    assert [step["outcome"] for step in told["steps"]] == ["block_began", "nothing"]
    assert told["steps"][0]["status"] == told["status"] == "blocklisted"
    assert told["steps"][0]["event"]["diagnostic"] == BOUNCE.diagnostic
    assert told["next"] is None
    assert all(step["sentence"] for step in told["steps"])


async def test_the_story_comes_in_pages_from_the_latest_step_on(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.SOFT_BOUNCE, day=day, cause=Cause.CONTENT, message=f"m{day}") for day in range(5)])
    pages, query = [], "limit=2"
    while True:
        told = await get(client, f"/v1/contacts/jane@example.org/explanation?{query}")
        pages.append([step["event"]["message_id"] for step in told["steps"]])
        if told["next"] is None:
            break
        query = f"limit=2&before={told['next']}"
    assert pages == [["m4", "m3"], ["m2", "m1"], ["m0"]]


async def test_a_long_stretch_of_openings_is_summed_up(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.OPENED, day=day, message=f"m{day}") for day in range(30)])
    (stretch,) = (await get(client, "/v1/contacts/jane@example.org/explanation"))["steps"]
    assert stretch == {
        "type": "stretch",
        "first_at": "2026-03-01T12:00:00Z",
        "last_at": "2026-03-30T12:00:00Z",
        "counts": {"opened": 30},
        "status": "active",
        "blocks": "none",
        "forbids": [],
        "sentence": "30 opened between 2026-03-01 12:00 UTC and 2026-03-30 12:00 UTC.",
    }


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "before=x", "before=", "before=1-2-3", f"before={'9' * 18}-40-aa"]
)
async def test_a_page_that_there_cannot_be_is_refused(client: ClientSession, store: Store, query: str) -> None:
    await store(HISTORY)
    problem = await get(client, f"/v1/contacts/jane@example.org/explanation?{query}", 422)
    assert problem["type"] == "urn:bouncekeeper:problem:bad-parameter"


async def test_the_explanation_and_the_report_agree(client: ClientSession, store: Store) -> None:
    await store(
        [make_event(Kind.SOFT_BOUNCE, day=day, cause=Cause.MAILBOX_FULL, message=f"m{day}") for day in range(3)]
    )
    report = await get(client, "/v1/contacts/jane@example.org")
    told = await get(client, "/v1/contacts/jane@example.org/explanation")
    same = ("status", "blocks", "reason", "since", "until", "rule", "sentence", "lifts")
    assert {name: report[name] for name in same} == {name: told[name] for name in same}


async def test_many_events_are_shown_from_the_latest_on(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.DELIVERED, day=day / 10, message=f"m{day}") for day in range(60)])
    report = await get(client, "/v1/contacts/jane@example.org")
    assert len(report["events"]) == 50
    times = [event["occurred_at"] for event in report["events"]]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize(
    "address",
    ["o'hara+news@example.org", "a/b@example.org", "50%off@example.org", "jörg@example.org", "a?b#c@example.org"],
)
async def test_an_address_with_odd_characters_is_found_when_it_is_percent_encoded(
    client: ClientSession, store: Store, address: str
) -> None:
    await store([make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, address=address)])
    report = await get(client, f"/v1/contacts/{quote(address, safe='')}")
    assert (report["address"], report["status"]) == (address, "complained")
    assert report["facts"]["complaint"]["reason"] == "abuse_report"
    told = await get(client, f"/v1/contacts/{quote(address, safe='')}/explanation")
    assert told["address"] == address


async def test_an_unsubscribe_from_a_list_is_among_the_facts(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.UNSUBSCRIBE, scope="newsletter")])
    report = await get(client, "/v1/contacts/jane@example.org")
    optout = {"scope": "newsletter", "at": "2026-03-01T12:00:00Z", "way": "provider"}
    assert report["facts"]["optouts"] == [optout]
    assert (report["blocks"], report["forbids"]) == ("marketing", ["marketing"])


async def test_every_wish_of_the_person_is_among_the_facts_with_its_way(client: ClientSession, store: Store) -> None:
    await store(
        [
            make_event(Kind.PREFERS_FEWER, way=Way.FORM),
            make_event(Kind.DECLINES_COMMERCIAL, day=1, way=Way.FOOTER_LINK),
            make_event(Kind.FORBIDS_CONTACT, day=2, way=Way.MAIL_CLIENT),
        ]
    )
    report = await get(client, "/v1/contacts/jane@example.org")
    assert (report["status"], report["blocks"]) == ("do_not_contact", "all")
    assert report["forbids"] == ["marketing", "one_to_one", "transactional"]
    assert report["facts"]["consent"] == {
        "do_not_contact": {"scope": "", "at": "2026-03-03T12:00:00Z", "way": "mail_client"},
        "declined_commercial": {"scope": "", "at": "2026-03-02T12:00:00Z", "way": "footer_link"},
        "unsubscribed_by_us": [],
        "prefers_fewer": [{"scope": "", "at": "2026-03-01T12:00:00Z", "way": "form"}],
        "opted_in": [],
        "permission": None,
    }
    assert [event["way"] for event in report["events"]] == ["mail_client", "footer_link", "form"]


async def test_signs_of_life_are_among_the_facts_each_with_its_time(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.DELIVERED), make_event(Kind.OPENED, day=1), make_event(Kind.CLICKED, day=2)])
    report = await get(client, "/v1/contacts/jane@example.org")
    assert report["facts"] == {
        "last_delivered_at": "2026-03-01T12:00:00Z",
        "last_opened_at": "2026-03-02T12:00:00Z",
        "last_clicked_at": "2026-03-03T12:00:00Z",
        "complaint": None,
        "optouts": [],
        "consent": {
            "do_not_contact": None,
            "declined_commercial": None,
            "unsubscribed_by_us": [],
            "prefers_fewer": [],
            "opted_in": [],
            "permission": None,
        },
        "blocks": [],
        "listings": [],
        "suppression": None,
        "strikes": [],
    }


async def test_a_drop_for_the_esps_own_list_is_among_the_facts_with_the_remedy(
    client: ClientSession, store: Store
) -> None:
    await store([make_event(Kind.DROPPED, cause=Cause.SUPPRESSED_BY_PROVIDER)])
    report = await get(client, "/v1/contacts/jane@example.org")
    suppression = report["facts"]["suppression"]
    assert (suppression["at"], suppression["reason"]) == ("2026-03-01T12:00:00Z", "suppressed_by_provider")
    assert (suppression["provider"], suppression["source"]) == ("postmark", "test")
    assert "suppression list at postmark" in suppression["sentence"]


async def test_counted_failures_are_among_the_facts(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL)])
    report = await get(client, "/v1/contacts/jane@example.org")
    (strikes,) = report["facts"]["strikes"]
    assert strikes["at"] == ["2026-03-01T12:00:00Z"]


@pytest.mark.parametrize("route", ["/v1/contacts/{}", "/v1/contacts/{}/explanation"])
async def test_a_contact_that_nobody_reported_on_is_not_found(client: ClientSession, route: str) -> None:
    problem = await get(client, route.format("nobody@example.org"), 404)
    assert problem["type"] == "urn:bouncekeeper:problem:unknown-contact"


@pytest.mark.parametrize("route", ["/v1/contacts/{}", "/v1/contacts/{}/explanation"])
@pytest.mark.parametrize("given", ["jane", "%00@example.org%00%20x", "a%20b@example.org", "%ED%A0%80"])
async def test_what_is_no_address_is_refused(client: ClientSession, route: str, given: str) -> None:
    problem = await get(client, route.format(given), 422)
    assert problem["type"] == "urn:bouncekeeper:problem:no-address"


@pytest.mark.parametrize("query", ["channel=fax", "acount=shop", "account=", "account=a%00b", "account=" + "x" * 201])
async def test_a_parameter_out_of_its_range_is_refused(client: ClientSession, query: str) -> None:
    problem = await get(client, f"/v1/contacts/jane@example.org?{query}", 422)
    assert problem["type"] == "urn:bouncekeeper:problem:bad-parameter"


async def test_an_event_that_a_newer_version_wrote_is_not_guessed_at(
    client: ClientSession, store: Store, pool: Pool
) -> None:
    await store(HISTORY)
    await pool.execute("UPDATE entries SET rank = 47 WHERE rank = 40")
    problem = await get(client, "/v1/contacts/jane@example.org/explanation", 503)
    assert "holds 47" in problem["detail"]
