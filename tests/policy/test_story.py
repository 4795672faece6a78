"""A page of a story tells the last steps as the whole explanation does, and goes over what nothing is to be told of."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.entry import LASTING_KINDS, Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.policy.rules import delivered, hard, opened, soft
from tests.policy.test_order_of_arrival import any_log, policies
from tests.properties import examples
from tests.schemas.feedback_events import START, make_event
from worker.policy.annotations import Annotations, annotations
from worker.policy.event_order import order_key
from worker.policy.explain import Passed, explain, step
from worker.policy.facts import Facts
from worker.policy.fold import in_order
from worker.policy.policy_file import recommended_policy
from worker.policy.rule import Policy
from worker.policy.standing import standing
from worker.policy.story import StoryPage, Stretch, first_key

POLICY = recommended_policy()
LATER = START + timedelta(days=4000)


def sort_of(entry: Entry) -> object:
    return (entry.kind, entry.cause, isinstance(entry, FeedbackEvent) and entry.machine)


def page_of(
    log: Sequence[Entry],
    policy: Policy = POLICY,
    *,
    limit: int = 50,
    size: int = 7,
    skip: bool = True,
    known: Annotations | None = None,
) -> StoryPage:
    """As the caller reads the log: in slices, and over the rest of calm stretches wherever that is allowed."""
    page = StoryPage(Facts(), known=known or annotations(log), policy=policy, limit=limit)
    rest = in_order(log)
    while rest:
        page.feed(rest[:size])
        rest = rest[size:]
        calm: list[Entry] = []
        for entry in rest:
            if entry.kind in LASTING_KINDS:
                break
            calm.append(entry)
        counts = Counter(entry.kind for entry in calm if isinstance(entry.kind, Kind))
        if skip and calm and page.is_in_stretch and page.may_skip(counts):
            last_times = {sort_of(entry): entry.occurred_at for entry in calm}
            page.skip(counts, [entry for entry in calm if entry.occurred_at in last_times.values()])
            rest = rest[len(calm) :]
    return page


def long(log: Sequence[Entry]) -> list[Entry]:
    """The log with calm entries between all of its entries, so that there are stretches."""
    calm: list[Entry] = [
        make_event(kind, day=number / 3, message=f"c{number % 5}")
        for number in range(60)
        for kind in (Kind.DELIVERED, Kind.OPENED, Kind.ACCEPTED)
    ]
    return [*log, *calm]


@settings(max_examples=examples(300))
@given(some=any_log, is_long=st.booleans(), policy=policies, limit=st.integers(1, 9), size=st.integers(1, 40))
def test_the_steps_of_all_pages_are_those_of_the_whole_explanation(
    some: list[Entry], policy: Policy, limit: int, size: int, *, is_long: bool
) -> None:
    log = long(some) if is_long else some
    whole = {told.event_key: told for told in explain(log, policy, LATER).steps}
    rest, told_alone, summed = in_order(log), 0, 0
    while True:
        page = page_of(rest, policy, limit=limit, size=size, known=annotations(log))
        items = page.items()
        assert len(items) <= limit
        for item in items:
            if isinstance(item, Passed):
                told_alone += 1
            else:
                summed += sum(item.counts.values())
        if not page.more:
            break
        rest = [entry for entry in rest if order_key(entry) < first_key(items[-1])]
    assert told_alone + summed == len(whole)


@settings(max_examples=examples(300))
@given(some=any_log, is_long=st.booleans(), policy=policies, size=st.integers(1, 40))
def test_going_over_calm_stretches_changes_nothing_that_is_reported(
    some: list[Entry], policy: Policy, size: int, *, is_long: bool
) -> None:
    log = long(some) if is_long else some
    told = {told.event_key: told for told in explain(log, policy, LATER).steps}
    ordered = in_order(log)
    places = {order_key(entry): place for place, entry in enumerate(ordered)}
    items = page_of(log, policy, size=size, limit=500).items()
    for item in items:
        if isinstance(item, Passed):
            assert step(item, policy) == told[item.entry.event_key]
        else:
            last = ordered[places[item.first] + sum(item.counts.values()) - 1]
            assert item.last_at == last.occurred_at
            then = standing(item.facts, policy, item.last_at)
            assert (then.status, then.blocks) == (told[last.event_key].status, told[last.event_key].blocks)
    assert items == page_of(log, policy, size=1, limit=500, skip=False).items()


def test_a_failure_is_told_however_many_openings_follow_it() -> None:
    log = [hard(0), *(opened(1 + number / 100) for number in range(3000))]
    opens, failure = page_of(log).items()
    assert isinstance(opens, Stretch)
    assert opens.counts == {Kind.OPENED: 3000}
    assert isinstance(failure, Passed)
    assert failure.entry == log[0]


def test_the_delivery_that_clears_strikes_is_reported_in_the_middle_of_others() -> None:
    strikes = [soft(0, message="a"), soft(2, message="b")]
    calm = [delivered(3 + number, message=f"d{number}") for number in range(20)]
    items = page_of([*strikes, *calm]).items()
    effects = [item.effect for item in items if isinstance(item, Passed)]
    assert any(effect.reset or effect.excused for effect in effects)
    assert sum(sum(item.counts.values()) for item in items if isinstance(item, Stretch)) >= 15


def test_five_calm_events_are_told_one_by_one_and_six_are_summed_up() -> None:
    assert len(page_of([opened(day) for day in range(5)]).items()) == 5
    (stretch,) = page_of([opened(day) for day in range(6)]).items()
    assert isinstance(stretch, Stretch)
    assert (stretch.first_at, stretch.last_at) == (opened(0).occurred_at, opened(5).occurred_at)


def test_openings_by_a_machine_do_not_stand_for_those_of_the_person() -> None:
    """Strikes are there when the machine opens; the person's opening among the rest may clear them."""
    log: list[Entry] = [make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL)]
    log += [make_event(Kind.OPENED, day=1 + number / 10, machine=True) for number in range(30)]
    log += [opened(9), *(make_event(Kind.OPENED, day=10 + number / 10, machine=True) for number in range(30))]
    assert page_of(log, size=10).items() == page_of(log, size=1, skip=False).items()
