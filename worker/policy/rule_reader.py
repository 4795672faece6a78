"""Reads one rule's table in TOML, key by key. Each mistake names the rule, the key and the remedy."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from enum import StrEnum
from math import isfinite
from typing import Any, TypeVar

from schemas.vocabulary import Blocks, Cause, Kind, Status
from worker.policy.cause_groups import CAUSE_GROUPS
from worker.policy.duration import read_duration
from worker.policy.event_order import BOUNCE_KINDS
from worker.policy.mistakes import collect_mistakes, impossible, instead_of, mistake, raise_all
from worker.policy.rule import RULE_LIFT_BY, Action, LiftBy, Rule

RESET_KINDS = frozenset({Kind.DELIVERED, Kind.OPENED, Kind.CLICKED, Kind.RESUBSCRIBE})
ENGAGED_KINDS = frozenset({Kind.DELIVERED, Kind.OPENED, Kind.CLICKED})
BLOCK_STATUSES = frozenset({Status.BLOCKLISTED, Status.MULTIPLE_SOFT_BOUNCES})
MOST_STRIKES = 100  # strikes are kept with the contact

Word = TypeVar("Word", bound=StrEnum)
Read = TypeVar("Read")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
_DURATION_REMEDY = 'write a number and a unit: "45s", "90m", "12h", "30d"'


def read_rule(name: str, table: Mapping[str, Any]) -> Rule:
    """The rule, each key of the right type; rule_check checks whether the keys fit together.

    Raises ImpossibleSetting with every mistake.
    """
    where = rule_place(name)
    mistakes: list[str] = []
    if _NAME.match(name) is None:
        mistakes.append(f"{where}: a rule's name is lower-case letters, digits and underscores; rename it")
    fields: dict[str, Any] = {}
    for key, value in table.items():
        with collect_mistakes(mistakes):
            reader = _READERS.get(key)
            if reader is None:
                raise impossible(where, key, "is not a key of a rule", instead_of(key, sorted(_READERS)))
            fields[key] = reader(where, key, value)
    if "causes" not in table:
        groups = ", ".join(CAUSE_GROUPS)
        mistakes.append(
            mistake(where, "causes", "is missing, so it would count nothing", f"name causes or groups: {groups}")
        )
    raise_all(mistakes)
    fields.setdefault("lift_by", _usual_lift_by(fields))
    return Rule(name=name, **fields)


def rule_place(name: str) -> str:
    """The name of a rule in messages."""
    return f"policy rule {name!r}"


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
        raise impossible(where, key, f"is {value!r}", instead_of(str(value), known))
    return words(value)


def _strings(where: str, key: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise impossible(where, key, f"is {value!r}", f'write a list: {key} = ["…", "…"]')
    return value


def _each(values: Iterable[str], read: Callable[[str], Read]) -> list[Read]:
    """Reads every value. Raises ImpossibleSetting with the mistakes of all that cannot be read."""
    mistakes: list[str] = []
    results: list[Read] = []
    for value in values:
        with collect_mistakes(mistakes):
            results.append(read(value))
    raise_all(mistakes)
    return results


def _causes(where: str, key: str, value: Any) -> frozenset[Cause]:
    def read(word: str) -> frozenset[Cause]:
        if not word.startswith("@"):
            return frozenset({read_word(where, key, word, Cause)})
        if word not in CAUSE_GROUPS:
            raise impossible(where, key, f"names an unknown group {word!r}", instead_of(word, list(CAUSE_GROUPS)))
        return CAUSE_GROUPS[word]

    return frozenset().union(*_each(_strings(where, key, value), read))


def _words(words: type[Word], allowed: frozenset[Word] | None = None) -> Callable[[str, str, Any], frozenset[Word]]:
    def read(where: str, key: str, value: Any) -> frozenset[Word]:
        return frozenset(_each(_strings(where, key, value), lambda one: read_word(where, key, one, words, allowed)))

    return read


def _weights(where: str, key: str, value: Any) -> dict[Kind, float]:
    if not isinstance(value, Mapping):
        raise impossible(where, key, f"is {value!r}", f"write {key} = {{ soft_bounce = 0.5, hard_bounce = 1.0 }}")

    def read(word: str) -> tuple[Kind, float]:
        kind, weight = read_word(where, key, word, Kind, BOUNCE_KINDS), value[word]
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not isfinite(weight) or weight <= 0:
            raise impossible(where, f"{key}.{word}", f"is {weight!r}", "write a number above 0")
        return kind, float(weight)

    return dict(_each(value, read))


def _ladder(where: str, key: str, value: Any) -> tuple[timedelta | None, ...]:
    return tuple(_each(_strings(where, key, value), lambda one: read_open_span(where, key, one)))


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
    "lift_by": _words(LiftBy, RULE_LIFT_BY),
}
RULE_KEYS = tuple(_READERS)
