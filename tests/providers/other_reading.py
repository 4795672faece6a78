"""Another version of ours: one that reads the same words of vendors as something else, or knows fewer of them."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest
from msgspec import Struct

from schemas.vocabulary import Cause, Kind

_CLASSIFIERS = ("classify", "settle")
_SHARED = ("worker.providers.authentication", "worker.providers.payload", "worker.providers.classification")


def read_everything_as(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every word of every vendor, and every reply of a server, means this kind."""
    for module, name, other in _read_as(kind):
        monkeypatch.setattr(module, name, other)


@cache
def _read_as(kind: Kind) -> list[tuple[Any, str, Any]]:
    """What to put in the place of each table and classifier: found once, as looking at all of them takes a while."""

    def changed(value: Any) -> Any:
        return _with_every_kind(value, kind)

    found = []
    for module in _provider_modules():
        for name, value in list(vars(module).items()):
            if name in _CLASSIFIERS and callable(value):
                found.append((module, name, _then(value, changed)))
            elif not isinstance(value, type) and (other := changed(value)) is not value:
                found.append((module, name, other))
    return found


def forget_every_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on no word of any vendor is in any table, as if it were newer than we are."""
    for module in _provider_modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, dict) and value and all(_is_meaning(entry) for entry in value.values()):
                monkeypatch.setattr(module, name, _Forgotten(value))


class _Forgotten(dict[Any, Any]):
    """A table in which nothing is found; what the code itself names is there all the same."""

    def __contains__(self, key: object) -> bool:
        return False

    def get(self, key: Any, default: Any = None, /) -> Any:
        del key
        return default

    def items(self) -> Any:
        return {}.items()


def _provider_modules() -> list[Any]:
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("worker.providers.") and not name.startswith(_SHARED)
    ]


def _is_meaning(entry: object) -> bool:
    return isinstance(entry, str) or _with_every_kind(entry, Kind.ACCEPTED) != _with_every_kind(entry, Kind.CLICKED)


def _then(function: Callable[..., Any], changed: Callable[[Any], Any]) -> Callable[..., Any]:
    def read(*arguments: Any, **options: Any) -> Any:
        return changed(function(*arguments, **options))

    return read


def _with_every_kind(value: Any, kind: Kind) -> Any:
    """The value with this kind in the place of every other; itself when there is none in it."""
    if isinstance(value, Kind):
        return kind
    if isinstance(value, Cause):
        return Cause.NONE if kind is Kind.OTHER else value
    if type(value) is tuple:
        made: Any = tuple(_with_every_kind(entry, kind) for entry in value)
        return made if any(new is not old for new, old in zip(made, value, strict=True)) else value
    if type(value) is dict:
        made = {key: _with_every_kind(entry, kind) for key, entry in value.items()}
        return made if any(made[key] is not value[key] for key in made) else value
    if isinstance(value, Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        new = {name: made for name, entry in fields.items() if (made := _with_every_kind(entry, kind)) is not entry}
        return msgspec.structs.replace(value, **new) if new else value
    return value
