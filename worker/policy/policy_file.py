"""The `[policy]` table of the configuration, read into a Policy; and back.

```toml
[policy]
preset = "recommended"          # or another preset, or "none" for an empty table
max_event_age = "14d"

[policy.rules.mailbox_full]     # a rule of the preset: the keys named here replace the preset's
strikes = 8

[policy.rules.undetermined]
remove = true                   # a rule of the preset that is not wanted

[policy.rules.unreadable]       # a new rule
causes = ["@undetermined"]
action = "record"
```
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import structs

from schemas.vocabulary import Blocks
from worker.errors import ImpossibleSetting
from worker.policy.presets import NO_PRESET, RECOMMENDED, preset_names, preset_tables
from worker.policy.rule import Action, Policy
from worker.policy.rule_check import check_rules
from worker.policy.rule_reader import impossible, read_open_span, read_rule, read_word, unknown_word

POLICY_KEYS = (
    "preset",
    "name",
    "about",
    "max_event_age",
    "complaint_applies_to",
    "scoped_unsubscribe_applies_to",
    "rules",
)
_WHERE = "policy"
# What only a hold uses: left behind when a preset's rule is given another action.
_HOLD_KEYS = frozenset({"hold_ladder", "trial_strikes", "ladder_forget", "lift_by"})


def load_policy(table: Mapping[str, Any]) -> Policy:
    """The policy that a parsed `[policy]` table describes; an empty table is the recommended policy.

    Raises ImpossibleSetting whose message names the rule, the key and the remedy.
    """
    for key in table:
        if key not in POLICY_KEYS:
            raise impossible(_WHERE, key, "is no key of a policy", unknown_word(key, list(POLICY_KEYS)))
    base_name = table.get("preset", RECOMMENDED)
    base = _base_table(base_name)
    name = table.get("name", base_name if base_name != NO_PRESET else "custom")
    if not isinstance(name, str) or not name or not name.isprintable():
        raise impossible(_WHERE, "name", f"is {name!r}", "write a word or drop it")
    tables = _rule_tables(base, table, base_name)
    rules = tuple(read_rule(rule, tables[rule]) for rule in sorted(tables))
    check_rules(rules)
    return structs.replace(Policy(name=name, rules=rules), **_settings_of_all_rules({**base, **table}))


def _settings_of_all_rules(whole: Mapping[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if "max_event_age" in whole:
        settings["max_event_age"] = read_open_span(_WHERE, "max_event_age", whole["max_event_age"])
    for key in ("complaint_applies_to", "scoped_unsubscribe_applies_to"):
        if key in whole:
            settings[key] = read_word(_WHERE, key, whole[key], Blocks)
    if settings.get("complaint_applies_to") is Blocks.NONE:
        raise impossible(
            _WHERE,
            "complaint_applies_to",
            'is "none", but whoever complains is heeded',
            'write "marketing" or "all"',
        )
    return settings


def _rule_tables(base: Mapping[str, Any], table: Mapping[str, Any], base_name: str) -> dict[str, Mapping[str, Any]]:
    """The preset's rules with the table's own ones laid over them."""
    merged = dict(_tables(base.get("rules", {})))
    for name, own in _tables(table.get("rules", {})).items():
        if own.get("remove") is not True:
            merged[name] = _overridden(merged.get(name, {}), own)
            continue
        where = f"policy rule {name!r}"
        if name not in merged:
            raise impossible(where, "remove", f"finds no such rule in preset {base_name!r}", "drop the table")
        if len(own) > 1:
            raise impossible(where, "remove", "stands beside other keys", "keep one of the two")
        del merged[name]
    if not merged:
        raise ImpossibleSetting("policy: it has no rule, so no bounce would ever count; add one or choose a preset")
    return merged


@cache
def preset(name: str) -> Policy:
    """The preset of this name, always the same object. Raises ImpossibleSetting when there is none."""
    return load_policy({"preset": name})


def recommended_policy() -> Policy:
    """What runs when nothing is configured."""
    return preset(RECOMMENDED)


def _base_table(name: Any) -> Mapping[str, Any]:
    if name == NO_PRESET:
        return {}
    if not isinstance(name, str) or name not in preset_names():
        remedy = unknown_word(str(name), [*preset_names(), NO_PRESET])
        raise impossible(_WHERE, "preset", f"is {name!r}", remedy)
    return preset_tables()[name]


def _tables(rules: Any) -> Mapping[str, Mapping[str, Any]]:
    if not isinstance(rules, Mapping) or not all(isinstance(one, Mapping) for one in rules.values()):
        raise impossible(_WHERE, "rules", "is no table of tables", "write [policy.rules.<name>] for each rule")
    return rules


def _overridden(preset_rule: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in own.items() if key != "remove" or value is not False}
    action = preset_rule.get("action", Action.BLOCK)
    left_behind = _HOLD_KEYS if own.get("action", action) != action else frozenset()
    return {**{key: value for key, value in preset_rule.items() if key not in left_behind}, **given}
