"""What a script is told of the events that it posted in our own JSON: how many were taken, what is wrong with which.

schemas/openapi.yaml describes it as ReportedEvents.
"""

from typing import Any

import msgspec
from msgspec import Struct

from schemas.reported_event import EVENT_NAMES
from worker.process.spelling import did_you_mean

MOST_TOLD = 100  # of each sort: a script that does all wrong need not read it a thousand times


class RefusedEvent(Struct, frozen=True):
    """An event that is not taken; it does nothing."""

    index: int  # its place in the body, from 0
    error: str


class UnknownEvent(Struct, frozen=True):
    """An event that is taken, but kept as `other`, since nobody knows its name."""

    index: int
    event: str
    remedy: str


class ReportedEvents(Struct):
    """The events of one body, told one after the other."""

    events: int = 0
    taken: int = 0
    refused: list[RefusedEvent] = []
    unknown: list[UnknownEvent] = []

    def take(self, name: str, *, known: bool) -> None:
        """The next event is taken."""
        if not known and len(self.unknown) < MOST_TOLD:
            remedy = f"no event has this name, so it is kept and does nothing: {did_you_mean(name, EVENT_NAMES)}"
            self.unknown.append(UnknownEvent(self.events, name[:MOST_TOLD], remedy))
        self.events += 1
        self.taken += 1

    def refuse(self, mistake: str) -> None:
        """The next event is not taken."""
        if len(self.refused) < MOST_TOLD:
            self.refused.append(RefusedEvent(self.events, mistake))
        self.events += 1

    def answer(self, **more: Any) -> bytes:
        """The JSON of the answer, `more` before the rest."""
        return msgspec.json.encode({**more, **msgspec.to_builtins(self)})
