"""Voids, holds and releases say which entries are folded, whatever the order in which all of them come in."""

from itertools import permutations

from schemas.decision import Role
from schemas.entry import Entry
from schemas.vocabulary import Cause, Kind, Status
from tests.policy.rules import day, delivered, hard
from tests.policy.test_decisions import POLICY, facts_after, shown
from tests.schemas.decisions import hold, lift, listing, release, void
from tests.schemas.feedback_events import make_event
from worker.policy.annotations import effective
from worker.policy.effect import Outcome, Reason
from worker.policy.event_order import can_fold_directly
from worker.policy.explain import explain
from worker.policy.facts import Facts
from worker.policy.fold import fold

GONE = hard(0)


def test_what_is_voided_never_happened() -> None:
    assert shown(GONE, void(5, GONE)).status is Status.NEW
    assert effective([GONE, void(5, GONE), delivered(1)]) == [delivered(1)]


def test_a_decision_can_be_voided_too() -> None:
    lifted = lift(1)
    assert shown(GONE, lifted, void(2, lifted)).status is Status.BLOCKLISTED
    listed = listing(1)
    assert shown(listed, void(2, listed)).status is Status.NEW


def test_a_void_of_a_void_restores() -> None:
    voided = void(1, GONE)
    assert shown(GONE, voided, void(2, voided)).status is Status.BLOCKLISTED
    again = void(2, voided)
    assert shown(GONE, voided, again, void(3, again)).status is Status.NEW


def test_what_is_held_back_waits_until_it_is_released() -> None:
    held = hold(1, GONE)
    assert shown(GONE, held).status is Status.NEW
    assert shown(GONE, held, release(2, GONE)).status is Status.BLOCKLISTED
    assert shown(GONE, held, release(2, GONE), hold(3, GONE)).status is Status.NEW


def test_a_void_of_a_hold_releases_and_a_void_of_the_release_holds_again() -> None:
    held, released = hold(1, GONE), release(2, GONE)
    assert shown(GONE, held, void(2, held)).status is Status.BLOCKLISTED
    assert shown(GONE, held, released, void(3, released)).status is Status.NEW


def test_a_release_does_not_undo_a_void() -> None:
    assert shown(GONE, void(1, GONE), release(2, GONE)).status is Status.NEW


def test_only_a_newer_annotation_voids_another() -> None:
    newer = void(9, GONE)
    assert shown(GONE, newer, void(1, newer)).status is Status.NEW


def test_a_reader_annotates_nothing() -> None:
    assert shown(GONE, void(1, GONE, role=Role.READER)).status is Status.BLOCKLISTED


def test_an_annotation_is_never_folded_directly() -> None:
    facts = facts_after(GONE)
    for annotation in (void(5, GONE), hold(5, GONE), release(5, GONE)):
        assert not can_fold_directly(facts, annotation)
        assert not can_fold_directly(Facts(), annotation)


def test_an_entry_that_comes_in_after_its_void_is_known_to_be_voided() -> None:
    opened = make_event(Kind.OPENED, day=9)
    facts = facts_after(void(1, GONE, opened))
    assert facts.awaited == tuple(sorted((GONE.event_key, opened.event_key)))
    assert not can_fold_directly(facts, opened)
    assert facts_after(void(1, GONE, opened), opened, GONE).awaited == ()


def test_the_order_of_arrival_of_voids_does_not_matter() -> None:
    voided = void(1, GONE)
    entries: list[Entry] = [GONE, voided, void(2, voided), hold(3, GONE), release(4, GONE)]
    expected = facts_after(*entries)
    for some in permutations(entries):
        facts, stored = Facts(), list[Entry]()
        for entry in some:
            stored.append(entry)
            directly = can_fold_directly(facts, entry)
            facts = fold(facts, entry, POLICY) if directly else facts_after(*stored)
        assert facts == expected


def test_the_place_of_a_voided_entry_is_kept_so_that_its_repeat_is_known() -> None:
    late = hard(9)
    facts = facts_after(GONE, late, void(5, late))
    assert facts.latest is not None
    assert facts.latest.event_key == late.event_key
    assert not can_fold_directly(facts, late)


def test_what_is_voided_is_shown_without_effect_and_says_who_and_why() -> None:
    voided = void(5, GONE, note="the ESP's bad hour")
    told = explain([GONE, voided], POLICY, day(9))
    first, second = told.steps
    assert first.sentence == "Voided by anna on 2026-03-06 12:00 UTC: the ESP's bad hour."
    assert (first.effect.outcome, first.effect.reason, first.status) == (Outcome.NOTHING, Reason.VOIDED, Status.NEW)
    assert second.sentence == 'anna voided one entry ("the ESP\'s bad hour").'
    assert second.effect.outcome is Outcome.ANNOTATED
    assert told.facts == facts_after(GONE, voided)
    assert told.standing.status is Status.NEW


def test_what_is_held_back_says_so() -> None:
    first, *_ = explain([GONE, hold(5, GONE, note=None)], POLICY, day(9)).steps
    assert first.sentence == "Held back by anna on 2026-03-06 12:00 UTC."
    assert first.effect.reason is Reason.HELD_BACK


def test_before_the_void_the_explanation_tells_what_was_known_then() -> None:
    told = explain([GONE, void(5, GONE)], POLICY, day(4))
    assert told.standing.status is Status.BLOCKLISTED
    assert told.standing.cause is Cause.MAILBOX_DOES_NOT_EXIST
