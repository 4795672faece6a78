"""Decisions take their place behind the events of the same instant."""

from schemas.decision import DECISION_RANKS, DecisionKind
from schemas.kind_rank import KIND_RANKS


def test_every_decision_has_the_rank_that_it_was_given_once() -> None:
    assert DECISION_RANKS == {
        DecisionKind.ADDED: 200,
        DecisionKind.OPTED_IN: 210,
        DecisionKind.LIFTED: 220,
        DecisionKind.LISTED: 260,
        DecisionKind.VOIDED: 300,
        DecisionKind.HELD_BACK: 310,
        DecisionKind.RELEASED: 320,
    }


def test_decisions_come_after_all_events_of_their_instant() -> None:
    assert min(DECISION_RANKS.values()) > max(KIND_RANKS.values())
