"""The same events give the same facts, in whatever order, how often and in what batches they come."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind, Status
from tests.properties import examples
from tests.schemas.decisions import logs
from tests.schemas.feedback_events import START, arrivals, histories, make_event
from worker.policy.annotations import annotations, effective
from worker.policy.event_order import CALM_KINDS
from worker.policy.explain import explain
from worker.policy.facts import Facts
from worker.policy.fold import can_fold_directly, fold, fold_all, is_inert
from worker.policy.policy_file import load_policy, preset
from worker.policy.presets import preset_names
from worker.policy.rule import Policy
from worker.policy.standing import standing

# Small numbers, so that short histories meet every parameter.
NERVOUS = load_policy(
    {
        "preset": "none",
        "rules": {
            "soft": {
                "causes": ["@any"],
                "kinds": ["soft_bounce"],
                "strikes": 2,
                "min_interval": "6h",
                "min_span": "1d",
                "window": "60d",
                "stale_after": "40d",
                "reset_on": ["delivered", "opened", "clicked", "resubscribe"],
                "engaged_extra": 1,
                "engaged_by": ["delivered", "opened", "clicked"],
                "engaged_within": "5d",
                "action": "hold",
                "hold_ladder": ["2d", "10d"],
                "trial_strikes": 1,
                "ladder_forget": "50d",
            },
            "hard": {
                "causes": ["@any"],
                "kinds": ["hard_bounce"],
                "strikes": 2,
                "reset_on": ["delivered"],
                "status": "blocklisted",
                "engaged_extra": 1,
                "engaged_by": ["delivered"],
                "engaged_min_interval": "2d",
            },
        },
    }
)
# No reset by engagement at all, so that delivery alone excuses, and several rules share a contact.
PATIENT = load_policy(
    {
        "preset": "none",
        "max_event_age": "forever",
        "marketing_streams": ["news", "list-a"],
        "marketing_complaint_applies_to": "marketing",
        "rules": {
            "full": {"causes": ["@mailbox_full", "@temporary"], "strikes": 4, "reset_on": ["delivered"]},
            "rest": {"causes": ["@hard", "@recipient_restricted"], "strikes": 3, "reset_on": ["delivered"]},
        },
    }
)
POLICIES = [
    NERVOUS,
    PATIENT,
    preset("recommended"),
    preset("ladder"),
    preset("mailman2"),
    preset("provider"),
    preset("kartra"),
]
policies = st.sampled_from(POLICIES)

# Failures and signs of life close together: strikes, resets, holds and trials in nearly every history.
_TROUBLE = [
    (Kind.DELIVERED, Cause.NONE),
    (Kind.OPENED, Cause.NONE),
    (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
    (Kind.RESUBSCRIBE, Cause.NONE),
]
troubled = st.lists(
    st.builds(
        lambda what, half_days, message: make_event(what[0], day=half_days / 2, cause=what[1], message=message),
        st.sampled_from(_TROUBLE),
        st.integers(min_value=0, max_value=120),
        st.sampled_from([None, "m1", "m2", "m3", "m4", "m5"]),
    ),
    min_size=2,
    max_size=30,
    unique_by=lambda event: event.event_key,
)
any_history = st.one_of(histories(max_size=30), troubled)
decided = logs(any_history, annotated=False)
any_log = st.one_of(any_history, logs(any_history))


def as_a_processor_does(batches: Sequence[Sequence[Entry]], policy: Policy) -> tuple[Facts, int]:
    """Folds as they come where that is allowed, else folds anew from everything stored; and how often the latter.

    Calm events that come again are folded again, which is harmless, unless one is voided or held back: its place is
    noted, so a processor looks it up and knows it.
    """
    facts = Facts()
    stored: dict[bytes, Entry] = {}
    refolds = 0
    for batch in batches:
        for event in batch:
            calm = event.kind in CALM_KINDS and event.event_key not in annotations(stored.values()).named()
            if event.event_key in stored and not calm:
                continue
            stored[event.event_key] = event
            if can_fold_directly(facts, event):
                facts = fold(facts, event, policy)
            else:
                facts = fold_all(Facts(), stored.values(), policy)
                refolds += 1
    return facts, refolds


@settings(max_examples=examples(600))
@given(data=st.data(), events=any_log, policy=policies)
def test_any_permutation_duplication_and_split_gives_the_facts_of_the_sequential_fold(
    data: st.DataObject, events: list[Entry], policy: Policy
) -> None:
    batches = data.draw(arrivals(events))
    folded, refolds = as_a_processor_does(batches, policy)
    note(f"refolds: {min(refolds, 3)}")
    expected = fold_all(Facts(), events, policy)
    note(f"status: {standing(expected, policy, START + timedelta(days=300)).status}")
    assert folded == expected
    for day in (0, 5, 21, 90, 400):
        at = START + timedelta(days=day)
        assert standing(folded, policy, at) == standing(expected, policy, at)


@settings(max_examples=examples(300))
@given(data=st.data(), before=any_log, policy=policies)
def test_calm_events_after_the_last_ordered_one_commute_and_repeat_harmlessly(
    data: st.DataObject, before: list[Entry], policy: Policy
) -> None:
    facts = fold_all(Facts(), before, policy)
    calm = data.draw(
        st.lists(
            st.builds(
                lambda kind, day, message: make_event(kind, day=day, message=message),
                st.sampled_from([Kind.DELIVERED, Kind.OPENED, Kind.CLICKED]),
                st.sampled_from([61, 61.5, 62, 301]),
                st.sampled_from([None, "m1", "m2", "m3", "m4"]),
            ),
            min_size=1,
            max_size=6,
        )
    )
    in_one_order = data.draw(st.permutations([*calm, calm[0]]))
    in_another = data.draw(st.permutations(calm))
    one, another = facts, facts
    for event in in_one_order:
        if can_fold_directly(facts, event):
            one = fold(one, event, policy)
    for event in in_another:
        if can_fold_directly(facts, event):
            another = fold(another, event, policy)
    assert one == another


@settings(max_examples=examples(200))
@given(data=st.data(), events=decided, policy=policies)
def test_folding_up_to_any_event_and_on_from_there_is_folding_all(
    data: st.DataObject, events: list[Entry], policy: Policy
) -> None:
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.rank, event.event_key))
    cut = data.draw(st.integers(min_value=0, max_value=len(ordered)))
    base = fold_all(Facts(), ordered[:cut], policy)
    assert fold_all(base, ordered[cut:], policy) == fold_all(Facts(), events, policy)


@settings(max_examples=examples(300))
@given(events=any_history, policy=policies)
def test_a_complaint_is_never_lowered_by_any_event(events: list[FeedbackEvent], policy: Policy) -> None:
    facts = Facts()
    for event in sorted(events, key=lambda event: (event.occurred_at, event.rank, event.event_key)):
        before = facts.complaint
        facts = fold(facts, event, policy)
        if before is not None:
            # One about other mail takes the place of one about a marketing stream: it forbids no less.
            widened = before.stream and facts.complaint is not None and not facts.complaint.stream
            assert facts.complaint == before or widened
            shown = standing(facts, policy, event.occurred_at)
            assert shown.status in {Status.COMPLAINED, Status.DECLINED_COMMERCIAL, Status.DO_NOT_CONTACT}
            assert shown.blocks != "none"


SENDERS_FAULTS = [cause for cause, blame in CAUSE_BLAME.items() if blame in {Blame.SENDER, Blame.NOBODY}]


@settings(max_examples=examples(200))
@given(
    policy=st.sampled_from([preset(name) for name in preset_names()]),
    failures=st.lists(
        st.tuples(
            st.sampled_from([Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.BLOCKED, Kind.DROPPED, Kind.DEFERRED]),
            st.sampled_from(SENDERS_FAULTS),
        ),
        max_size=60,
    ),
)
def test_what_is_the_senders_fault_or_nobodys_never_changes_a_fact(
    policy: Policy, failures: list[tuple[Kind, Cause]]
) -> None:
    events = [make_event(kind, day=day, cause=cause, message=f"m{day}") for day, (kind, cause) in enumerate(failures)]
    facts = fold_all(Facts(), events, policy)
    # That the ESP's own list is in the way is noted, and forbids nothing.
    noted = replace(facts.deliverability, suppression=None)
    assert replace(facts, deliverability=noted, latest=None) == Facts()
    assert standing(facts, policy, START + timedelta(days=99)).status is Status.NEW


@pytest.mark.parametrize("cause", SENDERS_FAULTS)
def test_a_rule_that_names_a_senders_fault_still_never_counts_it(cause: Cause) -> None:
    rule = replace(preset("provider").rules[0], causes=frozenset(Cause))
    policy = replace(preset("provider"), rules=(rule,))
    assert fold(Facts(), make_event(Kind.HARD_BOUNCE, cause=cause), policy) == Facts()


@settings(max_examples=examples(200))
@given(events=decided, policy=policies)
def test_inert_events_can_be_left_out(events: list[Entry], policy: Policy) -> None:
    assert fold_all(Facts(), events, policy) == fold_all(
        Facts(), [event for event in events if not is_inert(event)], policy
    )


@settings(max_examples=examples(300))
@given(log=any_log, policy=policies)
def test_what_is_voided_or_held_back_might_as_well_not_be_there(log: list[Entry], policy: Policy) -> None:
    # Only the places of the last entries are kept, so that a repeat of what was voided is known.
    whole, rest = fold_all(Facts(), log, policy), fold_all(Facts(), effective(log), policy)
    assert replace(whole, latest=None, latest_ordered=None, awaited=()) == replace(
        rest, latest=None, latest_ordered=None, awaited=()
    )


@settings(max_examples=examples(300))
@given(log=any_log, policy=policies)
def test_the_explanation_ends_in_the_facts_of_the_fold(log: list[Entry], policy: Policy) -> None:
    told = explain(log, policy, START + timedelta(days=301))
    assert told.facts == fold_all(Facts(), log, policy)
    assert len(told.steps) == len(log)
    assert all(step.sentence.endswith(".") for step in told.steps)


def test_an_event_that_is_not_inert_moves_latest() -> None:
    for kind in Kind:
        event = make_event(kind, cause=Cause.MAILBOX_FULL)
        facts = fold(Facts(), event, preset("provider"))
        assert is_inert(event) == (facts == Facts())
        assert is_inert(event) == (facts.latest is None)


def test_a_repeated_ordered_event_is_not_folded_directly() -> None:
    event = make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL)
    facts = fold(Facts(), event, preset("recommended"))
    assert not can_fold_directly(facts, event)
    assert fold_all(Facts(), [event, event], preset("recommended")) == facts


def test_a_late_delivery_is_folded_directly_unless_something_ordered_came_after_it() -> None:
    policy = preset("recommended")
    opened = make_event(Kind.OPENED, day=3)
    delivered = make_event(Kind.DELIVERED, day=1)
    assert can_fold_directly(fold(Facts(), opened, policy), delivered)
    bounced = fold(Facts(), make_event(Kind.SOFT_BOUNCE, day=2, cause=Cause.MAILBOX_FULL), policy)
    assert not can_fold_directly(bounced, delivered)


def test_of_two_deliveries_at_one_instant_the_same_message_is_kept_in_either_order() -> None:
    policy = preset("recommended")
    one, other = make_event(Kind.DELIVERED, message="a"), make_event(Kind.DELIVERED, message="b")
    forth = fold(fold(Facts(), one, policy), other, policy)
    back = fold(fold(Facts(), other, policy), one, policy)
    assert forth == back
    assert forth.engagement.last_delivered_message == "b"


def test_an_event_that_changes_nothing_gives_the_very_same_object() -> None:
    policy = preset("recommended")
    delivered = make_event(Kind.DELIVERED)
    facts = fold(Facts(), delivered, policy)
    assert fold(facts, delivered, policy) is facts
    assert fold(facts, make_event(Kind.DEFERRED, cause=Cause.GREYLISTED), policy) is facts
    assert fold(facts, make_event(Kind.OPENED, machine=True), policy) is facts
    assert fold(facts, make_event(Kind.DELIVERED, day=9, cause=Cause.TEST), policy) is facts
