"""LogQL over our own lines. A name that schemas/log_events.py does not declare is an error here.

Only `app`, `level` and `event` are labels of Loki's; each query takes the other fields that it needs out of the JSON.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from schemas.log_event import COMMON_FIELDS
from schemas.log_events import LOG_EVENTS

LABELS = frozenset({"app", "level", "event"})  # as deploy/observability/alloy.config sets them
# In a board, `$app` is what the reader chose; an alert has no reader.
CHOSEN_APP = 'app=~"$app"'
INTERVAL = "$__auto"  # Grafana's own: the step of the panel
WHOLE = "$__range"  # the whole time that the board shows
SEEN_AT = "seen_at"  # made by `last_seen`: no field of a line


class UndeclaredNameError(ValueError):
    """A query names an event or a field that is not declared."""


class Lines(Struct, frozen=True, kw_only=True):
    """The lines of these events, or of all where none is named."""

    events: tuple[str, ...] = ()
    filters: tuple[tuple[str, str, str], ...] = ()  # (field, operator, value as LogQL writes it)
    containing: str = ""  # a text that the line holds: cheaper than reading its JSON
    app: str = CHOSEN_APP

    def where(self, field: str, operator: str, value: str | float) -> "Lines":
        """Those whose field compares so: `where("source", "!=", "")`."""
        written = f'"{value}"' if isinstance(value, str) else f"{value:g}"
        return structs.replace(self, filters=(*self.filters, (field, operator, written)))

    def with_text(self, text: str) -> "Lines":
        """Those that hold the text."""
        return structs.replace(self, containing=text)

    def for_alert(self) -> "Lines":
        """The same, of the app that our own collector names."""
        return structs.replace(self, app='app="bouncekeeper"')

    def count(self, *by: str, over: str = INTERVAL, offset: str = "") -> str:
        """How many in each interval."""
        return _sum(f"count_over_time({self._pipeline(by)} [{over}]{_offset(offset)})", by)

    def rate(self, *by: str, over: str = INTERVAL) -> str:
        """How many a second."""
        return _sum(f"rate({self._pipeline(by)} [{over}])", by)

    def total(self, field: str, *by: str, over: str = INTERVAL, offset: str = "") -> str:
        """The sum of a field in each interval."""
        return _sum(f"sum_over_time({self._numbers(field, by)} [{over}]{_offset(offset)})", by)

    def highest(self, field: str, *by: str, over: str = INTERVAL) -> str:
        """The highest value of a field in each interval."""
        return _sum(f"max_over_time({self._numbers(field, by)} [{over}])", by, aggregation="max")

    def quantile(self, share: float, field: str, *by: str, over: str = INTERVAL) -> str:
        """A quantile of a field in each interval."""
        return f"quantile_over_time({share:g}, {self._numbers(field, by)} [{over}]) by ({', '.join(by)})"

    def last_seen(self, *by: str, over: str = WHOLE) -> str:
        """When the last line was written, in milliseconds since 1970."""
        formatted = f"{self._pipeline(by)} | label_format {SEEN_AT}=`{{{{ __timestamp__ | unixEpoch }}}}`"
        return f"1000 * {_sum(f'max_over_time({formatted} | unwrap {SEEN_AT} [{over}])', by, aggregation='max')}"

    def shown(self, *fields: str) -> str:
        """The lines themselves; `fields` are taken out of the JSON, to be columns."""
        return self._pipeline(fields)

    def _numbers(self, field: str, by: Sequence[str]) -> str:
        return f'{self._pipeline((field, *by))} | unwrap {field} | __error__=""'

    def _pipeline(self, fields: Sequence[str]) -> str:
        wanted = list(dict.fromkeys([*(field for field, _, _ in self.filters), *fields]))
        self._check(wanted)
        extracted = [field for field in wanted if field not in LABELS]
        parts = [self._selector()]
        if self.containing:
            parts.append(f'|= "{self.containing}"')
        if extracted:
            parts.append("| json " + ", ".join(f'{field}="{field}"' for field in extracted))
        parts += [f"| {field}{operator}{value}" for field, operator, value in self.filters if field not in LABELS]
        return " ".join(parts)

    def _selector(self) -> str:
        matchers = [self.app]
        if len(self.events) == 1:
            matchers.append(f'event="{self.events[0]}"')
        elif self.events:
            matchers.append(f'event=~"{"|".join(self.events)}"')
        matchers += [f"{field}{operator}{value}" for field, operator, value in self.filters if field in LABELS]
        return "{" + ", ".join(matchers) + "}"

    def _check(self, fields: Sequence[str]) -> None:
        for event in self.events:
            if event not in LOG_EVENTS:
                raise UndeclaredNameError(f"no log event is named {event!r}: schemas/log_events.py declares them")
        events = self.events or tuple(LOG_EVENTS)
        for field in fields:
            if field in LABELS | COMMON_FIELDS:
                continue
            without = [event for event in events if field not in LOG_EVENTS[event].fields]
            if without if self.events else len(without) == len(events):
                raise UndeclaredNameError(f"{without[0]} has no field {field!r}: schemas/log_events.py declares them")


def lines(*events: str) -> Lines:
    """The lines of these events; of all where none is named."""
    return Lines(events=events)


def or_zero(query: str) -> str:
    """The query, and 0 where nothing happened: an empty panel would leave open whether anything was counted."""
    return f"{query} or vector(0)"


def _sum(inner: str, by: Sequence[str], *, aggregation: str = "sum") -> str:
    return f"{aggregation} by ({', '.join(by)}) ({inner})" if by else f"{aggregation}({inner})"


def _offset(offset: str) -> str:
    return f" offset {offset}" if offset else ""
