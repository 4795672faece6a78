"""Safelist requests when several things happen at once, or the work is cut off: in effect once, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from schemas.safelist import DeclineReason, RequestKind
from schemas.vocabulary import Cause, Kind
from tests.contacts.safelisting import ANNA, BATCH, JANE, a_wish, ask, complained, filled, report, review, status
from tests.schemas.feedback_events import make_event
from tests.waiting import until
from worker.contacts.applying import apply_events
from worker.contacts.principal import Principal
from worker.contacts.safelist_review import ReviewAnswer
from worker.errors import RequestRefused, StoreUnavailable
from worker.store.pool import WriterConnection, WriterPool
from worker.store.writer_pool import writing

BERT = Principal(token_id=None, name="bert", role=ANNA.role, account=None)
DECISIONS = "SELECT count(*) FROM entries WHERE act_id IS NOT NULL"
WAITING = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'
"""


async def waiting_for_review(pool: WriterPool, address: str = JANE) -> int:
    """The id of a request that waits for a person."""
    (asked,) = (await ask(pool, address, preset="by_hand")).results
    assert asked.request is not None
    assert asked.request.id is not None
    return asked.request.id


@asynccontextmanager
async def locked_by_an_event(pool: WriterPool, kind: Kind, cause: Cause) -> AsyncIterator[WriterConnection]:
    """A batch has applied an event of jane's, and is not committed before the end of the block."""
    now = datetime.now(UTC)
    event = make_event(kind, cause=cause, address=JANE, message="in between", received_at=now)
    event = type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"occurred_at": now})
    async with writing(pool) as connection:
        await apply_events(connection, [event], rules=BATCH, now=now)
        yield connection


async def backend_that_waits(pool: WriterPool) -> int:
    """The one that waits for a lock."""
    await until(lambda: pool.fetchval(WAITING), "somebody to wait for the contact's row")
    pid: int = await pool.fetchval(WAITING)
    return pid


async def test_of_two_who_approve_at_once_one_does_and_the_other_is_told_so(pool: WriterPool) -> None:
    await filled(pool)
    number = await waiting_for_review(pool)

    answers = await asyncio.gather(
        *(review(pool, number, principal=principal) for principal in (ANNA, BERT, ANNA, BERT))
    )

    assert sorted(answer.repeated for answer in answers) == [False, True, True, True]
    assert len({answer.request.decided_by for answer in answers}) == 1
    assert await pool.fetchval(DECISIONS) == 1
    assert await pool.fetchval("SELECT count(*) FROM status_changes WHERE new_status = 'new'") == 1


async def test_of_one_who_approves_and_one_who_declines_at_once_one_decides(pool: WriterPool) -> None:
    await filled(pool)
    number = await waiting_for_review(pool)

    done = await asyncio.gather(
        review(pool, number), review(pool, number, DeclineReason.SPAM_RELATED), return_exceptions=True
    )

    (answer,) = [one for one in done if isinstance(one, ReviewAnswer)]
    (refused,) = [one for one in done if isinstance(one, RequestRefused)]
    assert refused.kind == "decided-already"
    assert await pool.fetchval(DECISIONS) == (1 if answer.request.state == "approved" else 0)


async def test_many_who_ask_for_one_contact_at_once_make_one_request(pool: WriterPool) -> None:
    await complained(pool)

    answers = await asyncio.gather(*(ask(pool, wish=a_wish()) for _ in range(6)))

    assert sum(answer.requested for answer in answers) == 1
    assert {answer.results[0].refused for answer in answers} == {None, "requested_already"}
    assert await pool.fetchval("SELECT count(*) FROM safelist_requests") == 1


async def test_the_same_call_at_once_many_times_is_one_request_and_one_decision(pool: WriterPool) -> None:
    await filled(pool)

    answers = await asyncio.gather(*(ask(pool, JANE, idempotency_key="k1") for _ in range(6)))

    assert len({answer.act_id for answer in answers}) == 1
    assert [answer.approved for answer in answers] == [1] * 6
    assert await pool.fetchval(DECISIONS) == 1


async def test_many_who_ask_to_block_somebody_unknown_at_once_block_once(pool: WriterPool) -> None:
    answers = await asyncio.gather(*(ask(pool, kind=RequestKind.BLOCK, note="a trap") for _ in range(6)))

    assert sum(answer.approved for answer in answers) == 1
    assert await pool.fetchval(DECISIONS) == 1
    assert await pool.fetchval("SELECT count(*) FROM status_changes") == 1


async def test_an_approval_waits_for_an_event_that_comes_in_and_sees_it(pool: WriterPool) -> None:
    await filled(pool)
    number = await waiting_for_review(pool)

    async with locked_by_an_event(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT):
        approval = asyncio.create_task(review(pool, number))
        await backend_that_waits(pool)
    with pytest.raises(RequestRefused, match="the complaint"):
        await approval

    assert (await status(pool))[0] == "complained"
    assert await pool.fetchval(DECISIONS) == 0


async def test_a_complaint_counts_whether_it_comes_before_the_approval_or_after(pool: WriterPool) -> None:
    addresses = [f"user{number}@example.org" for number in range(8)]
    numbers = []
    for address in addresses:
        await filled(pool, address)
        numbers.append(await waiting_for_review(pool, address))

    await asyncio.gather(
        *(review(pool, number) for number in numbers),
        *(report(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, address=address) for address in addresses),
        return_exceptions=True,
    )

    approved = await pool.fetchval("SELECT count(*) FROM safelist_requests WHERE state = 'approved'")
    assert await pool.fetchval(DECISIONS) == approved
    for address in addresses:
        row = await pool.fetchrow("SELECT state FROM safelist_requests WHERE address = $1", address)
        assert row is not None
        is_blocked = (await status(pool, address))[0] == "complained"
        # A complaint of before the approval that comes in after it is ended by it, as any lift ends it.
        assert is_blocked or row["state"] == "approved"


async def test_an_approval_that_is_killed_in_the_middle_left_nothing_and_is_made_again(pool: WriterPool) -> None:
    await filled(pool)
    number = await waiting_for_review(pool)
    acts = await pool.fetchval("SELECT count(*) FROM acts")

    async with locked_by_an_event(pool, Kind.DELIVERED, Cause.NONE):
        approval = asyncio.create_task(review(pool, number))
        await pool.execute("SELECT pg_terminate_backend($1)", await backend_that_waits(pool))
        with pytest.raises(StoreUnavailable):
            await approval

    assert await pool.fetchval("SELECT state FROM safelist_requests") == "requested"
    assert (await pool.fetchval(DECISIONS), await pool.fetchval("SELECT count(*) FROM acts")) == (0, acts)
    assert (await review(pool, number)).repeated is False
    assert await pool.fetchval(DECISIONS) == 1


async def test_a_request_that_is_killed_in_the_middle_goes_on_under_its_key(pool: WriterPool) -> None:
    await filled(pool)
    await filled(pool, "full@example.org")
    asked = ("full@example.org", JANE)

    async with locked_by_an_event(pool, Kind.OPENED, Cause.NONE):
        first = asyncio.create_task(ask(pool, *asked, idempotency_key="k1"))
        await pool.execute("SELECT pg_terminate_backend($1)", await backend_that_waits(pool))
        with pytest.raises(StoreUnavailable):
            await first

    assert await pool.fetchval(DECISIONS) == 1
    again = await ask(pool, *asked, idempotency_key="k1")
    assert (again.repeated, again.addresses) == (True, 2)
    assert [result.state is None for result in again.results] == [False, False]
    assert await pool.fetchval("SELECT count(*) FROM safelist_requests") == 2
