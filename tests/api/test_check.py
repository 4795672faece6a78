"""May I mail these addresses? Each answer, and that doubt never allows."""

from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from schemas.vocabulary import Cause, Channel, Kind
from tests.api.conftest import Store
from tests.schemas.feedback_events import START, make_event
from worker.store.pool import Pool


async def check(client: ClientSession, *addresses: str, **question: str) -> list[dict[str, Any]]:
    async with client.post("/v1/check", json={"addresses": addresses, **question}) as response:
        answer = await response.json()
        assert response.status == 200, answer
        results: list[dict[str, Any]] = answer["results"]
        assert answer["allowed"] == sum(result["allowed"] for result in results)
        assert answer["forbidden"] == len(results) - answer["allowed"]
        return results


async def test_a_hard_bounce_forbids_and_says_why(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address="gone@example.org")])
    for mail_class in ("marketing", "transactional"):
        (result,) = await check(client, "gone@example.org", mail_class=mail_class)
        assert not result["allowed"]
        assert result["known"]
        assert (result["status"], result["reason"]) == ("blocklisted", "mailbox_does_not_exist")
        assert (result["since"], result["until"]) == ("2026-03-01T12:00:00Z", None)
        assert result["rule"]
        assert result["lifted_by"]


async def test_an_unsubscribe_forbids_marketing_and_allows_transactional_mail(
    client: ClientSession, store: Store
) -> None:
    await store([make_event(Kind.UNSUBSCRIBE)])
    (marketing,) = await check(client, "jane@example.org", mail_class="marketing")
    (transactional,) = await check(client, "jane@example.org", mail_class="transactional")
    assert (marketing["allowed"], transactional["allowed"]) == (False, True)
    assert marketing["status"] == transactional["status"] == "unsubscribed"
    assert marketing["lifted_by"] == ["confirmed_optin", "optin"]


@pytest.mark.parametrize(
    ("kind", "forbids"),
    [
        (Kind.UNSUBSCRIBE, ["marketing"]),
        (Kind.DECLINES_COMMERCIAL, ["marketing", "one_to_one"]),
        (Kind.FORBIDS_CONTACT, ["marketing", "one_to_one", "transactional"]),
        (Kind.PREFERS_FEWER, []),
    ],
)
async def test_each_wish_forbids_its_classes_of_mail_whichever_is_asked_for(
    client: ClientSession, store: Store, kind: Kind, forbids: list[str]
) -> None:
    await store([make_event(kind)])
    for mail_class in ("marketing", "one_to_one", "transactional"):
        (result,) = await check(client, "jane@example.org", mail_class=mail_class)
        assert (result["allowed"], result["forbids"]) == (mail_class not in forbids, forbids)


async def test_the_class_that_is_forbidden_more_often_is_meant_where_none_is_named(
    client: ClientSession, store: Store
) -> None:
    await store([make_event(Kind.UNSUBSCRIBE)])
    (result,) = await check(client, "jane@example.org")
    assert not result["allowed"]


async def test_a_number_is_a_contact_of_its_own_channel(client: ClientSession, store: Store) -> None:
    gone = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address="+491701234567")
    await store([msgspec.structs.replace(gone, channel=Channel.SMS)])
    asked = ("+49 170 1234567", "0170 1234567", "jane@example.org")
    spelt, local, mailbox = await check(client, *asked, channel="sms")
    assert (spelt["allowed"], spelt["status"]) == (False, "blocklisted")
    assert (local["allowed"], local["reason"]) == (False, "invalid_address")  # no country: nobody knows whose it is
    assert (mailbox["allowed"], mailbox["reason"]) == (False, "invalid_address")
    async with client.get("/v1/contacts/%2B491701234567?channel=sms") as response:
        assert response.status == 200
        assert (await response.json())["channel"] == "sms"
    async with client.get("/v1/contacts/%2B491701234567/explanation?channel=sms") as response:
        assert response.status == 200
    async with client.get("/v1/contacts/0170?channel=sms") as response:
        assert response.status == 422


async def test_a_delivered_address_is_allowed(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.DELIVERED)])
    (result,) = await check(client, "jane@example.org")
    assert result["allowed"]
    assert (result["known"], result["status"], result["reason"], result["lifted_by"]) == (True, "active", None, [])


async def test_an_address_that_nobody_reported_on_is_allowed_and_said_to_be_unknown(client: ClientSession) -> None:
    (result,) = await check(client, "nobody@example.org")
    assert (result["allowed"], result["known"], result["status"]) == (True, False, "new")


@pytest.mark.parametrize("given", ["", "jane", "@example.org", "jane@", "jane doe@example.org", "a\x00", "x" * 400])
async def test_what_is_no_address_is_not_allowed(client: ClientSession, given: str) -> None:
    (result,) = await check(client, given)
    assert (result["address"], result["allowed"], result["reason"]) == (given, False, "invalid_address")
    assert result["status"] is None


async def test_results_keep_the_order_and_every_spelling_shares_one_answer(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address="gone@example.org")])
    given = ["new@example.org", "GONE@Example.org", "no address", "Gone <gone@example.org>", "new@example.org"]
    results = await check(client, *given)
    assert [result["address"] for result in results] == given
    assert [result["allowed"] for result in results] == [True, False, False, False, True]


async def test_no_addresses_are_no_results(client: ClientSession) -> None:
    assert await check(client) == []


async def test_each_status_gets_the_name_that_another_system_has_for_it(client: ClientSession, store: Store) -> None:
    await store(
        [
            make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address="gone@example.org"),
            make_event(Kind.DELIVERED),
        ]
    )
    asked = ("gone@example.org", "jane@example.org", "new@example.org", "none")
    named = await check(client, *asked, names="emailmassivo")
    plain = await check(client, *asked)

    assert [result["name"] for result in named] == ["Does not exist", "Active", "New", None]
    assert [{**result, "name": None} for result in named] == plain


async def test_accounts_do_not_share_their_contacts(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, account="shop")])
    (other,) = await check(client, "jane@example.org")
    (own,) = await check(client, "jane@example.org", account="shop")
    assert (other["allowed"], own["allowed"]) == (True, False)


async def test_a_hold_that_is_over_allows_before_the_sweep_has_written_it(
    client: ClientSession, store: Store, pool: Pool
) -> None:
    """Time-driven changes are true at read time: the facts decide, not the row that time has overtaken."""
    await store([make_event(Kind.DELIVERED)])
    await pool.execute(
        """
        UPDATE contacts SET status = 'multiple_soft_bounces', blocks = 'all', cause = 'mailbox_full',
            rule = 'full', status_since = $1, status_until = $2, next_change_at = $2
        """,
        START,
        START,
    )
    (result,) = await check(client, "jane@example.org")
    assert result["allowed"]
    assert (result["status"], result["reason"], result["until"]) == ("active", None, None)


async def test_a_hold_that_is_not_over_forbids(client: ClientSession, store: Store, pool: Pool) -> None:
    await store([make_event(Kind.DELIVERED)])
    await pool.execute(
        """
        UPDATE contacts SET status = 'multiple_soft_bounces', blocks = 'all', cause = 'mailbox_full',
            status_until = now() + interval '1 hour', next_change_at = now() + interval '1 hour'
        """
    )
    (result,) = await check(client, "jane@example.org")
    assert not result["allowed"]
    assert result["until"] is not None


async def test_a_word_that_this_version_does_not_know_forbids(client: ClientSession, store: Store, pool: Pool) -> None:
    """A newer version may have written a row that this one cannot judge."""
    await store([make_event(Kind.DELIVERED)])
    await pool.execute("UPDATE contacts SET blocks = 'everything but postcards'")
    (result,) = await check(client, "jane@example.org", mail_class="transactional")
    assert not result["allowed"]


async def test_facts_that_cannot_be_read_never_allow(client: ClientSession, store: Store, pool: Pool) -> None:
    await store([make_event(Kind.DELIVERED)])
    await pool.execute("UPDATE contacts SET next_change_at = $1, facts_detail = 'spoilt'", START)
    async with client.post("/v1/check", json={"addresses": ["jane@example.org"]}) as response:
        assert response.status == 500
        assert (await response.json())["type"] == "urn:bouncekeeper:problem:internal"


@pytest.mark.parametrize(
    ("body", "http_status", "kind"),
    [
        (b"", 400, "unreadable-request"),
        (b"{", 400, "unreadable-request"),
        (b'{"addresses": ["\xff@example.org"]}', 400, "unreadable-request"),
        (b'{"addresses": ["\\ud800@example.org"]}', 400, "unreadable-request"),
        (b'{"addresses": ' + b"[" * 50_000, 422, "unreadable-request"),
        (b"[]", 422, "unreadable-request"),
        (b"{}", 422, "unreadable-request"),
        (b'{"addresses": "jane@example.org"}', 422, "unreadable-request"),
        (b'{"addresses": [7]}', 422, "unreadable-request"),
        (b'{"addresses": [], "mail_class": "spam"}', 422, "unreadable-request"),
        (b'{"addresses": [], "channel": "fax"}', 422, "unreadable-request"),
        (b'{"addresses": [], "mailclass": "marketing"}', 422, "unreadable-request"),
        (b'{"addresses": [], "account": ""}', 422, "bad-parameter"),
        (b'{"addresses": [], "account": "a\\u0000b"}', 422, "bad-parameter"),
    ],
)
async def test_a_question_that_cannot_be_understood_is_refused_with_the_remedy(
    client: ClientSession, body: bytes, http_status: int, kind: str
) -> None:
    async with client.post("/v1/check", data=body) as response:
        problem = await response.json()
        assert (response.status, problem["status"]) == (http_status, http_status)
        assert response.content_type == "application/problem+json"
        assert problem["type"] == f"urn:bouncekeeper:problem:{kind}"
        assert problem["remedy"]


async def test_too_many_addresses_are_refused_with_the_limit(client: ClientSession) -> None:
    async with client.post("/v1/check", json={"addresses": ["a@example.org"] * 51}) as response:
        problem = await response.json()
        assert response.status == 413
        assert "up to 50" in problem["remedy"]


async def test_a_body_beyond_all_measure_is_refused(client: ClientSession) -> None:
    async with client.post("/v1/check", data=b" " * (64 * 1024 + 50 * 800 + 1)) as response:
        assert response.status == 413
        assert (await response.json())["type"] == "urn:bouncekeeper:problem:body-too-large"
