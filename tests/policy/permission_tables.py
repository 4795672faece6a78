"""The tables of docs/policy.md about statuses and permissions, made from the matrix and from each preset."""

from collections.abc import Mapping

from schemas.decision import DecisionKind
from schemas.entry import Entry, EntryKind
from schemas.vocabulary import Blocks, Kind, MailClass, Status
from tests.policy.rules import day
from tests.schemas.decisions import added, make_decision
from tests.schemas.feedback_events import make_event
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.permissions import LOCKS, OPENS, By, Fact, Proof
from worker.policy.policy_file import preset
from worker.policy.presets import preset_names
from worker.policy.rule import RULE_LIFT_BY, Action, LiftBy, Policy
from worker.policy.standing import standing

ENDS_IT, LEAVES_IT = "ends it", "-"
OTHER_ACTS = "any other decision by anybody, and any other event"
_FACTS: dict[str, frozenset[LiftBy] | None] = {
    "block and strikes of a rule": None,
    "listing by decision": LOCKS[Fact.LISTING],
    "complaint": LOCKS[Fact.COMPLAINT],
    "unknown permission": LOCKS[Fact.UNKNOWN_PERMISSION],
    "unsubscribed by us": LOCKS[Fact.UNSUBSCRIBED_BY_US],
    "opt-out": LOCKS[Fact.UNSUBSCRIBE],
    "declined commercial": LOCKS[Fact.DECLINED_COMMERCIAL],
    "do not contact": LOCKS[Fact.DO_NOT_CONTACT],
    "preference for fewer": LOCKS[Fact.PREFERENCE],
}
ACTS: dict[str, tuple[EntryKind, tuple[By, ...], tuple[Proof, ...]]] = {
    "`lifted` by an operator or administrator, with a reason": (
        DecisionKind.LIFTED,
        (By.OPERATOR, By.ADMINISTRATOR),
        (Proof.REASON,),
    ),
    "`lifted` without a reason": (DecisionKind.LIFTED, tuple(By), (Proof.NONE,)),
    "`lifted` by a reader or by the person": (DecisionKind.LIFTED, (By.READER, By.CONTACT), (Proof.REASON,)),
    "`opted_in` by the person, confirmed (`double`)": (DecisionKind.OPTED_IN, (By.CONTACT,), (Proof.DOUBLE,)),
    "`opted_in` by the person, not confirmed (`single`)": (DecisionKind.OPTED_IN, (By.CONTACT,), (Proof.SINGLE,)),
    "`opted_in` by the person, of a form that somebody else kept (`imported`, `staff`)": (
        DecisionKind.OPTED_IN,
        (By.CONTACT,),
        (Proof.RECORD,),
    ),
    "`opted_in` recorded by an operator or administrator, with any strength": (
        DecisionKind.OPTED_IN,
        (By.OPERATOR, By.ADMINISTRATOR),
        (Proof.SINGLE, Proof.DOUBLE, Proof.RECORD),
    ),
    "`opted_in` recorded by a reader": (
        DecisionKind.OPTED_IN,
        (By.READER,),
        (Proof.SINGLE, Proof.DOUBLE, Proof.RECORD),
    ),
    "`resubscribe` that an ESP reports": (Kind.RESUBSCRIBE, (By.CONTACT,), (Proof.REPORT,)),
}

# What brings each status about, and the words by which the table calls it.
BEGINNINGS: dict[str, Entry] = {
    "`do_not_contact`": make_event(Kind.FORBIDS_CONTACT),
    "`declined_commercial`": make_event(Kind.DECLINES_COMMERCIAL),
    "`complained`": make_event(Kind.COMPLAINT),
    "`unsubscribed`": make_event(Kind.UNSUBSCRIBE),
    "`unsubscribed` from one list": make_event(Kind.UNSUBSCRIBE, scope="news"),
    "`unsubscribed_by_us`": make_decision(DecisionKind.UNSUBSCRIBED_BY_US),
    "`non_marketable`": added(0),
}
_BY_RULES: dict[str, Status] = {
    "`blocklisted`": Status.BLOCKLISTED,
    "`multiple_soft_bounces`": Status.MULTIPLE_SOFT_BOUNCES,
}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def permissions_table() -> str:
    """Which act ends which fact: a row for each act, with who acts and the proof."""

    def cell(opened: frozenset[LiftBy], lift_by: frozenset[LiftBy] | None) -> str:
        if lift_by is None:
            named = sorted(opened & RULE_LIFT_BY)
            return f"if its `lift_by` names `{named[0]}`" if named else LEAVES_IT
        return ENDS_IT if opened & lift_by else LEAVES_IT

    rows = []
    for name, (kind, who, proofs) in ACTS.items():
        (opened,) = {OPENS.get((kind, by, proof), frozenset[LiftBy]()) for by in who for proof in proofs}
        rows.append([name, *(cell(opened, lift_by) for lift_by in _FACTS.values())])
    rows.append([OTHER_ACTS, *(LEAVES_IT for _ in _FACTS)])
    locks = (", ".join(f"`{way}`" for way in sorted(lock)) if lock else "the rule's own" for lock in _FACTS.values())
    return table(["act", *_FACTS], [["*`lifted_by` says*", *locks], *rows])


def classes_table() -> str:
    """Which classes of mail each word of `blocks` forbids."""
    return table(
        ["`blocks`", *(f"`{mail_class}`" for mail_class in MailClass)],
        [[f"`{word}`", *("forbidden" if word.forbids(one) else "allowed" for one in MailClass)] for word in Blocks],
    )


def statuses_table() -> str:
    """Which mail each status forbids under each preset; presets that agree share a row."""
    several: dict[tuple[str, ...], list[str]] = {}
    for name in preset_names():
        several.setdefault(tuple(forbidden(preset(name)).values()), []).append(f"`{name}`")
    return table(
        ["presets", *BEGINNINGS, *_BY_RULES],
        [[", ".join(names), *words] for words, names in several.items()],
    )


def forbidden(policy: Policy) -> Mapping[str, str]:
    """The word of `blocks` of each status; a status by rules may have several, as each rule says."""
    words = {
        name: f"`{standing(fold_all(Facts(), [entry], policy), policy, day(400)).blocks.value}`"
        for name, entry in BEGINNINGS.items()
    }
    for name, status in _BY_RULES.items():
        said = {rule.applies_to for rule in policy.rules if rule.status is status and rule.action is not Action.RECORD}
        words[name] = ", ".join(f"`{word.value}`" for word in Blocks if word in said) or LEAVES_IT
    return words
