"""What a mail says happened to one recipient, before anybody asked whether it is to be believed."""

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
    recipients: tuple[str, ...] = ()  # whom the report names, the likeliest first
    failure: Classification | None = None
    diagnostic: str | None = None
    occurred_at: datetime | None = None
    recognised: bool = True
    metadata: dict[str, Any] = {}  # what else it tells, for the event's metadata


class Report(Struct, frozen=True, kw_only=True):
    """What a mail is, and its entries: one for each recipient that it reports of."""

    entries: tuple[ReportEntry, ...]
    fields: str = ""  # the machine-readable part, as text
    returned: Headers = Headers()  # of the mail that was reported, as far as it came back
    redactable: bool = False  # its writer may have blacked addresses out
