"""The board of `watch`: what is known at one moment, whether a log or the API told it."""

from datetime import datetime, timedelta

from msgspec import Struct

from schemas.address import mask_addresses

WINDOW = timedelta(minutes=10)
RATE_SECONDS = 60
LONGEST_TEXT = 120


class Change(Struct, frozen=True, kw_only=True):
    """One contact's status, as it changed."""

    at: datetime
    contact: str  # masked
    old_status: str
    new_status: str
    cause: str


class SourceSeen(Struct, frozen=True, kw_only=True):
    """One source, and when its last webhook was accepted."""

    source: str
    last_at: datetime
    webhooks: int  # within the window


class Trouble(Struct, frozen=True, kw_only=True):
    """Warnings or errors of one name, and of one reason if they name one."""

    event: str
    level: str
    reason: str
    count: int  # since the board has watched
    last_at: datetime
    says: str
    remedy: str


class Board(Struct, frozen=True, kw_only=True):
    """What is known at one moment. Counts are of the last ten minutes, the rate of the last one."""

    at: datetime
    webhooks_per_second: float | None  # None: not known yet
    queue_age_seconds: float | None  # of the oldest webhook in the last load; None: none within the window
    processors: int | None  # that live; None: nobody tells, as below
    waiting_parcels: int | None
    sources: list[SourceSeen]  # the latest first
    statuses: list[tuple[str, int]]  # new statuses, the commonest first, as are the two below
    causes: list[tuple[str, int]]
    providers: list[tuple[str, int]]
    changes: list[Change]  # the latest first
    troubles: list[Trouble]  # of the window, errors first and then the latest
    lines: int  # of the log; 0 from the API, as below
    unreadable: int  # lines that are no JSON of ours
    not_shown: list[str]  # what this board cannot tell


def shown_text(value: object) -> str:
    """As it may be shown: short, without addresses, and without what would move a terminal's cursor."""
    return mask_addresses(clean_text(value))[:LONGEST_TEXT]


def clean_text(value: object, *, longest: int = 4 * LONGEST_TEXT) -> str:
    """Cut, and without what would move a terminal's cursor."""
    text = "" if value is None else str(value)[:longest]
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
