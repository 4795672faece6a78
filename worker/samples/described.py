"""A make-believe vendor that no provider of ours knows: a description does."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

import msgspec

from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.providers.described.description import BOUNCE, Description, Meaning, compile_description
from worker.providers.webhook_request import WebhookRequest
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

_SIMPLE_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z")


class DescribedSamples(MakeBelieveVendor):
    """A hundred events at most in a request, in the shape of a description and signed as it says."""

    provider: ClassVar[str] = "described"
    batch_events: ClassVar[int] = 100

    def __init__(self, *, seed: bytes | None = None) -> None:
        super().__init__(seed=seed)
        self.text = DESCRIPTION

    def source(self, name: str) -> Source:
        """A source that brings the description along."""
        return msgspec.structs.replace(super().source(name), options={"description": self.text})

    def speaking_as(self, source: Source) -> Self:
        """A sender in the shape of the source's own description; paths that are more than names stay empty."""
        speaking = super().speaking_as(source)
        speaking.text = source.options["description"]
        return speaking

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """Signed webhooks of a hundred events each."""
        elements = [self.element(event) for event in events]
        return [
            self.signed(elements[start : start + self.batch_events], now=now)
            for start in range(0, len(elements), self.batch_events)
        ]

    def signed(self, elements: list[Any], *, now: datetime) -> WebhookRequest:
        """The POST of these elements."""
        description = self._description
        where = description.payload.events
        document: Any = elements
        if _SIMPLE_PATH.match(where):
            document = {}
            _place(document, where, elements)
        request = post(self.provider, json.dumps(document).encode(), {})
        return sign(request, description.authentication, self.secret, now=now)

    def element(self, event: SampleEvent) -> dict[str, Any]:
        """The event as the described vendor writes it."""
        description = self._description
        name, _, event_class = _word_for(event, description.events).partition("/")
        reply = reply_for(event)
        values = {
            "event": name,
            "event_class": event_class or None,
            "address": event.address,
            "occurred_at": iso_time(event.occurred_at),
            "id": made_up_id(event),
            "message_id": event.message_id,
            "smtp_code": reply.smtp_code if reply else None,
            "enhanced_status": reply.enhanced_status if reply else None,
            "diagnostic": reply.line if reply else None,
            "scope": event.scope,
            "machine": event.machine,
            "test": event.cause is Cause.TEST,
            "tags": list(event.tags),
            "metadata": event.metadata,
        }
        element: dict[str, Any] = {}
        for field, value in values.items():
            path = getattr(description.fields, field)
            if value is not None and _SIMPLE_PATH.match(path):
                _place(element, path, value)
        return element

    @property
    def _description(self) -> Description:
        return compile_description(self.text).description


def _word_for(event: SampleEvent, meanings: Mapping[str, Meaning]) -> str:
    """The vendor's word that says the event best; the first one of all when none says it."""
    failure = event.kind in {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED}
    wanted = [(event.kind, event.cause), (event.kind, None), (BOUNCE if failure else "", None)]
    for kind, cause in wanted:
        for word, meaning in meanings.items():
            if meaning.kind == kind and meaning.cause == cause:
                return word
    return next((word for word, meaning in meanings.items() if meaning.kind == event.kind), next(iter(meanings)))


def _place(document: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    document[last] = value


SENDERS = (DescribedSamples,)
