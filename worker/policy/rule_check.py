"""Checks that a policy's rules make sense. It reports every mistake before the first event is folded."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import product
from math import ceil

from schemas.vocabulary import CAUSE_BLAME, Blame, Blocks, Cause, Kind
from worker.policy.event_order import COUNTABLE_CAUSES
from worker.policy.mistakes import mistake
from worker.policy.rule import Action, LiftBy, Rule
from worker.policy.rule_reader import MOST_STRIKES, rule_place

_NOTHING = timedelta(0)


def rule_mistakes(rules: Sequence[Rule]) -> Iterator[str]:
    """The contradictions within a rule or between two, each with its remedy."""
    claimed: dict[tuple[Kind, Cause], str] = {}
    for rule in rules:
        where = rule_place(rule.name)
        yield from _check_what_counts(where, rule)
        yield from _check_spacing(where, rule)
        yield from _check_engagement(where, rule)
        yield from _check_consequence(where, rule)
        yield from _check_others(where, rule, claimed)


def _check_others(where: str, rule: Rule, claimed: dict[tuple[Kind, Cause], str]) -> Iterator[str]:
    """Adds the rule's kinds and causes to `claimed`. One message for each other rule that counts some of them."""
    shared: dict[str, list[tuple[Kind, Cause]]] = {}
    for counted in sorted(product(rule.kinds, rule.causes)):
        owner = claimed.setdefault(counted, rule.name)
        if owner != rule.name:
            shared.setdefault(owner, []).append(counted)
    for owner, both in shared.items():
        causes = sorted({cause for _, cause in both})
        overlap = ", ".join(f"{kind.value} with {cause.value}" for kind, cause in both)
        yield mistake(
            where,
            "causes",
            f"counts {overlap}, which rule {owner!r} already counts",
            f"remove {', '.join(causes)} from one of the two, limit their kinds, "
            f"or remove the other with [policy.rules.{owner}] remove = true",
        )


def _check_what_counts(where: str, rule: Rule) -> Iterator[str]:
    if not rule.causes:
        yield mistake(where, "causes", "is empty, so it would count nothing", "name causes or remove the rule")
    if not rule.kinds:
        yield mistake(where, "kinds", "is empty, so it would count nothing", "remove the key to count both")
    for cause in sorted(rule.causes - COUNTABLE_CAUSES):
        blame = CAUSE_BLAME[cause]
        if blame is Blame.SENDER:
            why = f"names {cause.value}, which is the sender's fault and never counts against a contact"
        elif cause in {Cause.ABUSE_REPORT, Cause.FRAUD_REPORT}:
            why = f"names {cause.value}, but complaints always count and need no rule"
        else:
            why = f"names {cause.value}, which is not a failure of the address"
        yield mistake(where, "causes", why, "remove it")
    for kind in sorted(set(rule.weights) - rule.kinds):
        yield mistake(
            where, "weights", f"weighs {kind.value}, which is not among its kinds", "remove it or add the kind"
        )
    if rule.most_strikes() > MOST_STRIKES:
        yield mistake(
            where,
            "weights",
            f"are so light that {rule.most_strikes()} strikes could be needed",
            f"raise them to stay within {MOST_STRIKES} strikes",
        )


def _check_spacing(where: str, rule: Rule) -> Iterator[str]:
    for key, span in (("window", rule.window), ("stale_after", rule.stale_after)):
        if span == _NOTHING:
            yield mistake(where, key, "is zero, so every strike would be forgotten at once", "remove the key")
    # A zero span is reported above; comparing it with other keys would only add messages.
    window, stale_after = rule.window or None, rule.stale_after or None
    single = rule.strikes + rule.engaged_extra == 1
    if single and rule.min_span:
        yield mistake(where, "min_span", "cannot be reached by a single strike", "raise strikes or remove the key")
    if window is not None and rule.min_span >= window:
        yield mistake(
            where,
            "min_span",
            "is not below window, so the first strike would be forgotten before the last can count",
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
        if window is not None and gaps and gaps * interval >= window:
            yield mistake(
                where,
                key,
                f"makes {gaps + 1} strikes take at least {gaps} times as long, which is not below window",
                f"shorten {key}, lower strikes, or lengthen window",
            )
        if stale_after is not None and gaps and interval >= stale_after:
            yield mistake(
                where,
                key,
                "is not below stale_after, so each strike would be forgotten before the next can count",
                f"shorten {key} or lengthen stale_after",
            )


def _check_engagement(where: str, rule: Rule) -> Iterator[str]:
    if rule.engaged_extra and not rule.engaged_by:
        yield mistake(
            where, "engaged_by", "is empty, so engaged_extra never applies", "name opened, clicked or delivered"
        )
    if rule.engaged_extra and not rule.engaged_within:
        yield mistake(
            where, "engaged_within", "is zero, so engaged_extra never applies", "lengthen it or remove engaged_extra"
        )


def _check_consequence(where: str, rule: Rule) -> Iterator[str]:
    holds = rule.action is Action.HOLD
    if holds and not rule.hold_ladder:
        yield mistake(
            where, "hold_ladder", "is missing, so a hold would have no length", 'write hold_ladder = ["30d", "forever"]'
        )
    if rule.hold_ladder and not holds:
        yield mistake(
            where,
            "hold_ladder",
            f"has no effect with action {rule.action.value!r}",
            'write action = "hold" or remove hold_ladder',
        )
    if not holds and (rule.trial_strikes != 1 or rule.ladder_forget is not None):
        key = "ladder_forget" if rule.ladder_forget is not None else "trial_strikes"
        yield mistake(where, key, f"has no effect with action {rule.action.value!r}", "remove it")
    if _NOTHING in rule.hold_ladder:
        yield mistake(where, "hold_ladder", "has a hold of zero length", "give each rung a length")
    if None in rule.hold_ladder[:-1]:
        yield mistake(
            where, "hold_ladder", 'goes on after "forever", which never ends', 'put "forever" last or remove it'
        )
    if rule.action is not Action.RECORD and rule.applies_to is Blocks.NONE:
        yield mistake(
            where, "applies_to", 'is "none", so a block would forbid nothing', 'write action = "record" instead'
        )
    ends = any(rung is not None for rung in rule.hold_ladder)
    if holds and ends and LiftBy.EXPIRY not in rule.lift_by:
        yield mistake(where, "lift_by", "lacks expiry, but its holds end by time", 'add "expiry"')
    if rule.action is Action.BLOCK and LiftBy.EXPIRY in rule.lift_by:
        yield mistake(
            where, "lift_by", "names expiry, but a block never ends by time", 'remove it or write action = "hold"'
        )
    if holds and rule.hold_ladder and not ends and LiftBy.EXPIRY in rule.lift_by:
        yield mistake(where, "lift_by", "names expiry, but no rung of hold_ladder ends", "remove it or add a rung")
