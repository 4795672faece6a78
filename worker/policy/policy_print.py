"""The policy in force, printed as TOML that loads as the same policy."""

import json
from collections.abc import Iterable
from enum import StrEnum

from worker.policy.duration import write_duration
from worker.policy.policy_file import APPLIES_TO
from worker.policy.presets import NO_PRESET
from worker.policy.rule import Action, Policy, Rule


def policy_as_toml(policy: Policy) -> str:
    """The whole table with every default. `load_policy` reads it as an equal policy."""
    lines = [
        "[policy]",
        f"preset = {_text(NO_PRESET)}",
        f"name = {_text(policy.name)}",
        f"max_event_age = {_text(write_duration(policy.max_event_age))}",
        *(f"{key} = {_text(getattr(policy, key))}" for key in APPLIES_TO),
        f"marketing_streams = [{', '.join(map(_text, sorted(policy.marketing_streams)))}]",
    ]
    for rule in policy.rules:
        lines += ["", f"[policy.rules.{rule.name}]"]
        lines += [f"{key} = {value}" for key, value in rule_values(rule).items()]
    return "\n".join(lines) + "\n"


def rule_values(rule: Rule) -> dict[str, str]:
    """The rule's keys with their values as TOML, without keys that the rule's action does not use."""
    values = {
        "causes": _words(rule.causes),
        "kinds": _words(rule.kinds),
        "strikes": str(rule.strikes),
    }
    if rule.weights:
        weights = ", ".join(f"{kind.value} = {weight!r}" for kind, weight in sorted(rule.weights.items()))
        values["weights"] = f"{{ {weights} }}"
    values |= {
        "min_interval": _text(write_duration(rule.min_interval)),
        "min_span": _text(write_duration(rule.min_span)),
        "window": _text(write_duration(rule.window)),
        "stale_after": _text(write_duration(rule.stale_after)),
        "reset_on": _words(rule.reset_on),
        "engaged_extra": str(rule.engaged_extra),
        "engaged_within": _text(write_duration(rule.engaged_within)),
        "engaged_by": _words(rule.engaged_by),
    }
    if rule.engaged_min_interval is not None:
        values["engaged_min_interval"] = _text(write_duration(rule.engaged_min_interval))
    values["action"] = _text(rule.action)
    if rule.action is Action.HOLD:
        values |= {
            "hold_ladder": f"[{', '.join(_text(write_duration(rung)) for rung in rule.hold_ladder)}]",
            "trial_strikes": str(rule.trial_strikes),
            "ladder_forget": _text(write_duration(rule.ladder_forget)),
        }
    return values | {
        "status": _text(rule.status),
        "applies_to": _text(rule.applies_to),
        "lift_by": _words(rule.lift_by),
    }


def _words(words: Iterable[StrEnum]) -> str:
    return f"[{', '.join(_text(word.value) for word in sorted(words))}]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
