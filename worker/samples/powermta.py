"""A make-believe PowerMTA: the script that posts its accounting files, with a bearer token."""

import csv
import io
from datetime import UTC
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from worker.providers.vendors.powermta import CATEGORIES
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import bearer
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.untimed_vendor import UntimedVendor

RECORDS_PER_FILE = 100
COLUMNS = (
    *("type", "timeLogged", "orig", "rcpt", "dsnAction", "dsnStatus", "dsnDiag", "bounceCat", "vmta", "jobId", "envId"),
    *("feedbackType", "header_x-subscriber"),
)

_RECORDS: dict[Kind, str] = {
    Kind.ACCEPTED: "r",
    Kind.DELIVERED: "d",
    Kind.DEFERRED: "t",
    Kind.SOFT_BOUNCE: "b",
    Kind.HARD_BOUNCE: "b",
    Kind.BLOCKED: "b",
    Kind.COMPLAINT: "f",
    Kind.OTHER: "tq",
}
_ACTIONS = {"d": "relayed", "t": "delayed", "b": "failed"}
_CATEGORY_OF = {meaning: name for name, meaning in reversed(CATEGORIES.items())}


class PowerMtaSamples(UntimedVendor):
    """Files of up to a hundred records, each with its header line."""

    provider: ClassVar[str] = "powermta"
    shown = staticmethod(bearer)
    events_per_request: ClassVar[int | None] = RECORDS_PER_FILE

    def document(self, event: SampleEvent) -> dict[str, Any]:
        return sample_row(event)

    def posted(self, content: Any) -> WebhookRequest:
        """The POST of a file with these rows."""
        file = io.StringIO()
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(content)
        return self.posted_body(file.getvalue().encode(), "text/csv")


def sample_row(event: SampleEvent) -> dict[str, Any]:
    """The event as a row of the accounting file."""
    reply = reply_for(event)
    record = _RECORDS.get(event.kind, "tq")
    row: dict[str, Any] = {
        "type": record,
        "timeLogged": event.occurred_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S+0000"),
        "orig": "bounces@news.example.com",
        "rcpt": event.address,
        "dsnAction": _ACTIONS.get(record, ""),
        "dsnStatus": f"{reply.enhanced_status} (described in words)" if reply else "",
        "dsnDiag": f"smtp;{reply.line}" if reply else "",
        "bounceCat": _CATEGORY_OF.get((event.kind, event.cause), "other") if record in {"b", "t"} else "",
        "vmta": "pool-1",
        "jobId": event.tags[0] if event.tags else "job-1",
        "envId": event.vendor_event_id or event.message_id,
        "header_x-subscriber": str((event.metadata or {}).get("subscriber", "8812")),
    }
    if event.kind is Kind.COMPLAINT:
        row |= {"orig": "", "feedbackType": "fraud" if event.cause is Cause.FRAUD_REPORT else "abuse"}
    return row


SENDERS = (PowerMtaSamples,)
