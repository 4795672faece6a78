"""What may be said of an exporter's error. Its own message may hold the collector's key or the URL with a token."""

import os
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus

_PHRASES = frozenset(status.phrase for status in HTTPStatus)
_HIDDEN = "…"


def error_words(error: BaseException) -> str:
    """The error's type, and the system's own words for what is behind it: `ConnectionError: Connection refused`."""
    name = type(error).__name__
    words = [word for one in _behind(error) if (word := _system_words(one))]
    return f"{name}: {words[-1]}" if words else name


def log_words(template: str, values: object) -> str | None:
    """A library's log line, of whose values only errors' types, numbers and the phrases of HTTP are shown.

    None if it has no values to tell from its text, or other ones than the text asks for.
    """
    if not isinstance(values, tuple) or not values:
        return None
    try:
        return template % tuple(_harmless(value) for value in values)
    except (TypeError, ValueError):
        return None


def _harmless(value: object) -> object:
    if isinstance(value, BaseException):
        return error_words(value)
    if value is None or isinstance(value, int | float) or value in _PHRASES or value == "spans":
        return value
    return _HIDDEN


def _system_words(error: BaseException) -> str | None:
    if isinstance(error, ssl.SSLError):
        return error.reason  # a constant of OpenSSL: CERTIFICATE_VERIFY_FAILED
    # Libraries derive from OSError as well, and put anything into it.
    if isinstance(error, socket.gaierror):
        return error.strerror
    if isinstance(error, OSError) and type(error).__module__ == "builtins" and isinstance(error.errno, int):
        return os.strerror(error.errno)
    return None


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The error and those that led to it, in the ways in which `requests` and `urllib3` keep them."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        links = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [link for link in links if isinstance(link, BaseException)]
