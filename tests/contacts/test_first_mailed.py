"""Since when a contact has been mailed: known from the first event of any message, whatever comes in which order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.addition import Addition
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind, MailClass
from tests.contacts.test_additions import add
from tests.contacts.test_decisions import JANE, POLICY, RULES
from tests.properties import examples, few
from tests.schemas.feedback_events import START, histories, make_event
from tests.stored_contacts import EMPTY_LOG
from worker.contacts.applying import apply_events
from worker.contacts.check import CheckResult, check_addresses
from worker.contacts.policies import Policies
from worker.contacts.report import contact_report
from worker.policy.mailing import MESSAGE_KINDS
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

NOW = datetime.now(UTC)


async def apply(pool: WriterPool, *events: FeedbackEvent) -> None:
    async with writing(pool) as connection:
        await apply_events(connection, events, rules=RULES, now=NOW)


async def first_mailed_at(pool: WriterPool) -> datetime | None:
    report = await contact_report(pool, JANE, policies=Policies(POLICY), now=NOW)
    return None if report is None else report.first_mailed_at


async def checked(pool: WriterPool) -> CheckResult:
    answer = await check_addresses(
        pool, [JANE], mail_class=MailClass.MARKETING, policies=Policies(POLICY), now=NOW, scope="news"
    )
    return answer.results[0]


@pytest.mark.parametrize(
    ("kind", "cause"),
    few(
        [
            (Kind.ACCEPTED, Cause.NONE),
            (Kind.DEFERRED, Cause.GREYLISTED),
            (Kind.DELIVERED, Cause.NONE),
            (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            (Kind.BLOCKED, Cause.SENDER_REPUTATION),
            (Kind.OPENED, Cause.NONE),
            (Kind.CLICKED, Cause.NONE),
            (Kind.COMPLAINT, Cause.ABUSE_REPORT),
        ],
        3,
        one_name=False,
    ),
)
async def test_the_first_event_of_any_message_tells_that_a_contact_was_mailed(
    pool: WriterPool, kind: Kind, cause: Cause
) -> None:
    assert kind in MESSAGE_KINDS
    assert (await checked(pool)).never_mailed
    await add(pool, Addition(address=JANE))
    assert (await checked(pool)).never_mailed
    assert await first_mailed_at(pool) is None
    await apply(pool, make_event(kind, cause=cause, day=3))
    assert not (await checked(pool)).never_mailed
    assert await first_mailed_at(pool) == START + timedelta(days=3)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.UNSUBSCRIBE, {}),
        (Kind.RESUBSCRIBE, {}),
        (Kind.DROPPED, {"cause": Cause.SUPPRESSED_BY_PROVIDER}),
        (Kind.OTHER, {}),
        (Kind.DELIVERED, {"cause": Cause.TEST}),
    ],
)
async def test_what_tells_of_no_message_does_not(pool: WriterPool, kind: Kind, fields: dict[str, Any]) -> None:
    await apply(pool, make_event(kind, **fields))
    assert await first_mailed_at(pool) is None


async def test_an_optout_of_somebody_never_mailed_is_told_as_such_also_for_one_list(pool: WriterPool) -> None:
    """With a scope the answer comes from the facts and not from the look-up."""
    await apply(pool, make_event(Kind.UNSUBSCRIBE, scope="news"))
    result = await checked(pool)
    assert (result.allowed, result.never_mailed) == (False, True)


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_the_earliest_message_counts_in_any_order_with_any_repeats(pool: WriterPool, data: st.DataObject) -> None:
    await pool.execute(EMPTY_LOG)
    events = data.draw(histories())
    shuffled = data.draw(st.permutations([*events, *events[:3]]))
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        await apply(pool, *shuffled[:size])
        shuffled = shuffled[size:]
    told = [
        event.occurred_at
        for event in events
        if event.address == JANE and event.kind in MESSAGE_KINDS and event.cause is not Cause.TEST
    ]
    assert await first_mailed_at(pool) == min(told, default=None)
