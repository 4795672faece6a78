"""Whether a policy's rules can do what they say. Every mistake is found before the first event is folded."""

from collections.abc import Sequence
from datetime import timedelta
from math import ceil

from schemas.vocabulary import CAUSE_BLAME, Blame, Blocks, Cause, Kind
from worker.policy.compiled import most_strikes
from worker.policy.event_order import COUNTABLE_CAUSES
from worker.policy.rule import Action, LiftBy, Rule
from worker.policy.rule_reader import MOST_STRIKES, impossible

_NOTHING = timedelta(0)


def check_rules(rules: Sequence[Rule]) -> None:
    """Raises ImpossibleSetting at the first rule that contradicts itself or another."""
    claimed: dict[tuple[Kind, Cause], str] = {}
    for rule in rules:
        where = f"policy rule {rule.name!r}"
        _check_what_counts(where, rule)
        _check_spacing(where, rule)
        _check_engagement(where, rule)
        _check_consequence(where, rule)
        for kind in sorted(rule.kinds):
            for cause in sorted(rule.causes):
                owner = claimed.setdefault((kind, cause), rule.name)
                if owner != rule.name:
                    raise impossible(
                        where,
                        "causes",
                        f"counts {kind.value} with {cause.value}, which rule {owner!r} counts already",
                        f"take {cause.value} out of one of the two, limit their kinds, "
                        f"or remove the other with [policy.rules.{owner}] remove = true",
                    )


def _check_what_counts(where: str, rule: Rule) -> None:
    if not rule.causes:
        raise impossible(where, "causes", "is empty, so it would count nothing", "name causes or remove the rule")
    if not rule.kinds:
        raise impossible(where, "kinds", "is empty, so it would count nothing", "leave it out to count both")
    for cause in sorted(rule.causes - COUNTABLE_CAUSES):
        blame = CAUSE_BLAME[cause]
        if blame is Blame.SENDER:
            why = f"names {cause.value}, which is the sender's fault and never counts against a contact"
        elif cause in {Cause.ABUSE_REPORT, Cause.FRAUD_REPORT}:
            why = f"names {cause.value}, but complaints are always heeded and need no rule"
        else:
            why = f"names {cause.value}, which is no failure of the address"
        raise impossible(where, "causes", why, "take it out")
    for kind in sorted(set(rule.weights) - rule.kinds):
        raise impossible(
            where, "weights", f"weighs {kind.value}, which is not among its kinds", "take it out or add the kind"
        )
    if most_strikes(rule) > MOST_STRIKES:
        raise impossible(
            where,
            "weights",
            f"are so light that {most_strikes(rule)} strikes could be needed",
            f"keep it within {MOST_STRIKES} strikes",
        )


def _check_spacing(where: str, rule: Rule) -> None:
    for key, span in (("window", rule.window), ("stale_after", rule.stale_after)):
        if span == _NOTHING:
            raise impossible(where, key, "is nothing, so every strike would be forgotten at once", "leave it out")
    single = rule.strikes + rule.engaged_extra == 1
    if single and rule.min_span:
        raise impossible(where, "min_span", "cannot be reached by a single strike", "raise strikes or leave it out")
    if rule.window is not None and rule.min_span >= rule.window:
        raise impossible(
            where,
            "min_span",
            "is not below window, so the first strike is forgotten before the last may count",
            "shorten min_span or lengthen window",
        )
    heaviest = max((rule.weights.get(kind, 1.0) for kind in rule.kinds), default=1.0)
    cases = [("min_interval", rule.min_interval, rule.strikes)]
    if rule.engaged_extra:
        spacing = rule.min_interval if rule.engaged_min_interval is None else rule.engaged_min_interval
        key = "min_interval" if rule.engaged_min_interval is None else "engaged_min_interval"
        cases.append((key, spacing, rule.strikes + rule.engaged_extra))
    for key, interval, score in cases:
        gaps = ceil(score / heaviest) - 1
        if rule.window is not None and gaps and gaps * interval >= rule.window:
            raise impossible(
                where,
                key,
                f"lets {gaps + 1} strikes take at least {gaps} times as long, which is not below window",
                f"shorten {key}, lower strikes, or lengthen window",
            )
        if rule.stale_after is not None and gaps and interval >= rule.stale_after:
            raise impossible(
                where,
                key,
                "is not below stale_after, so each strike would be forgotten before the next may count",
                f"shorten {key} or lengthen stale_after",
            )


def _check_engagement(where: str, rule: Rule) -> None:
    if rule.engaged_extra and not rule.engaged_by:
        raise impossible(
            where, "engaged_by", "is empty, so engaged_extra never applies", "name opened, clicked or delivered"
        )
    if rule.engaged_extra and not rule.engaged_within:
        raise impossible(
            where, "engaged_within", "is nothing, so engaged_extra never applies", "lengthen it or drop engaged_extra"
        )


def _check_consequence(where: str, rule: Rule) -> None:
    holds = rule.action is Action.HOLD
    if holds and not rule.hold_ladder:
        raise impossible(
            where, "hold_ladder", "is missing, so a hold would have no length", 'write hold_ladder = ["30d", "forever"]'
        )
    if rule.hold_ladder and not holds:
        raise impossible(
            where, "hold_ladder", f"has no effect with action {rule.action.value!r}", 'write action = "hold" or drop it'
        )
    if not holds and (rule.trial_strikes != 1 or rule.ladder_forget is not None):
        key = "ladder_forget" if rule.ladder_forget is not None else "trial_strikes"
        raise impossible(where, key, f"has no effect with action {rule.action.value!r}", "drop it")
    if _NOTHING in rule.hold_ladder:
        raise impossible(where, "hold_ladder", "has a hold of no length", "give each rung a length")
    if None in rule.hold_ladder[:-1]:
        raise impossible(
            where, "hold_ladder", 'goes on after "forever", which never ends', 'put "forever" last or drop it'
        )
    if rule.action is not Action.RECORD and rule.applies_to is Blocks.NONE:
        raise impossible(
            where, "applies_to", 'is "none", so a block would forbid nothing', 'write action = "record" instead'
        )
    ends = any(rung is not None for rung in rule.hold_ladder)
    if holds and ends and LiftBy.EXPIRY not in rule.lift_by:
        raise impossible(where, "lift_by", "leaves out expiry, yet its holds end by time", 'add "expiry"')
    if rule.action is Action.BLOCK and LiftBy.EXPIRY in rule.lift_by:
        raise impossible(
            where, "lift_by", "names expiry, yet a block never ends by time", 'drop it or write action = "hold"'
        )
    if holds and not ends and LiftBy.EXPIRY in rule.lift_by:
        raise impossible(where, "lift_by", "names expiry, yet no rung of hold_ladder ends", "drop it or add a rung")
