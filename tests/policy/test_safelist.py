"""What the rules of safelist requests decide, case by case; and what docs/safelist.md says of them.

After a change of safelist.toml, `python -m tests.policy.test_safelist` writes the page's table anew.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.safelist import DeclineReason, RequestKind
from schemas.vocabulary import Blocks, Cause, Status
from worker.policy.dimension import Standing
from worker.policy.permissions import LOCKS, Fact
from worker.policy.safelist import Earlier, Reputation, RequestFacts, Ruling, judge, obstacle
from worker.policy.safelist_presets import safelist_rules, safelist_tables

PAGE = Path(__file__).parent.parent.parent / "docs" / "safelist.md"
_TABLE = re.compile(r"(?<=<!-- begin: rules -->\n\n).*?(?=\n\n<!-- end: rules -->)", re.DOTALL)
CASES = {
    "bad_reputation": "too much of the account's mail bounces or is complained about",
    "young_account": "the account is younger than `safelist.account_days`",
    "complaint": "the person complained",
    "listing": "somebody decided to block the contact",
    "approved_before": "the contact was approved before, and was blocked again",
    "early": "the block is younger than `early_within`",
    "early_within": "",
    "doubtful_reputation": "how well the account's mail is received is at risk, or too few contacts show it",
    "causes": "all that is known of the contact is among these: approved",
    "other_cause": "all others",
    "block": "a request to block somebody",
}

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HELD = Standing(
    status=Status.MULTIPLE_SOFT_BOUNCES,
    blocks=Blocks.MARKETING,
    since=NOW - timedelta(days=10),
    until=NOW + timedelta(days=20),
    cause=Cause.MAILBOX_FULL,
    rule="mailbox_full",
    lift_by=LOCKS[Fact.LISTING],
    name="the block of rule mailbox_full",
)
GONE = replace(HELD, status=Status.BLOCKLISTED, cause=Cause.MAILBOX_DOES_NOT_EXIST, rule="bad_mailbox")
COMPLAINED = replace(HELD, status=Status.COMPLAINED, cause=Cause.ABUSE_REPORT, rule=None, lift_by=LOCKS[Fact.COMPLAINT])
LISTED = replace(HELD, status=Status.BLOCKLISTED, cause=Cause.NONE, rule=None)
FACTS = RequestFacts(
    kind=RequestKind.LIFT,
    standing=HELD,
    several=(HELD,),
    last_cause=Cause.MAILBOX_FULL,
    account_age=timedelta(days=400),
    reputation=Reputation.GOOD,
    approved_before=0,
    at=NOW,
)
UNREACHABLE = replace(HELD, cause=Cause.CONNECTION_FAILED)
RESTRICTED = replace(HELD, cause=Cause.RECIPIENT_RESTRICTED)
YOUNG = HELD.since or NOW


@pytest.mark.parametrize(
    ("change", "rule", "recommended", "strict"),
    [
        ({}, "causes", "approve", "approve"),
        ({"standing": UNREACHABLE, "several": (UNREACHABLE,)}, "causes", "approve", "approve"),
        ({"standing": RESTRICTED, "several": ()}, None, "approve", "decline previous_failures"),
        ({"last_cause": Cause.MAILBOX_DOES_NOT_EXIST}, "other_cause", "review", "decline previous_failures"),
        ({"standing": GONE, "several": (GONE,)}, "other_cause", "review", "decline previous_failures"),
        ({"several": (HELD, GONE)}, "other_cause", "review", "decline previous_failures"),
        ({"standing": COMPLAINED}, "complaint", "review", "decline spam_related"),
        ({"several": (HELD, LISTED)}, "listing", "review", "review"),
        ({"approved_before": 1}, "approved_before", "review", "decline previous_failures"),
        ({"at": YOUNG + timedelta(hours=23)}, "early", "review", "decline previous_failures"),
        ({"at": YOUNG + timedelta(hours=25)}, None, "approve", "decline previous_failures"),
        ({"reputation": Reputation.AT_RISK}, "doubtful_reputation", "review", "review"),
        ({"reputation": Reputation.UNKNOWN}, "doubtful_reputation", "review", "review"),
        ({"reputation": Reputation.BAD}, "bad_reputation", "decline reputation", "decline reputation"),
        ({"account_age": timedelta(days=89)}, "young_account", "review", "decline insufficient_history"),
        ({"account_age": None}, "young_account", "review", "decline insufficient_history"),
        ({"kind": RequestKind.BLOCK, "reputation": Reputation.BAD}, "block", "approve", "approve"),
    ],
)
def test_the_first_case_that_applies_decides(
    change: dict[str, Any], rule: str | None, recommended: str, strict: str
) -> None:
    for preset, expected in (("recommended", recommended), ("strict", strict), ("by_hand", "review")):
        verdict = judge(replace(FACTS, **change), safelist_rules(preset))
        reason = f" {verdict.reason}" if verdict.reason else ""
        assert f"{verdict.ruling}{reason}" == expected, preset
        assert (verdict.reason is not None) is (verdict.ruling is Ruling.DECLINE)
        if rule is not None and preset == "recommended":
            assert verdict.rule == rule


@pytest.mark.parametrize(
    ("status", "possible"),
    [
        (Status.BLOCKLISTED, True),
        (Status.COMPLAINED, True),
        (Status.MULTIPLE_SOFT_BOUNCES, True),
        (Status.DO_NOT_CONTACT, False),
        (Status.DECLINED_COMMERCIAL, False),
        (Status.UNSUBSCRIBED, False),
        (Status.UNSUBSCRIBED_BY_US, False),
        (Status.NON_MARKETABLE, False),
        (Status.SOFT_BOUNCING, False),
        (Status.ACTIVE, False),
        (Status.NEW, False),
    ],
)
def test_three_statuses_can_be_asked_back(status: Status, possible: bool) -> None:  # noqa: FBT001 - a parameter of the table
    found = obstacle(replace(HELD, status=status), Earlier(), safelist_rules().limits)
    assert (found is None) is possible


def test_a_block_that_only_time_ends_cannot_be_asked_back() -> None:
    found = obstacle(replace(HELD, lift_by=frozenset()), Earlier(), safelist_rules().limits)
    assert found is not None
    assert found.remedy == "Only time ends it."


def test_declines_because_of_the_account_have_reasons_of_their_own() -> None:
    assert {reason.value for reason in DeclineReason} == {
        "previous_failures",
        "spam_related",
        "reputation",
        "insufficient_history",
        "other",
    }


def rules_table() -> str:
    """The presets, key by key."""
    tables = safelist_tables()
    lines = [
        f"| case | when | {' | '.join(f'`{name}`' for name in tables)} |",
        f"|---|---|{'---|' * len(tables)}",
    ]
    for key, when in CASES.items():
        values = [table[key] for table in tables.values()]
        shown = [
            ", ".join(f"`{one}`" for one in value) or "-" if isinstance(value, list) else value for value in values
        ]
        lines.append(f"| `{key}` | {when} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return ", ".join(f"`{one}`" for one in value) or "-" if isinstance(value, list) else str(value)


def test_the_page_has_the_rules_of_every_preset() -> None:
    assert {key for table in safelist_tables().values() for key in table} == {"about", *CASES}
    found = _TABLE.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    assert found[0] == rules_table(), "run `python -m tests.policy.test_safelist` to write it anew"


if __name__ == "__main__":
    PAGE.write_text(_TABLE.sub(lambda _: rules_table(), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
