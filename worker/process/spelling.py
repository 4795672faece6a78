"""Finds the known name that is similar to an unknown one."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name with a similar spelling, or None."""
    by_spelling = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), by_spelling, n=1, cutoff=0.6)
    return by_spelling[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """`did you mean port?`; if no name is similar, `otherwise` or all known names."""
    names = sorted(known)
    if close := closest(name, names):
        return f"did you mean {close}?"
    if otherwise:
        return otherwise
    return f"use one of {', '.join(names)}" if names else "there are none"
