"""One thing that `doctor` looked at."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How grave it is."""

    WELL = "well"
    NOTE = "note"  # worth knowing, nothing is broken
    WRONG = "wrong"  # something does not work until the remedy is applied


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was looked at, how it is, and what to do."""

    what: str
    level: Level
    detail: str
    remedy: str = ""


def well(what: str, detail: str) -> Finding:
    """Nothing to do."""
    return Finding(what=what, level=Level.WELL, detail=detail)


def note(what: str, detail: str, remedy: str = "") -> Finding:
    """Worth knowing."""
    return Finding(what=what, level=Level.NOTE, detail=detail, remedy=remedy)


def wrong(what: str, detail: str, remedy: str) -> Finding:
    """Does not work until somebody acts."""
    return Finding(what=what, level=Level.WRONG, detail=detail, remedy=remedy)
