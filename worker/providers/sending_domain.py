"""Finds the domain that a message was sent from, if its vendor reports it, for rates by sending domain.

This is done for each event that counts in such a rate. So the paths of most vendors are read by a decoder that makes
objects of these names only and skips all others, in a tenth of the time of decoding the whole event.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from schemas.feedback_event import FeedbackEvent
from worker.providers.account_rule import MAX_ACCOUNT_CHARACTERS, SENDING_DOMAIN, named_account
from worker.providers.payload.json_payload import fit_text

_MOST_CHARACTERS = 1000  # remembered texts must be short; the domain is at the end
_NAMES = re.compile(r'"?[A-Za-z_]\w*"?(?:\.[A-Za-z_]\w*)*', re.ASCII)


def sending_domain(event: FeedbackEvent, account_paths: Mapping[str, str]) -> str:
    """The domain in lower case; empty if the vendor does not report it. `account_paths` are the provider's."""
    expression = account_paths.get(SENDING_DOMAIN)
    if expression is None:
        return ""
    quick = _quick_path(expression)
    if quick is not None:
        try:
            value = quick.search(event.raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass  # a form, or an unusual event of this vendor
        else:
            if value:
                return _domain_of(value[-_MOST_CHARACTERS:])
    return named_account(event, SENDING_DOMAIN, account_paths) or ""


@lru_cache(maxsize=4096)
def _domain_of(text: str) -> str:
    return fit_text(text.rpartition("@")[2].strip("<> ").lower(), MAX_ACCOUNT_CHARACTERS)


class _QuickPath:
    """Several dotted names; the first one that leads to a text counts."""

    def __init__(self, paths: list[list[str]]) -> None:
        self._paths = [[(name, f"_{name}") for name in path] for path in paths]
        self._decode = msgspec.json.Decoder(_shape(paths)).decode

    def search(self, raw: bytes) -> str | None:
        document = self._decode(raw)
        for path in self._paths:
            value: Any = document
            for name, field in path:
                value = value.get(name) if isinstance(value, dict) else getattr(value, field, None)
            if isinstance(value, str) and value:
                return value
        return None


def _shape(paths: list[list[str]]) -> Any:
    """A type with the values at these paths and nothing else."""
    if [] in paths:
        return Any
    below: dict[str, list[list[str]]] = {}
    for name, *rest in paths:
        below.setdefault(name, []).append(rest)
    fields = [
        (f"_{name}", _shape(rests) if [] in rests else _shape(rests) | None, None) for name, rests in below.items()
    ]
    return msgspec.defstruct("Shape", fields, rename={f"_{name}": name for name in below}, gc=False)


@lru_cache(maxsize=128)
def _quick_path(expression: str) -> _QuickPath | None:
    """The quick path; None if the expression has more than names."""
    alternatives = expression.split(" || ")
    if not all(_NAMES.fullmatch(one) for one in alternatives):
        return None
    return _QuickPath([one.replace('"', "").split(".") for one in alternatives])
