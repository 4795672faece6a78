"""Reads the `[policy]` table of the configuration into a Policy.

```toml
[policy]
preset = "recommended"          # or another preset, or "none" for an empty table
max_event_age = "14d"

[policy.rules.mailbox_full]     # a rule of the preset: the keys named here replace the preset's
strikes = 8

[policy.rules.undetermined]
remove = true                   # drops a rule of the preset

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
from worker.policy.dimension import WIDTH
from worker.policy.mistakes import collect_mistakes, impossible, instead_of, mistake, raise_all
from worker.policy.presets import NO_PRESET, RECOMMENDED, preset_names, preset_tables
from worker.policy.rule import Action, Policy, Rule
from worker.policy.rule_check import rule_mistakes
from worker.policy.rule_reader import read_open_span, read_rule, read_word, rule_place
from worker.process.spelling import closest

# Which mail each status forbids, and the least that it can forbid.
APPLIES_TO: dict[str, Blocks] = {
    "do_not_contact_applies_to": Blocks.COMMERCIAL,
    "declined_commercial_applies_to": Blocks.COMMERCIAL,
    "complaint_applies_to": Blocks.MARKETING,
    "marketing_complaint_applies_to": Blocks.MARKETING,
    "unsubscribed_applies_to": Blocks.NONE,
    "scoped_unsubscribe_applies_to": Blocks.NONE,
    "unsubscribed_by_us_applies_to": Blocks.NONE,
    "non_marketable_applies_to": Blocks.NONE,
}
_AT_LEAST = {Blocks.MARKETING: "some mail", Blocks.COMMERCIAL: "commercial mail"}
POLICY_KEYS = (
    "preset",
    "name",
    "about",
    "max_event_age",
    *APPLIES_TO,
    "marketing_streams",
    "rules",
)
_WHERE = "policy"
# Only a hold uses these keys: they are dropped if the preset's rule gets another action.
_HOLD_KEYS = frozenset({"hold_ladder", "trial_strikes", "ladder_forget", "lift_by"})


def load_policy(table: Mapping[str, Any]) -> Policy:
    """The policy that a parsed `[policy]` table describes; an empty table is the recommended policy.

    Raises ImpossibleSetting with every mistake, each naming the rule, the key and the remedy.
    """
    mistakes: list[str] = []
    base_name = table.get("preset", RECOMMENDED)
    base: Mapping[str, Any] | None = None
    with collect_mistakes(mistakes):
        base = _base_table(base_name)
    mistakes += [_unknown_key(key, value, base or {}) for key, value in table.items() if key not in POLICY_KEYS]
    name = table.get("name", base_name if base_name != NO_PRESET else "custom")
    if "name" in table and not (isinstance(name, str) and name and name.isprintable()):
        mistakes.append(mistake(_WHERE, "name", f"is {name!r}", "write a name, or remove the key"))
    settings = _settings_of_all_rules({**(base or {}), **table}, mistakes)
    own_tables = _own_rule_tables(table.get("rules", {}), mistakes)
    if base is None:
        # The preset is unknown, so only the own keys of each rule are checked: its causes may be the preset's.
        for rule, own in own_tables.items():
            with collect_mistakes(mistakes):
                read_rule(rule, {"causes": ["@any"], **_without_remove(own)})
    rules = () if base is None else _read_rules(base.get("rules", {}), own_tables, base_name, mistakes)
    raise_all(mistakes)
    return structs.replace(Policy(name=name, rules=rules), **settings)


def _unknown_key(key: str, value: Any, base: Mapping[str, Any]) -> str:
    if isinstance(value, Mapping) and key in base.get("rules", {}):
        return mistake(_WHERE, key, "is a rule", f"write its table as [policy.rules.{key}]")
    return mistake(_WHERE, key, "is not a key of a policy", instead_of(key, list(POLICY_KEYS)))


def _settings_of_all_rules(whole: Mapping[str, Any], mistakes: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if "max_event_age" in whole:
        with collect_mistakes(mistakes):
            settings["max_event_age"] = read_open_span(_WHERE, "max_event_age", whole["max_event_age"])
    for key, least in APPLIES_TO.items():
        if key in whole:
            with collect_mistakes(mistakes):
                settings[key] = _forbidden_mail(key, whole[key], least)
    if "marketing_streams" in whole:
        with collect_mistakes(mistakes):
            settings["marketing_streams"] = _streams(whole["marketing_streams"])
    if "complaint_applies_to" in settings:
        settings.setdefault("marketing_complaint_applies_to", settings["complaint_applies_to"])
    _check_streams(settings, mistakes)
    return settings


def _forbidden_mail(key: str, value: Any, least: Blocks) -> Blocks:
    blocks = read_word(_WHERE, key, value, Blocks)
    enough = [word for word in Blocks if WIDTH[word] >= WIDTH[least]]
    if blocks not in enough:
        raise impossible(
            _WHERE,
            key,
            f'is "{blocks.value}", but this status always forbids {_AT_LEAST[least]}',
            instead_of("", [word.value for word in enough]),
        )
    return blocks


def _streams(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise impossible(
            _WHERE, "marketing_streams", f"is {value!r}", 'write a list: marketing_streams = ["newsletter"]'
        )
    return frozenset(value)


def _check_streams(settings: Mapping[str, Any], mistakes: list[str]) -> None:
    of_all = settings.get("complaint_applies_to", Blocks.ALL)
    of_streams = settings.get("marketing_complaint_applies_to", of_all)
    if WIDTH[of_streams] > WIDTH[of_all]:
        mistakes.append(
            mistake(
                _WHERE,
                "marketing_complaint_applies_to",
                f'is "{of_streams.value}", which forbids more than complaint_applies_to, "{of_all.value}"',
                "lower it, or raise complaint_applies_to",
            )
        )


def _own_rule_tables(rules: Any, mistakes: list[str]) -> dict[str, Mapping[str, Any]]:
    if not isinstance(rules, Mapping):
        mistakes.append(mistake(_WHERE, "rules", "is not a table", "write [policy.rules.<name>] for each rule"))
        return {}
    mistakes += [
        mistake(_WHERE, f"rules.{name}", f"is {own!r}, not a table", f"write [policy.rules.{name}], its keys below it")
        for name, own in rules.items()
        if not isinstance(own, Mapping)
    ]
    return {name: own for name, own in rules.items() if isinstance(own, Mapping)}


def _read_rules(
    preset_rules: Mapping[str, Mapping[str, Any]],
    own_tables: Mapping[str, Mapping[str, Any]],
    preset_name: str,
    mistakes: list[str],
) -> tuple[Rule, ...]:
    """The preset's rules, changed by the configuration's own rules."""
    tables = {name: table for name, table in preset_rules.items() if own_tables.get(name, {}).get("remove") is not True}
    for name, own in own_tables.items():
        with collect_mistakes(mistakes):
            if (table := _merge_rule(name, own, preset_rules, preset_name)) is not None:
                tables[name] = table
    if not tables and not mistakes:
        mistakes.append("policy: it has no rule, so no bounce would count; add a rule or choose a preset")
    rules = []
    for name in sorted(tables):
        with collect_mistakes(mistakes):
            rules.append(read_rule(name, tables[name]))
    mistakes += rule_mistakes(rules)
    return tuple(rules)


def _merge_rule(
    name: str, own: Mapping[str, Any], preset_rules: Mapping[str, Mapping[str, Any]], preset_name: str
) -> dict[str, Any] | None:
    """The keys of a rule from preset and configuration; None if the configuration removes the rule."""
    where = rule_place(name)
    if own.get("remove", False) is not False:
        if own["remove"] is not True:
            raise impossible(where, "remove", f"is {own['remove']!r}", "write remove = true, or remove the key")
        if name not in preset_rules:
            known = list(preset_rules)
            close = closest(name, known)
            remedy = f"did you mean [policy.rules.{close}]?" if close else "remove the table"
            raise impossible(where, "remove", f"names a rule that preset {preset_name!r} does not have", remedy)
        if len(own) > 1:
            raise impossible(where, "remove", "is next to other keys", "keep either remove or the other keys")
        return None
    if name not in preset_rules and "causes" not in own and (similar := closest(name, preset_rules)):
        # A new rule needs causes, so this table was meant to change a rule of the preset.
        raise ImpossibleSetting(
            f"{where}: preset {preset_name!r} has no such rule; did you mean [policy.rules.{similar}]? "
            "A rule of your own needs causes"
        )
    return _merge_keys(preset_rules.get(name, {}), own)


@cache
def preset(name: str) -> Policy:
    """The preset of this name, always the same object. Raises ImpossibleSetting if there is no such preset."""
    return load_policy({"preset": name})


def recommended_policy() -> Policy:
    """The default policy."""
    return preset(RECOMMENDED)


def _base_table(name: Any) -> Mapping[str, Any]:
    if name == NO_PRESET:
        return {}
    if not isinstance(name, str) or name not in preset_names():
        remedy = instead_of(str(name), [*preset_names(), NO_PRESET])
        raise impossible(_WHERE, "preset", f"is {name!r}", remedy)
    return preset_tables()[name]


def _merge_keys(preset_rule: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    action = preset_rule.get("action", Action.BLOCK)
    dropped = _HOLD_KEYS if own.get("action", action) != action else frozenset()
    return {**{key: value for key, value in preset_rule.items() if key not in dropped}, **_without_remove(own)}


def _without_remove(own: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in own.items() if key != "remove"}
