"""A name that is not known, and the one that was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is spelt nearly like this one; None if none is."""
    by_spelling = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), by_spelling, n=1, cutoff=0.6)
    return by_spelling[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """`did you mean port?`; if none comes close `otherwise`, or all there are."""
    names = sorted(known)
    if close := closest(name, names):
        return f"did you mean {close}?"
    if otherwise:
        return otherwise
    return f"known are {', '.join(names)}" if names else "nothing is known here"
