"""A policy, indexed for the fold: one look-up a failure instead of a walk over the rules."""

from math import ceil

from msgspec import Struct

from schemas.vocabulary import Cause, Kind
from worker.policy.rule import Policy, Rule

_KEPT_POLICIES = 16


class CompiledPolicy(Struct, frozen=True, kw_only=True):
    """The same policy, by what the fold asks for."""

    policy: Policy
    rule_for: dict[tuple[Kind, Cause], Rule]
    rules: dict[str, Rule]
    reset_by: dict[Kind, frozenset[str]]  # names of the rules whose strikes a kind of event clears
    most_strikes: dict[str, int]  # how many strikes of a rule are kept: as many as can ever be needed


_by_identity: dict[int, CompiledPolicy] = {}


def compiled(policy: Policy) -> CompiledPolicy:
    """The index of a policy, made once for each policy object."""
    known = _by_identity.get(id(policy))
    # An id may be given again after its object is gone; the entry keeps its policy alive, so `is` decides.
    if known is not None and known.policy is policy:
        return known
    if len(_by_identity) >= _KEPT_POLICIES:
        _by_identity.clear()
    made = _compile(policy)
    _by_identity[id(policy)] = made
    return made


def _compile(policy: Policy) -> CompiledPolicy:
    rule_for: dict[tuple[Kind, Cause], Rule] = {}
    for rule in policy.rules:
        for kind in rule.kinds:
            for cause in rule.causes:
                rule_for.setdefault((kind, cause), rule)
    return CompiledPolicy(
        policy=policy,
        rule_for=rule_for,
        rules={rule.name: rule for rule in policy.rules},
        reset_by={
            kind: frozenset(rule.name for rule in policy.rules if kind in rule.reset_on)
            for kind in (Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.RESUBSCRIBE)
        },
        most_strikes={rule.name: most_strikes(rule) for rule in policy.rules},
    )


def most_strikes(rule: Rule) -> int:
    """How many strikes can be needed at once, all of the lightest weight."""
    lightest = min((rule.weights.get(kind, 1.0) for kind in rule.kinds), default=1.0)
    score = max(rule.strikes + rule.engaged_extra, rule.trial_strikes)
    return max(2, ceil(score / lightest)) if lightest > 0 else 2
