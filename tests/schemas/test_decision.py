"""Decisions take their place behind the events of the same instant."""

from schemas.decision import ANNOTATIONS, DECISION_RANKS, DecisionKind
from schemas.decision_request import RequestedKind
from schemas.entry import ENTRY_RANKS
from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Kind


def test_every_decision_has_the_rank_that_it_was_given_once() -> None:
    assert DECISION_RANKS == {
        DecisionKind.ADDED: 200,
        DecisionKind.OPTED_IN: 210,
        DecisionKind.LIFTED: 220,
        DecisionKind.UNSUBSCRIBED_BY_US: 230,
        DecisionKind.UNSUBSCRIBED: 240,
        DecisionKind.LISTED: 260,
        DecisionKind.DECLINED_COMMERCIAL: 270,
        DecisionKind.DO_NOT_CONTACT: 280,
        DecisionKind.VOIDED: 300,
        DecisionKind.HELD_BACK: 310,
        DecisionKind.RELEASED: 320,
    }


def test_annotations_come_after_all_other_decisions_of_their_instant() -> None:
    others = set(DecisionKind) - ANNOTATIONS
    assert min(DECISION_RANKS[kind] for kind in ANNOTATIONS) > max(DECISION_RANKS[kind] for kind in others)


def test_no_kind_of_event_and_of_decision_share_a_word() -> None:
    # Such words are equal, and have the same hash: a table by kind would take one for the other.
    assert not {kind.value for kind in Kind} & {kind.value for kind in DecisionKind}
    assert set(ENTRY_RANKS.values()) == {*KIND_RANKS.values(), *DECISION_RANKS.values()}


def test_what_a_decision_asks_for_has_the_name_of_its_kind() -> None:
    assert {kind.decision_kind for kind in RequestedKind} == set(DecisionKind) - ANNOTATIONS


def test_decisions_come_after_all_events_of_their_instant() -> None:
    assert min(DECISION_RANKS.values()) > max(KIND_RANKS.values())
