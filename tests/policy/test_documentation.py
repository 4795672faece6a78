"""docs/policy.md says what the code does: its tables and examples are made from the code and compared.

After a change, `python -m tests.policy.test_documentation` writes them anew.
"""

import re
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from schemas.decision import DecisionKind, Strength
from schemas.entry import Entry
from schemas.vocabulary import Blocks, Cause, Kind, Way
from tests.policy.permission_tables import ACTS, classes_table, permissions_table, statuses_table, table
from tests.policy.rules import delivered, hard, opened, soft
from tests.schemas.decisions import added, lift, optin, wish
from tests.schemas.feedback_events import START, make_event
from worker.policy.cause_groups import CAUSE_GROUPS
from worker.policy.duration import write_duration
from worker.policy.explain import explain
from worker.policy.permissions import OPENS
from worker.policy.policy_file import APPLIES_TO, POLICY_KEYS, load_policy, preset, recommended_policy
from worker.policy.policy_print import rule_values
from worker.policy.presets import preset_about, preset_names
from worker.policy.rule import Action, Policy, Rule
from worker.policy.rule_reader import RULE_KEYS
from worker.policy.sentences import moment_text

PAGE = Path(__file__).parent.parent.parent / "docs" / "policy.md"

SETTINGS = {
    "preset": "the table to begin with",
    "name": "what logs and pages call the policy; the preset's name when left out",
    "about": "a sentence for readers of the file; the program does not use it",
    "max_event_age": (
        "a failure that an ESP reports longer than this after it happened is kept but is no strike; one in "
        "[our own JSON](providers/bouncekeeper.md) counts however old it is"
    ),
    "do_not_contact_applies_to": "which mail `do_not_contact` forbids: `commercial` or `all`",
    "declined_commercial_applies_to": "which mail `declined_commercial` forbids: `commercial` or `all`",
    "complaint_applies_to": "which mail a complaint forbids: `marketing`, `commercial` or `all`",
    "marketing_complaint_applies_to": (
        "which mail a complaint about one of the `marketing_streams` forbids: `marketing` or `commercial` leave "
        "receipts on"
    ),
    "marketing_streams": (
        "the names by which marketing is known: a complaint is about such a stream if its event names one of them as "
        "its `scope`, among its `tags`, or as its source"
    ),
    "unsubscribed_applies_to": (
        "which mail an opt-out of everything forbids: `none` (it is only shown), `marketing`, `commercial` or `all`"
    ),
    "scoped_unsubscribe_applies_to": (
        "which mail an opt-out from one list or group forbids, also one by us: `marketing`, `commercial`, `all`, or "
        "`none` when your application keeps to the lists itself"
    ),
    "unsubscribed_by_us_applies_to": "the same for contacts whom you have unsubscribed from everything yourselves",
    "non_marketable_applies_to": "which mail an unknown permission forbids: `none`, `marketing`, `commercial` or `all`",
    "rules": "the rules, each a table of its own",
}
MEANINGS = {
    "causes": "which causes count",
    "kinds": "which kinds of bounce count, by the ESP's own word",
    "strikes": "how many strikes trigger the rule; with weights, the score that does",
    "weights": "what a strike adds to the score, by kind; 1 where none is named",
    "min_interval": "a failure this soon after the last strike is no strike",
    "min_span": "the first and the last strike must be at least this far apart",
    "window": "a strike this old is forgotten",
    "stale_after": "this long without a strike forgets all of them",
    "reset_on": "what clears the strikes: `delivered`, `opened`, `clicked`, `resubscribe`",
    "engaged_extra": "how many more strikes it takes for people who were engaged lately",
    "engaged_within": "how recent their engagement must be at the time of the failure",
    "engaged_by": (
        "what counts as engagement: `delivered`, `opened`, `clicked`; a failed message's own delivery does not "
        "count, and only the newest delivery is remembered"
    ),
    "engaged_min_interval": "`min_interval` for engaged people, where it is to differ",
    "action": "what follows: `record` (shown only), `hold` (ends by itself) or `block` (until lifted)",
    "hold_ladder": "how long the first, second, … hold lasts; the last one repeats; `forever` may stand last",
    "trial_strikes": "how many strikes begin the next hold after one has ended; span and engagement are not asked then",
    "ladder_forget": "this long after the last hold and the last strike the ladder starts at its first rung",
    "status": "what is shown while blocked: `blocklisted` or `multiple_soft_bounces`",
    "applies_to": "which mail is forbidden while blocked: `marketing` or `all`",
    "lift_by": "what ends the block: `confirmed_optin`, `admin`, `expiry`",
}
# Where the default is not a value of the record.
DEFAULTS = {"causes": "- (must be named)", "lift_by": '`["admin"]`, and `"expiry"` where a hold ends'}

EXAMPLES: dict[str, list[Entry]] = {
    "example full": [delivered(-7), *[soft(week * 7) for week in range(5)], soft(35), soft(70)],
    "example outage": [
        delivered(-1),
        soft(0, cause=Cause.SERVER_UNAVAILABLE),
        soft(1 / 24, cause=Cause.SERVER_UNAVAILABLE),
        soft(1.5, cause=Cause.SERVER_UNAVAILABLE),
        delivered(3),
        delivered(4),
    ],
    "example accepts everything": [
        event
        for day, message in ((0, "m1"), (7, "m2"), (14, "m3"))
        for event in (delivered(day, message), soft(day + 0.01, message))
    ],
    "example engaged": [opened(-7), hard(0), hard(0.5), hard(2)],
    "example complaint": [
        make_event(Kind.BLOCKED, day=0, cause=Cause.SENDER_REPUTATION, message="m1"),
        make_event(Kind.COMPLAINT, day=1, cause=Cause.ABUSE_REPORT, message="m2"),
        delivered(2),
        make_event(Kind.RESUBSCRIBE, day=3),
    ],
    "example lift": [
        hard(0),
        make_event(Kind.UNSUBSCRIBE, day=1),
        lift(2),
        make_event(Kind.DROPPED, day=3, cause=Cause.SUPPRESSED_BY_PROVIDER, message="m2"),
        optin(4, Strength.SINGLE),
    ],
    "example never again": [
        added(0),
        optin(10, Strength.DOUBLE),
        wish(DecisionKind.DECLINED_COMMERCIAL, 20, by_contact=True),
        make_event(Kind.FORBIDS_CONTACT, day=30, way=Way.MAIL_CLIENT),
        lift(31),
        optin(32, Strength.STAFF, by_contact=False),
        optin(40, Strength.SINGLE),
    ],
}


def settings_table() -> str:
    policy = Policy(name="", rules=())
    defaults = {
        "preset": '`"recommended"`',
        "max_event_age": f'`"{write_duration(policy.max_event_age)}"`',
        **{key: f'`"{getattr(policy, key)}"`' for key in APPLIES_TO},
        "marketing_complaint_applies_to": "as `complaint_applies_to`",
        "marketing_streams": "`[]`",
    }
    return table(
        ["key", "default", "meaning"], [[f"`{key}`", defaults.get(key, "-"), SETTINGS[key]] for key in POLICY_KEYS]
    )


def groups_table() -> str:
    return table(
        ["group", "causes"],
        [[f"`{name}`", ", ".join(sorted(causes))] for name, causes in CAUSE_GROUPS.items()],
    )


def parameters_table() -> str:
    plain = Rule(name="plain", causes=frozenset({Cause.MAILBOX_FULL}))
    held = Rule(name="held", causes=frozenset({Cause.MAILBOX_FULL}), action=Action.HOLD)
    values = {**rule_values(held), **rule_values(plain)}

    def default(key: str) -> str:
        if key in DEFAULTS:
            return DEFAULTS[key]
        value = values.get(key, "")
        return f"`{value}`" if value not in {"", "[]"} else "-"

    return table(["key", "default", "meaning"], [[f"`{key}`", default(key), MEANINGS[key]] for key in RULE_KEYS])


def recommended_table() -> str:
    rows = []
    for rule in recommended_policy().rules:
        strikes = f"{rule.strikes} ({rule.strikes + rule.engaged_extra})" if rule.engaged_extra else f"{rule.strikes}"
        kinds = f" ({', '.join(sorted(rule.kinds))} only)" if len(rule.kinds) == 1 else ""
        holds = f"hold {' → '.join(write_duration(rung) for rung in rule.hold_ladder)}"
        rows.append(
            [
                f"`{rule.name}`",
                f"{', '.join(sorted(rule.causes))}{kinds}",
                strikes,
                write_duration(rule.min_interval),
                write_duration(rule.min_span) if rule.min_span else "-",
                write_duration(rule.window),
                ", ".join(sorted(rule.reset_on)) or "-",
                holds if rule.action is Action.HOLD else rule.action.value,
                rule.applies_to.value,
                ", ".join(sorted(rule.lift_by)),
            ]
        )
    head = [
        "rule",
        "causes",
        "strikes",
        "min_interval",
        "min_span",
        "window",
        "reset_on",
        "action",
        "forbids",
        "lift_by",
    ]
    return table(head, rows)


def presets_table() -> str:
    return table(["preset", "what it does"], [[f"`{name}`", preset_about(name)] for name in preset_names()])


def example(name: str) -> str:
    events = EXAMPLES[name]
    at = max(event.occurred_at for event in events)
    told = explain(events, recommended_policy(), at)
    rows = [
        [
            f"{(step.occurred_at - START).total_seconds() / 86400:.3g}",
            f"{step.kind.value}{'' if step.cause is Cause.NONE else f' ({step.cause.value})'}",
            step.sentence,
            step.status.value,
        ]
        for step in told.steps
    ]
    steps = table(["day", "event", "what it did", "status"], rows)
    return f"{steps}\n\nOn {moment_text(at)}: {told.sentence} {told.lifts}"


BLOCKS: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "groups": groups_table,
    "parameters": parameters_table,
    "recommended": recommended_table,
    "classes": classes_table,
    "statuses": statuses_table,
    "permissions": permissions_table,
    "presets": presets_table,
    **{name: partial(example, name) for name in EXAMPLES},
}


def written(page: str) -> str:
    """The page with every block made anew."""
    for name, make in BLOCKS.items():
        block = re.compile(rf"<!-- begin: {name} -->\n.*?<!-- end: {name} -->", re.DOTALL)
        begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->"
        page = block.sub(f"{begin}\n{make()}\n\n{end}".replace("\\", r"\\"), page)
    return page


@pytest.mark.parametrize("name", BLOCKS)
def test_each_table_and_example_of_the_page_is_what_the_code_says(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"<!-- begin: {name} -->\n\n{BLOCKS[name]()}\n\n<!-- end: {name} -->" in page


def test_the_page_names_each_act_that_ends_something() -> None:
    told = {(kind, by, proof) for kind, who, proofs in ACTS.values() for by in who for proof in proofs}
    assert set(OPENS) - told == set()


def test_every_key_and_every_block_of_the_page_is_known() -> None:
    assert set(MEANINGS) == set(RULE_KEYS)
    assert set(SETTINGS) == set(POLICY_KEYS)
    assert set(re.findall(r"<!-- begin: (.+?) -->", PAGE.read_text(encoding="utf-8"))) == set(BLOCKS)


def test_the_page_shows_a_table_that_loads() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown, streams = re.findall(r"```toml\n(.+?)```", page, re.DOTALL)
    assert load_policy(tomllib.loads(streams)["policy"]).marketing_complaint_applies_to is Blocks.COMMERCIAL
    policy = load_policy(tomllib.loads(shown)["policy"])
    rules = {rule.name: rule for rule in policy.rules}
    assert rules["mailbox_full"].strikes == 8
    assert "recipient_restricted" not in rules
    assert rules["undetermined"].action is Action.RECORD
    assert policy != preset("recommended")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
