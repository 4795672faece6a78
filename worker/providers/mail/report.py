"""The content of a report mail, before anybody decides whether to believe it."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.vocabulary import Cause, Kind
from worker.providers.classification.failure import Classification
from worker.providers.mail.mail_part import Headers


class ReportEntry(Struct, frozen=True, kw_only=True):
    """One thing that a mail reports."""

    what: str  # the name of the event: "arf/abuse", "dsn/failed"
    kind: Kind
    word: str | None = None  # the reporter's own word for it; None for bounces in prose
    cause: Cause = Cause.NONE
    recipients: tuple[str, ...] = ()  # the people named in the report, the likeliest first
    failure: Classification | None = None
    diagnostic: str | None = None
    occurred_at: datetime | None = None
    recognised: bool = True
    metadata: dict[str, Any] = {}  # further details, for the event's metadata


class Report(Struct, frozen=True, kw_only=True):
    """The content of a mail: one entry for each recipient that it is about."""

    entries: tuple[ReportEntry, ...]
    fields: str = ""  # the machine-readable part, as text
    returned: Headers = Headers()  # of the returned mail, if there is one
    redactable: bool = False  # its writer may have redacted addresses
