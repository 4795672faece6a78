"""Every status with every act, role, proof and class of mail does what docs/policy.md says, one line each.

The page's tables are made from the matrix (permission_tables.py); here they are read from the page, and compared with
what the fold does and with what the answers say.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.decision import ANNOTATIONS, Decision, DecisionKind, Role, Strength
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Kind, MailClass, Status
from tests.policy.rules import day, hard, soft
from tests.schemas.decisions import added, listing, make_decision
from tests.schemas.feedback_events import make_event
from worker.policy.dimension import Standing
from worker.policy.facts import Facts
from worker.policy.fold import fold, fold_all
from worker.policy.policy_file import preset, recommended_policy
from worker.policy.presets import preset_names
from worker.policy.rule import Policy
from worker.policy.standing import may_end, standing, standings

PAGE = Path(__file__).parent.parent.parent / "docs" / "policy.md"
POLICY = recommended_policy()
WHEN = 400  # the day of the act


@cache
def table(name: str) -> dict[str, dict[str, str]]:
    """A table of the page: each row by its first cell, each cell by the head of its column."""
    (block,) = re.findall(rf"<!-- begin: {name} -->\n(.*?)<!-- end: {name} -->", PAGE.read_text("utf-8"), re.DOTALL)
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines()]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def forbidden_under(policy_name: str) -> dict[str, str]:
    """The row of the preset in the table of statuses."""
    (row,) = (row for names, row in table("statuses").items() if f"`{policy_name}`" in names)
    return row


def forbids(word: str, mail_class: MailClass) -> bool:
    """What the table of classes says of the word."""
    return {"forbidden": True, "allowed": False}[table("classes")[word][f"`{mail_class.value}`"]]


# What begins each fact, its column in the table of permissions, and its column in that of statuses.
FACTS: dict[str, tuple[list[Entry], str, str | None]] = {
    "do_not_contact": ([make_event(Kind.FORBIDS_CONTACT)], "do not contact", "`do_not_contact`"),
    "do_not_contact by staff": (
        [make_decision(DecisionKind.DO_NOT_CONTACT)],
        "do not contact",
        "`do_not_contact`",
    ),
    "declined_commercial": ([make_event(Kind.DECLINES_COMMERCIAL)], "declined commercial", "`declined_commercial`"),
    "declined_commercial by staff": (
        [make_decision(DecisionKind.DECLINED_COMMERCIAL)],
        "declined commercial",
        "`declined_commercial`",
    ),
    "complained": ([make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT)], "complaint", "`complained`"),
    "blocklisted by decision": ([listing(0)], "listing by decision", None),
    "blocklisted by a rule": ([hard(0)], "block and strikes of a rule", "`blocklisted`"),
    "multiple_soft_bounces": (
        [soft(WHEN - 35 + number * 7) for number in range(5)],
        "block and strikes of a rule",
        "`multiple_soft_bounces`",
    ),
    "unsubscribed": ([make_event(Kind.UNSUBSCRIBE)], "opt-out", "`unsubscribed`"),
    "unsubscribed by staff": ([make_decision(DecisionKind.UNSUBSCRIBED)], "opt-out", "`unsubscribed`"),
    "unsubscribed from one list": (
        [make_event(Kind.UNSUBSCRIBE, scope="news")],
        "opt-out",
        "`unsubscribed` from one list",
    ),
    "unsubscribed_by_us": (
        [make_decision(DecisionKind.UNSUBSCRIBED_BY_US)],
        "unsubscribed by us",
        "`unsubscribed_by_us`",
    ),
    "non_marketable": ([added(0)], "unknown permission", "`non_marketable`"),
}
DECISIONS = [kind for kind in DecisionKind if kind not in ANNOTATIONS]
EVENTS = [Kind.RESUBSCRIBE, Kind.DELIVERED, Kind.OPENED, Kind.COMPLAINT, Kind.UNSUBSCRIBE, Kind.PREFERS_FEWER]
# These can end something; what another act begins may forbid more than before.
ENDING = {DecisionKind.LIFTED, DecisionKind.OPTED_IN, DecisionKind.ADDED}


def act(kind: DecisionKind, who: str, proof: str) -> Decision:
    fields: dict[str, Any] = {"by_contact": who == "contact", "role": Role.OPERATOR if who == "contact" else Role(who)}
    if kind is DecisionKind.OPTED_IN:
        fields["strength"] = Strength(proof)
    else:
        fields["note"] = "because" if proof == "reason" else None
    return make_decision(kind, day=WHEN, **fields)


def acts() -> dict[str, Entry]:
    """Each act by each role with each proof, and what an ESP can report."""
    several: dict[str, Entry] = {}
    for kind in DECISIONS:
        proofs = [strength.value for strength in Strength] if kind is DecisionKind.OPTED_IN else ["reason", "none"]
        for who in ("contact", *(role.value for role in Role)):
            for proof in proofs:
                several[f"{kind.value}-{who}-{proof}"] = act(kind, who, proof)
    for event_kind in EVENTS:
        several[event_kind.value] = make_event(event_kind, day=WHEN)
    return several


def row_of(entry: Entry) -> str:
    """The act's row in the table of permissions, as a reader of the page finds it."""
    if isinstance(entry, FeedbackEvent):
        return "`resubscribe` that an ESP reports" if entry.kind is Kind.RESUBSCRIBE else OTHERS
    if entry.kind is DecisionKind.LIFTED:
        if not entry.note:
            return "`lifted` without a reason"
        by_staff = not entry.by_contact and entry.role is not Role.READER
        by = "an operator or administrator, with a reason" if by_staff else "a reader or by the person"
        return f"`lifted` by {by}"
    if entry.kind is not DecisionKind.OPTED_IN:
        return OTHERS
    if not entry.by_contact:
        by = "a reader" if entry.role is Role.READER else "an operator or administrator, with any strength"
        return f"`opted_in` recorded by {by}"
    how = {Strength.DOUBLE: "confirmed (`double`)", Strength.SINGLE: "not confirmed (`single`)"}
    kept = "of a form that somebody else kept (`imported`, `staff`)"
    return f"`opted_in` by the person, {how.get(entry.strength or Strength.SINGLE, kept)}"


OTHERS = "any other decision by anybody, and any other event"


def ends(cell: str, one: Standing) -> bool:
    """What the cell says of the act and this fact."""
    if (way := re.fullmatch(r"if its `lift_by` names `(\w+)`", cell)) is not None:
        return way[1] in {way.value for way in one.lift_by}
    return {"ends it": True, "-": False}[cell]


@pytest.mark.parametrize("mail_class", MailClass)
@pytest.mark.parametrize("fact", FACTS)
def test_an_act_ends_a_status_and_frees_its_mail_where_the_page_says_so(fact: str, mail_class: MailClass) -> None:
    # One test for each act would be thousands, and take longer to begin than to run.
    for entry in acts().values():
        require_said(fact, entry, mail_class)


def require_said(fact: str, entry: Entry, mail_class: MailClass) -> None:
    """The act does to the fact, and to mail of this class, what the page says."""
    beginning, column, status_column = FACTS[fact]
    before = fold_all(Facts(), beginning, POLICY)
    (one,) = standings(before, POLICY, day(WHEN))
    said = f"`{listing(0).blocks.value}`" if status_column is None else forbidden_under("recommended")[status_column]
    ended = ends(table("permissions")[row_of(entry)][column], one)

    after = fold(before, entry, POLICY)

    assert one.blocks.forbids(mail_class) == forbids(said, mail_class)
    assert (may_end(one, entry) is None) == ended
    left = [other for other in standings(after, POLICY, day(WHEN)) if other.event_key == one.event_key]
    assert (left == []) == ended
    shown = standing(after, POLICY, day(WHEN))
    if isinstance(entry, Decision) and entry.kind in ENDING and not ended:
        assert shown.blocks.forbids(mail_class) == forbids(said, mail_class)
    elif isinstance(entry, Decision) and entry.kind in ENDING:
        assert not shown.blocks.forbids(mail_class)
    elif not ended:
        assert shown.blocks.forbids(mail_class) >= forbids(said, mail_class)


@pytest.mark.parametrize("name", acts())
def test_an_act_ends_the_preference_for_fewer_where_the_page_says_so(name: str) -> None:
    entry = acts()[name]
    before = fold_all(Facts(), [make_event(Kind.PREFERS_FEWER)], POLICY)
    cell = table("permissions")[row_of(entry)]["preference for fewer"]
    assert (fold(before, entry, POLICY).consent.fewer == ()) == {"ends it": True, "-": False}[cell]


BEGINNINGS = {
    column: entries
    for entries, _, column in FACTS.values()
    if column is not None and column not in {"`blocklisted`", "`multiple_soft_bounces`"}
}


@pytest.mark.parametrize("column", BEGINNINGS)
@pytest.mark.parametrize("name", preset_names())
def test_each_status_forbids_under_each_preset_what_the_page_says(name: str, column: str) -> None:
    policy = preset(name)
    shown = standing(fold_all(Facts(), BEGINNINGS[column], policy), policy, day(WHEN))
    said = {mail_class: forbids(forbidden_under(name)[column], mail_class) for mail_class in MailClass}
    assert {mail_class: shown.blocks.forbids(mail_class) for mail_class in MailClass} == said


@pytest.mark.parametrize("rule_status", [Status.BLOCKLISTED, Status.MULTIPLE_SOFT_BOUNCES])
@pytest.mark.parametrize("name", preset_names())
def test_a_block_forbids_under_each_preset_what_the_page_says(name: str, rule_status: Status) -> None:
    said = forbidden_under(name)[f"`{rule_status.value}`"]
    assert {f"`{blocks.value}`" for blocks in blocked(preset(name), rule_status)} == set(said.split(", ")) - {"-"}


def blocked(policy: Policy, status: Status) -> set[Blocks]:
    """Which mail the policy's blocks of this status forbid, by what happens to a contact who fails often enough."""
    found = set()
    for rule in policy.rules:
        kind, cause = min(rule.kinds), min(rule.causes)
        apart = max(rule.min_interval.total_seconds(), rule.min_span.total_seconds() / 4, 3600) / 86_400
        failures = [
            make_event(kind, day=WHEN - 0.01 - number * apart, cause=cause, message=f"m{number}")
            for number in range(25)
        ]
        facts = fold_all(Facts(), failures, policy)
        found |= {one.blocks for one in standings(facts, policy, day(WHEN)) if one.status is status}
    return found


def test_no_row_and_no_column_of_the_page_is_left_out() -> None:
    rows = set(table("permissions")) - {"*`lifted_by` says*"}
    assert rows == {row_of(entry) for entry in acts().values()}
    assert {column for _, column, _ in FACTS.values()} | {"preference for fewer"} == set(
        table("permissions")["*`lifted_by` says*"]
    )
    assert {column for _, _, column in FACTS.values() if column} == set(forbidden_under("recommended"))
    assert {name for names in table("statuses") for name in re.findall(r"`(\w+)`", names)} == set(preset_names())
