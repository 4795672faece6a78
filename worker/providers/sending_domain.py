"""The domain that a message was sent from, where its vendor tells it: for rates of each sending domain.

It is asked of each event that counts in such a rate, so most vendors' paths are read by a decoder that makes objects
of those names alone and skips all others: a tenth of the time that decoding the whole event takes.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from schemas.feedback_event import FeedbackEvent
from worker.providers.account_rule import MAX_ACCOUNT_CHARACTERS, SENDING_DOMAIN, told_account
from worker.providers.payload.json_payload import fit_text

_MOST_CHARACTERS = 1000  # what is remembered is short, whatever is sent; a domain stands at the end
_NAMES = re.compile(r'"?[A-Za-z_]\w*"?(?:\.[A-Za-z_]\w*)*', re.ASCII)


def sending_domain(event: FeedbackEvent, account_paths: Mapping[str, str]) -> str:
    """In lower case; empty if the vendor does not tell it. `account_paths` are those of the event's provider."""
    expression = account_paths.get(SENDING_DOMAIN)
    if expression is None:
        return ""
    quick = _quick_path(expression)
    if quick is not None:
        try:
            value = quick.search(event.raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            pass  # a form, or another shape than most events of this vendor have
        else:
            if value:
                return _domain_of(value[-_MOST_CHARACTERS:])
    return told_account(event, SENDING_DOMAIN, account_paths) or ""


@lru_cache(maxsize=4096)
def _domain_of(text: str) -> str:
    return fit_text(text.rpartition("@")[2].strip("<> ").lower(), MAX_ACCOUNT_CHARACTERS)


class _QuickPath:
    """Several names with dots between them, of which the first counts that leads to a text."""

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
    """A type that holds what these paths lead to and nothing else."""
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
    """None for an expression that says more than names."""
    alternatives = expression.split(" || ")
    if not all(_NAMES.fullmatch(one) for one in alternatives):
        return None
    return _QuickPath([one.replace('"', "").split(".") for one in alternatives])
