"""The answer to a script that posts our own JSON: how many events were accepted, and the mistakes in the others.

schemas/openapi.yaml describes it as ReportedEvents.
"""

from typing import Any

import msgspec
from msgspec import Struct

from schemas.reported_event import EVENT_NAMES
from worker.process.spelling import did_you_mean

MOST_TOLD = 100  # of each sort: a script with a mistake in every event need not read it a thousand times


class RefusedEvent(Struct, frozen=True):
    """An event that is not accepted, and has no effect."""

    index: int  # its place in the body, from 0
    error: str


class UnknownEvent(Struct, frozen=True):
    """An event that is accepted, but kept as `other`, because its name is unknown."""

    index: int
    event: str
    remedy: str


class ReportedEvents(Struct):
    """The events of one body, added one after the other."""

    events: int = 0
    taken: int = 0
    refused: list[RefusedEvent] = []
    unknown: list[UnknownEvent] = []

    def take(self, name: str, *, known: bool) -> None:
        """Adds an accepted event."""
        if not known and len(self.unknown) < MOST_TOLD:
            remedy = f"no event has this name, so it is kept and does nothing: {did_you_mean(name, EVENT_NAMES)}"
            self.unknown.append(UnknownEvent(self.events, name[:MOST_TOLD], remedy))
        self.events += 1
        self.taken += 1

    def refuse(self, mistake: str) -> None:
        """Adds an event that is not accepted."""
        if len(self.refused) < MOST_TOLD:
            self.refused.append(RefusedEvent(self.events, mistake))
        self.events += 1

    def answer(self, **more: Any) -> bytes:
        """The JSON of the answer; `more` comes first."""
        return msgspec.json.encode({**more, **msgspec.to_builtins(self)})
