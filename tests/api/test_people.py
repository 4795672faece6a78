"""Contacts come in over HTTP, and their people and siblings are shown."""

from typing import Any

from aiohttp import ClientSession

from schemas.vocabulary import Cause, Kind
from tests.api.conftest import Store
from tests.schemas.feedback_events import make_event

JANE_1, JANE_2, FAMILY = "jane@example.org", "jane@example.net", "family@example.com"
ROWS: list[dict[str, Any]] = [
    {"address": JANE_1, "person": "crm/4711", "field": "email_1", "permission": "stated", "tags": ["shop"]},
    {"address": JANE_2, "person": "crm/4711", "field": "email_2"},
    {"address": FAMILY, "person": "crm/4711"},
    {"address": FAMILY, "person": "4712", "field": "email_1"},
]


async def add(client: ClientSession, *rows: dict[str, Any], **asked: Any) -> dict[str, Any]:
    async with client.post("/v1/contacts", json={"contacts": rows, **asked}) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def get(client: ClientSession, path: str) -> tuple[int, dict[str, Any]]:
    async with client.get(path) as response:
        return response.status, await response.json()


async def test_a_person_has_all_addresses_with_their_statuses(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address=JANE_2)])
    answer = await add(client, *ROWS)
    assert (answer["contacts"], answer["added"], answer["known"], answer["duplicates"]) == (4, 2, 1, 1)
    code, person = await get(client, "/v1/people/crm%2F4711")
    assert (code, person["person"]) == (200, "crm/4711")
    assert [(one["field"], one["address"], one["status"]) for one in person["addresses"]] == [
        (None, FAMILY, "non_marketable"),
        ("email_1", JANE_1, "new"),
        ("email_2", JANE_2, "blocklisted"),
    ]
    assert person["addresses"][2]["forbids"] == ["marketing", "one_to_one", "transactional"]


async def test_the_report_shows_tags_people_and_siblings(client: ClientSession) -> None:
    await add(client, *ROWS)
    _, family = await get(client, f"/v1/contacts/{FAMILY}")
    assert family["people"] == [{"person": "4712", "field": "email_1"}, {"person": "crm/4711", "field": None}]
    assert [(one["person"], one["field"], one["address"]) for one in family["siblings"]] == [
        ("crm/4711", "email_1", JANE_1),
        ("crm/4711", "email_2", JANE_2),
    ]
    _, jane = await get(client, f"/v1/contacts/{JANE_1}")
    assert jane["tags"] == ["shop"]
    assert [one["address"] for one in jane["siblings"]] == [FAMILY, JANE_2]


async def test_nobody_told_of_is_404_in_this_account_and_in_others(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.DELIVERED, account="shop")])
    await add(client, *ROWS)
    for path in ("/v1/people/0815", "/v1/people/4712?account=shop", "/v1/people/%00", f"/v1/people/{'x' * 300}"):
        code, problem = await get(client, path)
        assert (code, problem["type"]) == (404, "urn:bouncekeeper:problem:unknown-person"), path


async def test_phone_numbers_and_mailboxes_are_siblings(client: ClientSession) -> None:
    await add(client, {"address": JANE_1, "person": "1", "field": "email_1"})
    await add(client, {"address": "+49 170 1234567", "person": "1", "field": "mobile"}, channel="sms")
    _, person = await get(client, "/v1/people/1")
    assert [(one["channel"], one["address"]) for one in person["addresses"]] == [
        ("email", JANE_1),
        ("sms", "+491701234567"),
    ]


async def test_the_permission_of_whoever_names_none_is_a_setting(client: ClientSession) -> None:
    """As tests/settings/test_added_permission.py reads it; here it is the built-in one, and that of the request."""
    await add(client, {"address": JANE_1}, {"address": JANE_2, "permission": "unknown"}, permission="none_needed")
    await add(client, {"address": FAMILY})
    statuses = [(await get(client, f"/v1/contacts/{address}"))[1]["status"] for address in (JANE_1, JANE_2, FAMILY)]
    assert statuses == ["new", "non_marketable", "non_marketable"]


async def test_too_many_contacts_are_refused(client: ClientSession) -> None:
    rows = [{"address": JANE_1}] * 51  # the limit of these tests is 50
    async with client.post("/v1/contacts", json={"contacts": rows}) as response:
        assert response.status == 413
        assert (await response.json())["type"] == "urn:bouncekeeper:problem:too-many-addresses"
