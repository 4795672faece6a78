"""The content of a report mail, before anybody decides whether to believe it."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.vocabulary import Cause, Kind
from worker.providers.classification.failure import Classification
from worker.providers.mail.mail_part import Headers


class ReportEntry(Struct, frozen=True, kw_only=True):
    """One thing that a mail reports."""

    what: str  # the name of its event: "arf/abuse", "dsn/failed"
    kind: Kind
    word: str | None = None  # the reporter's own for it, as it was written; None where we conclude from prose
    cause: Cause = Cause.NONE
    recipients: tuple[str, ...] = ()  # the people named in the report, the likeliest first
    failure: Classification | None = None
    diagnostic: str | None = None
    occurred_at: datetime | None = None
    recognised: bool = True
    metadata: dict[str, Any] = {}  # further details, for the event's metadata


class Report(Struct, frozen=True, kw_only=True):
    """What a mail is, and its entries: one for each recipient that it reports of."""

    entries: tuple[ReportEntry, ...]
    fields: str = ""  # the machine-readable part, as text
    returned: Headers = Headers()  # of the reported mail, as far as it was returned
    redactable: bool = False  # its writer may have redacted addresses
