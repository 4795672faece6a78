"""What the answers of `GET /v1/overview` amount to: no input, no output, no clock, and memory that is bounded."""

from collections import deque
from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct

from worker.commands.support.board import (
    RATE_SECONDS,
    WINDOW,
    Board,
    Change,
    SourceSeen,
    Trouble,
    clean_text,
    shown_text,
)
from worker.contacts.overview import NamedCount, Overview
from worker.store.intake import MOST_SOURCES

API_AWAY = "api.away"
_LONGEST_SENTENCE = 400
_MOST_ANSWERS = 700  # of ten minutes, when it is asked every second


class _Counts(Struct, frozen=True, kw_only=True):
    """The growing counts of one answer."""

    at: datetime
    webhooks: dict[str, int]  # by source


class ApiBoard:
    """Takes one answer after the other; `board` tells what they amount to."""

    def __init__(self) -> None:
        self._latest: Overview | None = None
        self._history: deque[_Counts] = deque(maxlen=_MOST_ANSWERS)
        self._away: Trouble | None = None

    def read(self, answer: Overview) -> None:
        """Takes an answer in. The API may give the same one several times."""
        self._away = None
        if self._latest is not None and answer.at <= self._latest.at:
            return
        self._latest = answer
        self._history.append(_Counts(at=answer.at, webhooks={one.source: one.webhooks for one in answer.sources}))
        while self._history[0].at < answer.at - WINDOW:
            self._history.popleft()

    def fail(self, reason: str, remedy: str, *, now: datetime) -> None:
        """There was no answer. What is known stays."""
        self._away = Trouble(
            event=API_AWAY,
            level="error",
            reason=shown_text(reason),
            count=1 if self._away is None else self._away.count + 1,
            last_at=now,
            says="The API does not answer: everything below is as it was.",
            remedy=remedy,
        )

    def board(self, now: datetime) -> Board:
        """What is known now."""
        troubles = [] if self._away is None else [self._away]
        latest = self._latest
        if latest is None:
            return Board(
                at=now,
                webhooks_per_second=None,
                queue_age_seconds=None,
                processors=None,
                waiting_parcels=None,
                sources=[],
                statuses=[],
                causes=[],
                providers=[],
                changes=[],
                troubles=troubles,
                lines=0,
                unreadable=0,
                not_shown=[],
            )
        return Board(
            at=latest.at,
            webhooks_per_second=self._rate(),
            queue_age_seconds=latest.queue_age_seconds,
            processors=latest.processors,
            waiting_parcels=latest.waiting_parcels,
            sources=[
                SourceSeen(
                    source=shown_text(one.source),
                    last_at=one.last_received_at,
                    webhooks=self._grown(one.source, one.webhooks, since=0),
                )
                for one in latest.sources
            ],
            statuses=_pairs(latest.statuses),
            causes=_pairs(latest.causes),
            providers=_pairs(latest.providers),
            changes=[
                Change(
                    at=one.at,
                    contact=shown_text(one.contact),
                    old_status=shown_text(one.old_status),
                    new_status=shown_text(one.new_status),
                    cause=shown_text(one.cause),
                )
                for one in latest.changes
            ],
            troubles=[
                *troubles,
                *(
                    Trouble(
                        event=shown_text(one.event),
                        level=one.level,
                        reason=shown_text(one.about),
                        count=one.count,
                        last_at=one.last_at,
                        says=clean_text(one.says, longest=_LONGEST_SENTENCE),
                        remedy=clean_text(one.remedy, longest=_LONGEST_SENTENCE),
                    )
                    for one in latest.troubles
                ),
            ],
            lines=0,
            unreadable=0,
            not_shown=[clean_text(one, longest=_LONGEST_SENTENCE) for one in latest.not_shown],
        )

    def _rate(self) -> float | None:
        """Over the last minute, or since the answer before the last; None with one answer alone.

        An API that is slow to make an answer gives one less often than once a minute.
        """
        if len(self._history) == 1:
            return None
        last, latest_first = self._history[-1], len(self._history) - 2
        minute_ago = last.at - timedelta(seconds=RATE_SECONDS)
        first = next(n for n, one in enumerate(self._history) if one.at >= minute_ago or n == latest_first)
        seconds = (last.at - self._history[first].at).total_seconds()
        return sum(self._grown(source, count, since=first) for source, count in last.webhooks.items()) / seconds

    def _grown(self, source: str, webhooks: int, *, since: int) -> int:
        """How much the source's count has grown since that answer of the history.

        An answer without the source means that it began later; but a full one may only have left it out, and then it
        counts from the first answer that has it.
        """
        begin = self._history[since].webhooks
        if source in begin:
            former = begin[source]
        elif len(begin) < MOST_SOURCES:
            former = 0
        else:
            later = islice(self._history, since, None)
            former = next((one.webhooks[source] for one in later if source in one.webhooks), webhooks)
        return max(webhooks - former, 0)


def _pairs(counts: list[NamedCount]) -> list[tuple[str, int]]:
    return [(shown_text(one.name), one.count) for one in counts]
