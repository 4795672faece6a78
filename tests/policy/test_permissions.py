"""Who may end what: what an answer names in `lifted_by` can do it, and nothing else can."""

from datetime import timedelta
from itertools import product

import pytest

from schemas.decision import ANNOTATIONS, Decision, DecisionKind, Role, Strength
from schemas.entry import Entry
from schemas.vocabulary import Cause, Kind
from tests.policy.rules import day, hard
from tests.policy.test_decisions import complaint, resubscribe, unsubscribe
from tests.schemas.decisions import added, lift, listing, make_decision, optin
from tests.schemas.feedback_events import make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold, fold_all
from worker.policy.permissions import Refusal, opens
from worker.policy.policy_file import preset, recommended_policy
from worker.policy.presets import preset_names
from worker.policy.rule import LiftBy, Policy, Rule
from worker.policy.standing import may_end, standings

POLICY = recommended_policy()

# What each word of `lifted_by` says, as a decision: written by hand, not taken from the matrix.
CAN: dict[LiftBy, Decision] = {
    LiftBy.ADMIN: lift(400),
    LiftBy.CONFIRMED_OPTIN: optin(400, Strength.DOUBLE),
    LiftBy.OPTIN: optin(400, Strength.SINGLE),
    LiftBy.RECORDED_OPTIN: optin(400, Strength.STAFF, by_contact=False),
}


def acts() -> list[Decision]:
    """A decision of each kind, role, strength and reason, by the contact and by others."""
    return [
        make_decision(
            kind,
            day=400,
            role=role,
            by_contact=by_contact,
            note=note,
            strength=strength if kind is DecisionKind.OPTED_IN else None,
        )
        for kind, role, by_contact, note, strength in product(
            [kind for kind in DecisionKind if kind not in ANNOTATIONS and kind is not DecisionKind.LISTED],
            Role,
            (False, True),
            ("because", None),
            Strength,
        )
    ]


def failed_by(rule: Rule, policy: Policy, times: int) -> Facts:
    """A contact with so many failures that this rule counts, the last of them an hour before day 400."""
    apart = max(rule.min_interval, rule.min_span / 4, timedelta(hours=1)) / timedelta(days=1)
    kind, cause = min(rule.kinds), min(rule.causes)
    return fold_all(
        Facts(),
        [
            make_event(kind, day=400 - 1 / 24 - number * apart, cause=cause, message=f"m{number}")
            for number in range(times)
        ],
        policy,
    )


ALL_RULES = [
    pytest.param(policy, rule, id=f"{policy.name}-{rule.name}")
    for policy in (preset(name) for name in preset_names())
    for rule in policy.rules
]


def check(facts: Facts, policy: Policy, act: Decision) -> None:
    """Whether the act ends each standing is what `lift_by` says, what `may_end` says, and what the fold does."""
    before = list(standings(facts, policy, act.occurred_at))
    assert before
    after = {(one.name, one.event_key) for one in standings(fold(facts, act, policy), policy, act.occurred_at)}
    for one in before:
        permitted = bool(opens(act) & one.lift_by)
        assert (may_end(one, act) is None) == permitted
        assert ((one.name, one.event_key) not in after) == permitted


@pytest.mark.parametrize("times", [1, 25], ids=["strikes", "block"])
@pytest.mark.parametrize(("policy", "rule"), ALL_RULES)
def test_what_a_rule_began_is_ended_by_whom_its_answer_names_and_by_nobody_else(
    policy: Policy, rule: Rule, times: int
) -> None:
    facts = failed_by(rule, policy, times)
    (one,) = standings(facts, policy, day(400))
    for word, decision in CAN.items():
        assert (may_end(one, decision) is None) == (word in one.lift_by), word
    for act in acts():
        if not (act.kind is DecisionKind.OPTED_IN and Kind.RESUBSCRIBE in rule.reset_on and times == 1):
            check(facts, policy, act)  # else the opt-in clears the strikes as the rule's reset_on says


@pytest.mark.parametrize("entry", [complaint(0), unsubscribe(0), added(0), listing(0)], ids=lambda entry: entry.kind)
def test_every_other_fact_is_ended_by_whom_its_answer_names_and_by_nobody_else(entry: Entry) -> None:
    facts = fold_all(Facts(), [entry], POLICY)
    for act in acts():
        check(facts, POLICY, act)


def refused(entry: Entry, act: Decision) -> Refusal | None:
    (one,) = standings(fold_all(Facts(), [entry], POLICY), POLICY, day(400))
    return may_end(one, act)


@pytest.mark.parametrize(
    ("entry", "act", "sentence", "remedy"),
    [
        (
            unsubscribe(0, "news"),
            lift(400),
            "A lift does not end the opt-out of news.",
            "Only a new opt-in by the person does.",
        ),
        (
            added(0),
            lift(400),
            "A lift does not end the unknown permission.",
            "Only a new opt-in by the person or a record that the person agreed does.",
        ),
        (
            complaint(0),
            optin(400, Strength.SINGLE),
            "An opt-in that is not confirmed does not end the complaint.",
            "Only a new opt-in that the person has confirmed or an operator, with a reason does.",
        ),
        (hard(0), lift(400, note=""), "A lift without a reason ends nothing.", "Give a reason."),
        (hard(0), lift(400, role=Role.READER), "A reader decides nothing.", "Ask an operator."),
        (
            hard(0),
            lift(400, by_contact=True),
            "A lift is not the person's own act.",
            "Record the person's opt-in.",
        ),
        (
            unsubscribe(0, "news"),
            optin(400, scope="offers"),
            "An opt-in to offers does not end the opt-out of news.",
            "Name the scope news, or none for everything.",
        ),
    ],
)
def test_a_refusal_says_why_and_what_to_do_instead(entry: Entry, act: Decision, sentence: str, remedy: str) -> None:
    assert refused(entry, act) == Refusal(sentence=sentence, remedy=remedy)


def test_an_opt_in_of_another_scope_ends_nothing_of_this_one() -> None:
    facts = fold_all(Facts(), [unsubscribe(0, "news"), optin(1, scope="offers")], POLICY)
    assert [one.scope for one in facts.consent.optouts] == ["news"]


def test_a_resubscribe_opens_what_an_unconfirmed_opt_in_opens() -> None:
    assert opens(resubscribe(0)) == opens(optin(0, Strength.SINGLE))


def test_events_end_nothing() -> None:
    for kind in set(Kind) - {Kind.RESUBSCRIBE}:
        assert opens(make_event(kind, cause=Cause.NONE)) == frozenset()
