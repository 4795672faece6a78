"""What the log's lines of the last minutes amount to: no input, no output, no clock, and memory that is bounded.

Whatever a line holds, reading it raises nothing, and no address leaves the board unmasked.
"""

from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.address import mask_address
from schemas.log_events import LOG_EVENTS
from worker.commands.support.board import (
    LONGEST_TEXT,
    RATE_SECONDS,
    WINDOW,
    Board,
    Change,
    SourceSeen,
    Trouble,
    clean_text,
    shown_text,
)

ACCEPTED, APPLIED, CHANGED = "webhook.accepted", "batch.applied", "status.changed"
# The fields that the board reads of each line, beside the common ones.
READ_FIELDS: Mapping[str, tuple[str, ...]] = {
    ACCEPTED: ("source",),
    APPLIED: ("oldest_age_seconds",),
    CHANGED: ("contact", "old_status", "new_status", "cause", "provider"),
}
MORE = "(more)"
_TROUBLED = frozenset({"warning", "error", "critical"})
_WINDOW_MINUTES = int(WINDOW.total_seconds()) // 60
_MOST_NAMES = 300
_MOST_TROUBLES = 50
_MOST_CHANGES = 8
_TOP = 6
_decode = msgspec.json.Decoder().decode


class _Recent:
    """Counts of names in the last ten minutes, kept by the minute."""

    def __init__(self) -> None:
        self._minutes: dict[int, Counter[str]] = {}

    def add(self, name: str, at: datetime) -> None:
        counts = self._minutes.setdefault(_minute(at), Counter())
        counts[name if name in counts or len(counts) < _MOST_NAMES else MORE] += 1
        if len(self._minutes) > _WINDOW_MINUTES:
            del self._minutes[min(self._minutes)]

    def counts(self, now: datetime) -> Counter[str]:
        oldest = _minute(now) - _WINDOW_MINUTES
        return sum((counts for minute, counts in self._minutes.items() if minute > oldest), Counter())

    def top(self, now: datetime) -> list[tuple[str, int]]:
        return sorted(self.counts(now).items(), key=lambda item: (-item[1], item[0]))[:_TOP]


class LiveBoard:
    """Reads lines one after the other; `board` tells what they amount to."""

    def __init__(self) -> None:
        self._seconds: dict[int, int] = {}
        self._queue_age: tuple[datetime, float] | None = None
        self._last_of_source: dict[str, datetime] = {}
        self._accepted, self._statuses, self._causes, self._providers = _Recent(), _Recent(), _Recent(), _Recent()
        self._changes: deque[Change] = deque(maxlen=_MOST_CHANGES)
        self._troubles: dict[tuple[str, str], Trouble] = {}
        self._lines = self._unreadable = 0

    def read(self, line: bytes, *, now: datetime) -> None:
        """Takes one line in. `now` stands for its time if it has none, or one in the future."""
        if not line.strip():
            return
        self._lines += 1
        fields = _fields_of(line)
        if fields is None:
            self._unreadable += 1
            return
        name, at = str(fields.get("event", "")), _time_of(fields.get("timestamp"), now)
        values = {field: shown_text(fields.get(field)) for field in READ_FIELDS.get(name, ())}
        if name == ACCEPTED:
            self._accept(values["source"], at)
        elif name == APPLIED and isinstance(age := fields.get("oldest_age_seconds"), int | float):
            self._queue_age = at, float(min(max(age, 0), 10**9))
        elif name == CHANGED:
            self._change(values, mask_address(clean_text(fields.get("contact"))), at)
        if (level := str(fields.get("level"))) in _TROUBLED:
            self._trouble(name, level, shown_text(fields.get("reason")), at)

    def skip(self) -> None:
        """Counts a line that was too long to be read."""
        self._lines += 1
        self._unreadable += 1

    def board(self, now: datetime) -> Board:
        """What is known now."""
        begin, second = now - WINDOW, int(now.timestamp())
        accepted = self._accepted.counts(now)
        sources = sorted(self._last_of_source.items(), key=lambda item: (-item[1].timestamp(), item[0]))
        troubles = [trouble for trouble in self._troubles.values() if trouble.last_at > begin]
        return Board(
            at=now,
            webhooks_per_second=sum(
                count for at, count in self._seconds.items() if second - RATE_SECONDS < at <= second
            )
            / RATE_SECONDS,
            queue_age_seconds=self._queue_age[1] if self._queue_age and self._queue_age[0] > begin else None,
            processors=None,
            waiting_parcels=None,
            sources=[SourceSeen(source=name, last_at=at, webhooks=accepted[name]) for name, at in sources],
            statuses=self._statuses.top(now),
            causes=self._causes.top(now),
            providers=self._providers.top(now),
            changes=list(reversed(self._changes)),
            troubles=sorted(troubles, key=lambda one: (one.level == "warning", -one.last_at.timestamp())),
            lines=self._lines,
            unreadable=self._unreadable,
            not_shown=[],
        )

    def _accept(self, source: str, at: datetime) -> None:
        second = int(at.timestamp())
        self._seconds[second] = self._seconds.get(second, 0) + 1
        if len(self._seconds) > 2 * RATE_SECONDS:
            del self._seconds[min(self._seconds)]
        self._accepted.add(source, at)
        self._last_of_source[source] = max(at, self._last_of_source.get(source, at))
        if len(self._last_of_source) > _MOST_NAMES:
            del self._last_of_source[min(self._last_of_source, key=self._last_of_source.__getitem__)]

    def _change(self, values: Mapping[str, str], contact: str, at: datetime) -> None:
        self._statuses.add(values["new_status"], at)
        self._causes.add(values["cause"] or "none", at)
        if values["provider"]:
            self._providers.add(values["provider"], at)
        self._changes.append(
            Change(
                at=at,
                contact=contact,
                old_status=values["old_status"],
                new_status=values["new_status"],
                cause=values["cause"],
            )
        )

    def _trouble(self, name: str, level: str, reason: str, at: datetime) -> None:
        key = (name[:LONGEST_TEXT], reason)
        former = self._troubles.pop(key, None)
        declared = LOG_EVENTS.get(name)
        self._troubles[key] = Trouble(
            event=shown_text(name),
            level=level,
            reason=reason,
            count=1 + (former.count if former else 0),
            last_at=max(at, former.last_at) if former else at,
            says=declared.says if declared else "This version does not know this line.",
            remedy=(declared.remedies.get(reason) or declared.remedy) if declared else "",
        )
        if len(self._troubles) > _MOST_TROUBLES:
            del self._troubles[next(iter(self._troubles))]


def _fields_of(line: bytes) -> dict[str, Any] | None:
    try:
        fields = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _time_of(value: object, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else now
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        at.timestamp()
    except (ValueError, OverflowError):
        return now
    return min(at, now)


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60
