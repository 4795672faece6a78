"""A make-believe vendor that no provider of ours knows: a description does."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec

from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.providers.described.description import compile_description
from worker.providers.provider import WebhookRequest
from worker.samples.posting import iso_time, made_up_id, post
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import reply_for
from worker.samples.signing import sign
from worker.samples.vendor import MakeBelieveVendor

DESCRIPTION = """\
name = "pigeon"
title = "Pigeon Post"

[authentication]
scheme = "hmac"
header = "X-Pigeon-Signature"
prefix = "sha256="
timestamp_header = "X-Pigeon-Time"
signed = "{timestamp}.{body}"
max_age_seconds = 3600

[payload]
events = "letters"

[fields]
event = "type"
class = "returned.class"
address = "to"
occurred_at = "at"
id = "id"
message_id = "letter.id"
smtp_code = "returned.code"
enhanced_status = "returned.status"
diagnostic = "returned.words"
scope = "list"
machine = "by_machine"
test = "try_out"
tags = "letter.tags"
metadata = "letter.notes"

[events]
taken = "accepted"
arrived = "delivered"
waiting = "deferred"
returned = "bounce"
"returned/unwanted" = "blocked"
withheld = { kind = "dropped", cause = "suppressed_by_provider" }
seen = "opened"
followed = "clicked"
left = "unsubscribe"
joined = "resubscribe"
reported = "complaint"
fed = "other"
"""

_NAMES: dict[Kind, str] = {
    Kind.ACCEPTED: "taken",
    Kind.DELIVERED: "arrived",
    Kind.DEFERRED: "waiting",
    Kind.SOFT_BOUNCE: "returned",
    Kind.HARD_BOUNCE: "returned",
    Kind.BLOCKED: "returned",
    Kind.DROPPED: "withheld",
    Kind.OPENED: "seen",
    Kind.CLICKED: "followed",
    Kind.UNSUBSCRIBE: "left",
    Kind.RESUBSCRIBE: "joined",
    Kind.COMPLAINT: "reported",
    Kind.OTHER: "fed",
}


class DescribedSamples(MakeBelieveVendor):
    """Ten events at most in a request, signed as the description says."""

    provider: ClassVar[str] = "described"
    batch_events: ClassVar[int] = 10

    def source(self, name: str) -> Source:
        """A source that brings the description along."""
        return msgspec.structs.replace(super().source(name), options={"description": DESCRIPTION})

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """Signed webhooks of ten events each."""
        starts = range(0, len(events), self.batch_events)
        return [
            self.signed([sample_letter(event) for event in events[start : start + self.batch_events]], now=now)
            for start in starts
        ]

    def signed(self, letters: list[Any], *, now: datetime) -> WebhookRequest:
        """The POST of these letters."""
        request = post(self.provider, json.dumps({"letters": letters}).encode(), {})
        scheme = compile_description(DESCRIPTION).description.authentication
        return sign(request, scheme, self.secret, now=now)


def sample_letter(event: SampleEvent) -> dict[str, Any]:
    """The event as this vendor writes it."""
    letter: dict[str, Any] = {
        "type": _NAMES[event.kind],
        "to": event.address,
        "at": iso_time(event.occurred_at),
        "id": made_up_id(event),
        "letter": {"id": event.message_id, "tags": list(event.tags), "notes": event.metadata},
        "list": event.scope,
        "by_machine": event.machine,
        "try_out": event.cause is Cause.TEST,
    }
    if reply := reply_for(event):
        letter["returned"] = {
            "code": reply.smtp_code,
            "status": reply.enhanced_status,
            "words": reply.line,
            "class": "unwanted" if event.kind is Kind.BLOCKED else None,
        }
    return letter
