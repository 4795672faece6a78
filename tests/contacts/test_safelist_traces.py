"""What safelist requests leave behind: acts only where something came of them, answers that say it once, and counts."""

from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from schemas.decision import Role
from schemas.safelist import DeclineReason, RequestKind
from tests.contacts.safelisting import JANE, a_wish, ask, complained, filled, review
from worker.contacts.principal import Principal
from worker.contacts.safelist_facts import AccountFacts
from worker.errors import RequestRefused
from worker.policy.safelist import Reputation
from worker.store.pool import WriterPool
from worker.store.safelist_requests import count_pending_requests

NO = DeclineReason.PREVIOUS_FAILURES


async def test_requests_that_are_refused_leave_no_act_however_many_there_are(pool: WriterPool) -> None:
    """Who may only ask must not be able to fill a table."""
    await complained(pool)
    acts = await pool.fetchval("SELECT count(*) FROM acts")
    for number in range(20):
        refused = await ask(pool, JANE, f"nobody-{number}@example.org", idempotency_key=f"key {number}")
        assert (refused.refused, refused.act_id) == (2, None)
    assert await pool.fetchval("SELECT count(*) FROM acts") == acts
    assert await pool.fetchval("SELECT count(*) FROM safelist_requests") == 0


async def test_a_request_that_was_refused_is_judged_anew_under_its_key(pool: WriterPool) -> None:
    assert (await ask(pool, idempotency_key="key")).refused == 1
    await filled(pool)
    again = await ask(pool, idempotency_key="key")
    assert (again.refused, again.repeated) == (0, False)
    assert again.act_id is not None


async def test_the_act_stays_if_one_of_several_was_requested(pool: WriterPool) -> None:
    await filled(pool)
    answer = await ask(pool, JANE, "nobody@example.org")
    assert answer.refused == 1
    assert await pool.fetchval("SELECT finished_at IS NOT NULL FROM acts WHERE id = $1", answer.act_id) is True


async def test_a_repeated_approval_does_not_say_again_that_the_contact_is_freed(pool: WriterPool) -> None:
    await complained(pool)
    asked = await ask(pool, wish=a_wish())
    request = asked.results[0].request
    assert request is not None
    assert request.id is not None
    rehearsed = await review(pool, request.id, dry_run=True)
    assert rehearsed.sentence == f"Request {request.id} would be approved: the contact is freed."
    assert (await review(pool, request.id)).sentence == f"Request {request.id} is approved: the contact is freed."
    await complained(pool, days_ago=0)
    again = await review(pool, request.id)
    assert again.sentence == f"Request {request.id} was approved by anna before: nothing has changed."
    assert again.remedy == "The contact's report says where it stands now."


@pytest.mark.parametrize(("own", "named"), [("default", False), (None, True)])
async def test_who_sees_one_account_alone_is_not_told_to_name_one(
    pool: WriterPool, own: str | None, *, named: bool
) -> None:
    principal = Principal(token_id=None, name="anna", role=Role.OPERATOR, account=own)
    with pytest.raises(RequestRefused, match="no safelist request 99 of account 'default'") as refused:
        await review(pool, 99, account="default", principal=principal)
    assert ("name its account" in refused.value.remedy) is named


async def test_requests_are_counted_by_what_became_of_them(pool: WriterPool) -> None:
    def counts() -> dict[tuple[str, str], float]:
        return {
            (kind, outcome): REGISTRY.get_sample_value(
                "bouncekeeper_safelist_requests_total", {"kind": kind, "outcome": outcome}
            )
            or 0.0
            for kind in RequestKind
            for outcome in ("opened", "approved", "declined", "refused")
        }

    await complained(pool)
    before = counts()
    await ask(pool)  # without the wish
    asked = await ask(pool, wish=a_wish())
    await ask(pool, "trap@example.org", kind=RequestKind.BLOCK)
    await ask(pool, "trap2@example.org", kind=RequestKind.BLOCK, dry_run=True)
    assert await count_pending_requests(pool) == {"lift": 1}
    request = asked.results[0].request
    assert request is not None
    assert request.id is not None
    await review(pool, request.id, NO, dry_run=True)
    await review(pool, request.id, NO)
    await review(pool, request.id, NO)
    after = counts()
    assert {key: after[key] - before[key] for key in after if after[key] != before[key]} == {
        ("lift", "refused"): 1,
        ("lift", "opened"): 1,
        ("lift", "declined"): 1,
        ("block", "opened"): 1,
        ("block", "approved"): 1,
    }
    assert await count_pending_requests(pool) == {}


async def test_what_rules_decline_for_the_account_is_declined_once_a_day_however_often_it_is_asked(
    pool: WriterPool,
) -> None:
    """It is no attempt, and so knows no limit."""
    await filled(pool)
    bad = AccountFacts(since=datetime(2020, 1, 1, tzinfo=UTC), reputation=Reputation.BAD)
    first = await ask(pool, account_facts=bad)
    assert first.declined == 1
    for _ in range(3):
        again = await ask(pool, account_facts=bad)
        assert (again.declined, again.refused, again.results[0].refused) == (0, 1, "declined_lately")
        assert again.results[0].remedy == "Ask again on another day."
    assert await pool.fetchval("SELECT count(*) FROM safelist_requests") == 1
    await pool.execute("UPDATE safelist_requests SET decided_at = decided_at - interval '25 hours'")
    assert (await ask(pool, account_facts=bad)).declined == 1
    assert (await ask(pool)).approved == 1  # once the account is in good standing, at once
