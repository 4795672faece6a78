"""The explanation through Postgres: the same story in any pages, in little memory, agreeing with the report."""

import asyncio
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.contacts.long_logs import add_calm_events
from tests.contacts.test_applying import NOW, POLICY, apply, empty
from tests.properties import examples
from tests.schemas.feedback_events import START, histories, make_event
from worker.contacts.explanation import ExplanationAnswer, contact_explanation
from worker.contacts.policies import Policies
from worker.contacts.report import contact_report
from worker.contacts.story_items import StepView, StoryItem, StretchView
from worker.policy.explain import explain
from worker.store.pool import Pool, WriterPool
from worker.store.stored_entries import stored_entries

JANE = "jane@example.org"


async def page(
    pool: Pool, *, limit: int = 50, before: str | None = None, slice_entries: int = 500
) -> ExplanationAnswer:
    answer = await contact_explanation(
        pool, JANE, policies=Policies(POLICY), now=NOW, limit=limit, before=before, slice_entries=slice_entries
    )
    assert answer is not None
    return answer


async def whole_story(pool: Pool, *, limit: int, slice_entries: int = 500) -> list[StoryItem]:
    items: list[StoryItem] = []
    before = None
    while True:
        answer = await page(pool, limit=limit, before=before, slice_entries=slice_entries)
        assert len(answer.steps) <= limit
        items += answer.steps
        before = answer.next
        if before is None:
            return items


def count_of(item: StoryItem) -> int:
    return sum(item.counts.values()) if isinstance(item, StretchView) else 1


@settings(max_examples=examples(40), suppress_health_check=list(HealthCheck))
@given(
    events=histories((JANE,), max_size=30),
    calm=st.lists(
        st.builds(
            lambda kind, hours, message: make_event(kind, day=hours / 24, message=message),
            st.sampled_from([Kind.DELIVERED, Kind.OPENED, Kind.ACCEPTED]),
            st.integers(0, 24 * 300),
            st.sampled_from(["a", "b", "c", "d", None]),
        ),
        max_size=60,
        unique_by=lambda event: event.event_key,
    ),
    limit=st.integers(1, 12),
    slice_entries=st.integers(2, 40),
)
async def test_in_any_pages_the_story_is_the_same_and_the_first_page_agrees_with_the_report(
    pool: WriterPool, events: list[FeedbackEvent], calm: list[FeedbackEvent], limit: int, slice_entries: int
) -> None:
    await empty(pool)
    log = list({event.event_key: event for event in (*events, *calm)}.values())
    if not log:
        return
    await apply(pool, log)
    contact_id = await pool.fetchval("SELECT id FROM contacts")
    told = {step.event_key.hex(): step for step in explain(await stored_entries(pool, contact_id), POLICY, NOW).steps}
    items = await whole_story(pool, limit=limit, slice_entries=slice_entries)
    assert sum(map(count_of, items)) == len(told)
    for item in items:
        if isinstance(item, StepView):
            assert item.event is not None
            step = told[item.event.event_key]
            assert (item.sentence, item.status, item.blocks) == (step.sentence, step.status, step.blocks)
            assert item.event.diagnostic == step.diagnostic
    first, report = await page(pool, limit=limit), await contact_report(pool, JANE, policies=Policies(POLICY), now=NOW)
    assert report is not None
    assert (first.status, first.blocks, first.rule, first.since, first.until, first.sentence) == (
        report.status,
        report.blocks,
        report.rule,
        report.since,
        report.until,
        report.sentence,
    )


async def test_events_that_are_stored_twice_for_a_while_are_counted_once(pool: WriterPool) -> None:
    """Before a month is dropped, those of its events that stay are in two tables."""
    await apply(pool, [make_event(Kind.OPENED, day=number / 24, message=None) for number in range(40)])
    await pool.execute("INSERT INTO kept_calm_events SELECT * FROM calm_events ORDER BY occurred_at LIMIT 30")
    for slice_entries in (4, 8, 500):
        (stretch,) = (await page(pool, slice_entries=slice_entries)).steps
        assert count_of(stretch) == 40


async def blocked_giant(pool: WriterPool, count: int) -> None:
    """A contact that bounced for good, and then opened and was delivered to very often all the same."""
    bounce = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, diagnostic="550 nobody here")
    await apply(pool, [bounce])
    contact_id = await pool.fetchval("SELECT id FROM contacts")
    await add_calm_events(pool, contact_id, count, since=START, minutes_apart=1)


async def longest_pause(work: asyncio.Task[object]) -> float:
    """For how many seconds the loop did nothing else, at the most, until the work was done."""
    longest = 0.0
    while not work.done():
        started = time.perf_counter()
        await asyncio.sleep(0)
        longest = max(longest, time.perf_counter() - started)
    return longest


async def test_what_blocks_a_contact_is_on_the_first_page_behind_fifty_thousand_openings(pool: WriterPool) -> None:
    await blocked_giant(pool, 50_000)
    asked = asyncio.create_task(page(pool))
    assert await longest_pause(asked) < 0.5  # a slice takes some 10 ms; all of it at once would take more than a second
    stretch, *_, bounce = (await asked).steps
    assert isinstance(stretch, StretchView)
    assert stretch.sentence.startswith("45000 opened and 5000 delivered between ")
    assert stretch.counts == {"opened": 45_000, "delivered": 5_000}
    assert isinstance(bounce, StepView)
    assert bounce.event is not None
    assert bounce.event.diagnostic == "550 nobody here"


@pytest.mark.slow
async def test_a_thousand_failures_come_in_pages_and_take_no_more_memory_than_one_page(pool: WriterPool) -> None:
    failures = [
        make_event(Kind.SOFT_BOUNCE, day=number / 10, cause=Cause.CONTENT, message=f"m{number}")
        for number in range(3000)
    ]
    await apply(pool, failures)
    await page(pool, limit=10)
    tracemalloc.start()
    answer = await page(pool, limit=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * 1024 * 1024  # the allowance of the API
    assert [step.event.message_id for step in answer.steps if isinstance(step, StepView) and step.event] == [
        f"m{number}" for number in range(2999, 2989, -1)
    ]
    assert sum(map(count_of, await whole_story(pool, limit=200))) == 3000


@pytest.mark.parametrize("days", [0, 1])
async def test_a_page_that_ends_at_a_place_does_not_change_when_later_events_come(pool: WriterPool, days: int) -> None:
    await apply(pool, [make_event(Kind.SOFT_BOUNCE, day=number, cause=Cause.CONTENT) for number in range(10)])
    first = await page(pool, limit=4)
    second = await page(pool, limit=4, before=first.next)
    await apply(pool, [make_event(Kind.SOFT_BOUNCE, day=20 + days, cause=Cause.CONTENT)])
    assert (await page(pool, limit=4, before=first.next)).steps == second.steps
