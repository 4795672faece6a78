"""Reports what happened to contacts within a span of time, in numbers only, without addresses."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from schemas.mailbox_provider import mailbox_provider
from worker.store.pool import Pool
from worker.store.report_counts import (
    CauseCount,
    DomainCounts,
    Span,
    TotalCounts,
    count_bounces,
    count_changes,
    count_domains,
    count_totals,
    limited_statements,
)
from worker.store.sessions import snapshot

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
OTHER_CAUSES = "other causes"
_MOST_CAUSES = 6
_MOST_ROWS = 12
_DAYS_BY_DAY, _DAYS_BY_WEEK, _DAYS_BY_MONTH = 62, 400, 3_700


class Unit(StrEnum):
    """The time that one column of a chart stands for, in UTC."""

    DAY = "day"
    WEEK = "week"  # from Monday
    MONTH = "month"
    YEAR = "year"


class Total(Struct, frozen=True, kw_only=True):
    """One number of the span, and of the span of the same length before it."""

    name: str  # bounces, hard_bounces, complaints, unsubscribes, blocked, freed
    count: int
    before: int


class Series(Struct, frozen=True, kw_only=True):
    """One count for each of the report's columns."""

    name: str
    counts: Sequence[int]


class Share(Struct, frozen=True, kw_only=True):
    """The bounces of one provider, domain or source. The name is empty if it is unknown."""

    name: str
    bounces: int
    note: str = ""  # the mailbox provider of a domain


class Shares(Struct, frozen=True, kw_only=True):
    """Shares, largest first; `others` is the rest."""

    rows: Sequence[Share]
    names: int  # how many there are in all
    others: int  # bounces of those that are not in `rows`


class PeriodReport(Struct, frozen=True, kw_only=True):
    """All numbers of the report. Bounces count when they happened, blocked and freed contacts when we learned of it."""

    account: str | None  # None: all
    since: datetime
    until: datetime
    before_since: datetime  # when the previous span begins, which ends at `since`
    unit: Unit
    begins_at: Sequence[datetime]  # of each column; the first and the last may be cut by the span
    totals: Sequence[Total]
    bounces_by_cause: Sequence[Series]
    blocked_and_freed: Sequence[Series]
    bounces_by_provider: Shares
    bounces_by_domain: Shares
    bounces_by_source: Shares


async def period_report(
    pool: Pool, *, since: datetime, until: datetime, account: str | None, timeout_seconds: float
) -> PeriodReport:
    """The report as of one moment; it writes nothing. EARLIEST <= since < until.

    Raises StoreUnavailable, also if Postgres takes longer than `timeout_seconds` for one of the five statements.
    """
    unit = unit_of(until - since)
    span = Span(since=since, until=until, account=account)
    before = Span(since=since - (until - since), until=since, account=account)
    doing = f"counting for the report, with {timeout_seconds:g} s for each statement"
    async with (
        snapshot(pool, doing) as connection,
        limited_statements(connection, doing, timeout_seconds=timeout_seconds),
    ):
        bounces = await count_bounces(connection, span, unit=unit)
        domains = await count_domains(connection, span, most=_MOST_ROWS)
        changes = await count_changes(connection, span, unit=unit)
        totals = await count_totals(connection, span), await count_totals(connection, before)
    columns = columns_of(since, until, unit)
    blocked = {change.begins_at: change.blocked for change in changes}
    freed = {change.begins_at: change.freed for change in changes}
    return PeriodReport(
        account=account,
        since=since,
        until=until,
        before_since=before.since,
        unit=unit,
        begins_at=columns,
        totals=_totals(*totals),
        bounces_by_cause=series_of_causes(bounces.by_cause, columns),
        blocked_and_freed=[
            Series(name="blocked", counts=[blocked.get(column, 0) for column in columns]),
            Series(name="freed", counts=[freed.get(column, 0) for column in columns]),
        ],
        bounces_by_provider=_shares(bounces.by_provider),
        bounces_by_domain=_shares_of_domains(domains, totals[0]),
        bounces_by_source=_shares(bounces.by_source),
    )


def unit_of(span: timedelta) -> Unit:
    """The unit that gives the span neither too few columns nor too many."""
    limits = {Unit.DAY: _DAYS_BY_DAY, Unit.WEEK: _DAYS_BY_WEEK, Unit.MONTH: _DAYS_BY_MONTH}
    return next((unit for unit, days in limits.items() if span <= timedelta(days=days)), Unit.YEAR)


def columns_of(since: datetime, until: datetime, unit: Unit) -> list[datetime]:
    """When each day, week, month or year of the span begins, as with date_trunc of Postgres."""
    begin = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if unit is Unit.WEEK:
        begin -= timedelta(days=begin.weekday())
    elif unit is Unit.MONTH:
        begin = begin.replace(day=1)
    elif unit is Unit.YEAR:
        begin = begin.replace(month=1, day=1)
    columns = []
    while begin < until:
        columns.append(begin)
        begin = _next(begin, unit)
    return columns


def series_of_causes(counts: Sequence[CauseCount], columns: Sequence[datetime]) -> list[Series]:
    """One series for each of the most common causes, most common first; the last one sums up all others."""
    totals: defaultdict[str, int] = defaultdict(int)
    for count in counts:
        totals[count.cause] += count.bounces
    common = sorted(totals, key=lambda cause: (-totals[cause], cause))[:_MOST_CAUSES]
    by_name: dict[str, dict[datetime, int]] = {name: defaultdict(int) for name in (*common, OTHER_CAUSES)}
    for count in counts:
        by_name[count.cause if count.cause in common else OTHER_CAUSES][count.begins_at] += count.bounces
    if len(totals) <= len(common):
        del by_name[OTHER_CAUSES]
    return [
        Series(name=name, counts=[of_column.get(column, 0) for column in columns])
        for name, of_column in by_name.items()
    ]


def _next(begin: datetime, unit: Unit) -> datetime:
    if unit is Unit.MONTH:
        return begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    if unit is Unit.YEAR:
        return begin.replace(year=begin.year + 1)
    return begin + timedelta(days=7 if unit is Unit.WEEK else 1)


def _totals(counts: TotalCounts, before: TotalCounts) -> list[Total]:
    return [
        Total(name=name, count=getattr(counts, name), before=getattr(before, name))
        for name in TotalCounts.__struct_fields__
    ]


def _shares(counts: Mapping[str, int]) -> Shares:
    names = sorted(counts, key=lambda name: (-counts[name], name))
    rows = [Share(name=name, bounces=counts[name]) for name in names[:_MOST_ROWS]]
    return Shares(rows=rows, names=len(names), others=sum(counts[name] for name in names[_MOST_ROWS:]))


def _shares_of_domains(domains: DomainCounts, totals: TotalCounts) -> Shares:
    rows = [
        Share(name=domain, bounces=bounces, note=mailbox_provider(domain))
        for domain, bounces in domains.bounces.items()
    ]
    return Shares(rows=rows, names=domains.domains, others=totals.bounces - sum(domains.bounces.values()))
