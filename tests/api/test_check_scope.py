"""A question about one list or group, and the fall-out by status."""

import pytest
from aiohttp import ClientSession

from schemas.vocabulary import Blocks, Cause, Kind
from tests.api.conftest import Store
from tests.api.test_check import check
from tests.schemas.feedback_events import START, make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold
from worker.policy.policy_file import preset as preset_policy
from worker.policy.scope import policy_within, within
from worker.policy.standing import standing
from worker.store.pool import Pool


async def test_an_optout_of_another_list_does_not_count_for_the_list_that_is_asked_about(
    client: ClientSession, store: Store
) -> None:
    await store([make_event(Kind.UNSUBSCRIBE, scope="news")])
    (unnamed,) = await check(client, "jane@example.org")
    (same,) = await check(client, "jane@example.org", scope="news")
    (other,) = await check(client, "jane@example.org", scope="offers")
    assert [one["allowed"] for one in (unnamed, same, other)] == [False, False, True]
    assert (same["status"], other["status"]) == ("unsubscribed", "new")


async def test_an_optout_of_everything_forbids_each_list(client: ClientSession, store: Store) -> None:
    await store([make_event(Kind.UNSUBSCRIBE, scope="news"), make_event(Kind.UNSUBSCRIBE, day=1)])
    (result,) = await check(client, "jane@example.org", scope="offers")
    assert (result["allowed"], result["since"]) == (False, "2026-03-02T12:00:00Z")


async def test_a_block_forbids_whatever_the_list_is(client: ClientSession, store: Store) -> None:
    gone = make_event(Kind.HARD_BOUNCE, day=1, cause=Cause.MAILBOX_DOES_NOT_EXIST)
    await store([make_event(Kind.UNSUBSCRIBE, scope="news"), gone])
    (result,) = await check(client, "jane@example.org", scope="offers")
    assert (result["allowed"], result["status"]) == (False, "blocklisted")


@pytest.mark.parametrize("preset", ["kartra", "recommended"])
def test_the_list_that_is_asked_about_counts_under_every_policy(preset: str) -> None:
    """Some leave lists to the sender: there the opt-out of one forbids nothing by itself."""
    policy = preset_policy(preset)
    facts = fold(Facts(), make_event(Kind.UNSUBSCRIBE, scope="news"), policy)
    assert standing(within(facts, "offers"), policy_within(policy), START).blocks is Blocks.NONE
    assert standing(within(facts, "news"), policy_within(policy), START).blocks is Blocks.MARKETING


async def test_an_empty_scope_is_refused(client: ClientSession) -> None:
    for scope in ("", "x" * 201):
        async with client.post("/v1/check", json={"addresses": [], "scope": scope}) as response:
            assert response.status == 422


async def test_the_fall_out_counts_each_status_of_the_allowed_and_of_the_forbidden(
    client: ClientSession, store: Store, pool: Pool
) -> None:
    await store(
        [
            make_event(Kind.UNSUBSCRIBE, address="off@example.org"),
            make_event(Kind.UNSUBSCRIBE, address="off@example.com"),
            make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address="gone@example.org"),
            make_event(Kind.DELIVERED, address="jane@example.org"),
            make_event(Kind.DELIVERED, address="later@example.org"),
        ]
    )
    await pool.execute("UPDATE contacts SET status = 'of_a_later_version' WHERE address = 'later@example.org'")
    asked = ["off@example.org", "off@example.com", "gone@example.org", "jane@example.org", "new@example.org", "none"]
    question = {"addresses": [*asked, "GONE@example.org", "later@example.org"]}
    async with client.post("/v1/check", json=question) as response:
        answer = await response.json()
    forbidden, allowed = answer["forbidden_by_status"], answer["allowed_by_status"]
    assert {name: count for name, count in forbidden.items() if count} == {
        "unsubscribed": 2,
        "blocklisted": 2,
        "invalid_address": 1,
    }
    assert {name: count for name, count in allowed.items() if count} == {"active": 1, "new": 1, "of_a_later_version": 1}
    assert forbidden["do_not_contact"] == allowed["do_not_contact"] == 0
    assert sum(forbidden.values()) == answer["forbidden"]
