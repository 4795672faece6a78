"""One rule's table in TOML, read key by key. A mistake names the rule, the key and the remedy."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite
from typing import Any, TypeVar

from schemas.vocabulary import Blocks, Cause, Kind, Status
from worker.errors import ImpossibleSetting
from worker.policy.cause_groups import CAUSE_GROUPS
from worker.policy.duration import read_duration
from worker.policy.event_order import BOUNCE_KINDS
from worker.policy.rule import Action, LiftBy, Rule

RESET_KINDS = frozenset({Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.RESUBSCRIBE})
ENGAGED_KINDS = frozenset({Kind.DELIVERED, Kind.OPENED, Kind.CLICKED})
BLOCK_STATUSES = frozenset({Status.BLOCKLISTED, Status.MULTIPLE_SOFT_BOUNCES})
MOST_STRIKES = 100  # strikes are kept with the contact

Word = TypeVar("Word", bound=StrEnum)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_DURATION_REMEDY = 'write a number and a unit: "45s", "90m", "12h", "30d"'


def impossible(where: str, key: str, mistake: str, remedy: str) -> ImpossibleSetting:
    """The error for one key: where it stands, what is wrong with it, what to do."""
    return ImpossibleSetting(f"{where}: {key} {mistake}; {remedy}")


def unknown_word(word: str, known: list[str]) -> str:
    """What to write instead of a word nobody knows."""
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose among {', '.join(known)}"


def read_rule(name: str, table: Mapping[str, Any]) -> Rule:
    """The rule, each key of the right sort; whether the keys fit together is checked in rule_check."""
    where = f"policy rule {name!r}"
    if _NAME.match(name) is None:
        raise ImpossibleSetting(f"{where}: a rule's name is lower-case letters, digits and underscores; rename it")
    fields: dict[str, Any] = {}
    for key, value in table.items():
        reader = _READERS.get(key)
        if reader is None:
            raise impossible(where, key, "is no key of a rule", unknown_word(key, sorted(_READERS)))
        fields[key] = reader(where, key, value)
    if "causes" not in fields:
        groups = ", ".join(CAUSE_GROUPS)
        raise impossible(where, "causes", "is missing, so it would count nothing", f"name causes or groups: {groups}")
    fields.setdefault("lift_by", _usual_lift_by(fields))
    return Rule(name=name, **fields)


def _usual_lift_by(fields: dict[str, Any]) -> frozenset[LiftBy]:
    ends = fields.get("action") is Action.HOLD and any(rung is not None for rung in fields.get("hold_ladder", ()))
    return frozenset({LiftBy.ADMIN, LiftBy.EXPIRY}) if ends else frozenset({LiftBy.ADMIN})


def read_count(where: str, key: str, value: Any, *, least: int) -> int:
    """A whole number from `least` to MOST_STRIKES."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_STRIKES:
        raise impossible(where, key, f"is {value!r}", f"write a whole number from {least} to {MOST_STRIKES}")
    return value


def read_span(where: str, key: str, value: Any) -> timedelta:
    """A duration that ends."""
    duration = read_open_span(where, key, value)
    if duration is None:
        raise impossible(where, key, 'cannot be "forever"', _DURATION_REMEDY)
    return duration


def read_open_span(where: str, key: str, value: Any) -> timedelta | None:
    """A duration, or None for `forever`."""
    if not isinstance(value, str):
        raise impossible(where, key, f"is {value!r}", _DURATION_REMEDY)
    try:
        return read_duration(value)
    except ValueError as error:
        raise impossible(where, key, f"cannot be read ({error})", f'{_DURATION_REMEDY} or "forever"') from error


def read_word(where: str, key: str, value: Any, words: type[Word], allowed: frozenset[Word] | None = None) -> Word:
    """One word of a vocabulary."""
    known = sorted(word.value for word in words if allowed is None or word in allowed)
    if not isinstance(value, str) or value not in known:
        raise impossible(where, key, f"is {value!r}", unknown_word(str(value), known))
    return words(value)


def _strings(where: str, key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise impossible(where, key, f"is {value!r}", f'write a list: {key} = ["…", "…"]')
    return value


def _causes(where: str, key: str, value: Any) -> frozenset[Cause]:
    found: set[Cause] = set()
    for one in _strings(where, key, value):
        if one.startswith("@"):
            if one not in CAUSE_GROUPS:
                raise impossible(where, key, f"names no group {one!r}", unknown_word(one, list(CAUSE_GROUPS)))
            found |= CAUSE_GROUPS[one]
        else:
            found.add(read_word(where, key, one, Cause))
    return frozenset(found)


def _words(words: type[Word], allowed: frozenset[Word] | None = None) -> Callable[[str, str, Any], frozenset[Word]]:
    def read(where: str, key: str, value: Any) -> frozenset[Word]:
        return frozenset(read_word(where, key, one, words, allowed) for one in _strings(where, key, value))

    return read


def _weights(where: str, key: str, value: Any) -> dict[Kind, float]:
    if not isinstance(value, Mapping):
        raise impossible(where, key, f"is {value!r}", f"write {key} = {{ soft_bounce = 0.5, hard_bounce = 1.0 }}")
    weights: dict[Kind, float] = {}
    for kind, weight in value.items():
        read = read_word(where, key, kind, Kind, BOUNCE_KINDS)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not isfinite(weight) or weight <= 0:
            raise impossible(where, f"{key}.{kind}", f"is {weight!r}", "write a number above 0")
        weights[read] = float(weight)
    return weights


def _ladder(where: str, key: str, value: Any) -> tuple[timedelta | None, ...]:
    return tuple(read_open_span(where, key, one) for one in _strings(where, key, value))


_READERS: dict[str, Callable[[str, str, Any], Any]] = {
    "causes": _causes,
    "kinds": _words(Kind, BOUNCE_KINDS),
    "strikes": lambda where, key, value: read_count(where, key, value, least=1),
    "weights": _weights,
    "min_interval": read_span,
    "min_span": read_span,
    "window": read_open_span,
    "stale_after": read_open_span,
    "reset_on": _words(Kind, RESET_KINDS),
    "engaged_extra": lambda where, key, value: read_count(where, key, value, least=0),
    "engaged_within": read_span,
    "engaged_by": _words(Kind, ENGAGED_KINDS),
    "engaged_min_interval": read_span,
    "action": lambda where, key, value: read_word(where, key, value, Action),
    "hold_ladder": _ladder,
    "trial_strikes": lambda where, key, value: read_count(where, key, value, least=1),
    "ladder_forget": read_open_span,
    "status": lambda where, key, value: read_word(where, key, value, Status, BLOCK_STATUSES),
    "applies_to": lambda where, key, value: read_word(where, key, value, Blocks),
    "lift_by": _words(LiftBy),
}
RULE_KEYS = tuple(_READERS)
