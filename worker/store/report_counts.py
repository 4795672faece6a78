"""Counts for a report of a span of time. Postgres counts; no rows of contacts are read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from asyncpg import QueryCanceledError
from msgspec import Struct

from schemas.decision import DECISION_RANKS, DecisionKind
from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Blocks, Channel, Kind
from worker.errors import StoreUnavailable
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection

BOUNCES = (Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED, Kind.DROPPED)
_BOUNCE_RANKS = [KIND_RANKS[kind] for kind in BOUNCES]


class Span(Struct, frozen=True, kw_only=True):
    """The span to count: from `since` up to but not including `until`."""

    since: datetime
    until: datetime
    account: str | None  # None: all accounts


class CauseCount(Struct, frozen=True, kw_only=True):
    """Bounces of one cause within one day, week, month or year (UTC)."""

    begins_at: datetime
    cause: str
    bounces: int


class ChangeCount(Struct, frozen=True, kw_only=True):
    """How many contacts were blocked or freed within one day, week, month or year (UTC)."""

    begins_at: datetime
    blocked: int
    freed: int


class StatusCount(Struct, frozen=True, kw_only=True):
    """How often contacts got this status for this cause."""

    status: str
    cause: str
    changes: int


class BounceCounts(Struct, frozen=True, kw_only=True):
    """The bounces of a span, split in three ways. Each split adds up to all of them."""

    by_cause: list[CauseCount]
    by_provider: dict[str, int]
    by_source: dict[str, int]


class DomainCounts(Struct, frozen=True, kw_only=True):
    """The mail domains with the most bounces. '' stands for contacts without one, such as phone numbers."""

    bounces: dict[str, int]
    domains: int  # all domains with bounces


class TotalCounts(Struct, frozen=True, kw_only=True):
    """The totals of a span."""

    bounces: int
    hard_bounces: int
    complaints: int
    unsubscribes: int
    blocked: int
    freed: int


_ENTRIES = "entries e WHERE e.occurred_at >= :since AND e.occurred_at < :until AND :account::text IS NULL"
# `OFFSET 0` keeps the two parts apart: what lies in the span is read along its index by time, then its contacts are
# looked for in a hash table. The planner thinks that dear, and would walk the log of every contact instead.
_ENTRIES_OF_ACCOUNT = """(
        SELECT contact_id, occurred_at, rank, cause, provider, source, vendor_event, beside
          FROM entries WHERE occurred_at >= :since AND occurred_at < :until OFFSET 0
    ) e WHERE e.contact_id IN (SELECT c.id FROM contacts c WHERE c.account = :account)"""
_CHANGES = "status_changes s WHERE s.recorded_at >= :since AND s.recorded_at < :until AND :account::text IS NULL"
# A change gets its account together with its place in the feed, and is found by account and time then. Of the few that
# have no place yet the contact tells the account.
_CHANGES_OF_ACCOUNT = """(
        SELECT contact_id, recorded_at, old_blocks, new_blocks, new_status, cause, event_key FROM status_changes
         WHERE account = :account AND position IS NOT NULL AND recorded_at >= :since AND recorded_at < :until
        UNION ALL
        SELECT n.contact_id, n.recorded_at, n.old_blocks, n.new_blocks, n.new_status, n.cause, n.event_key
          FROM status_changes n JOIN contacts c ON c.id = n.contact_id AND c.account = :account
         WHERE n.position IS NULL AND n.recorded_at >= :since AND n.recorded_at < :until
    ) s WHERE true"""
_BLOCKED = f"s.old_blocks = '{Blocks.NONE}' AND s.new_blocks <> '{Blocks.NONE}'"
_FREED = f"s.old_blocks <> '{Blocks.NONE}' AND s.new_blocks = '{Blocks.NONE}'"

# Grouped by ids first, which reduces millions of rows to hundreds; then these get names and are summed in three ways.
_COUNT_BOUNCES = """
    WITH counted AS (
        SELECT date_trunc(:unit, e.occurred_at) AS begins_at, e.cause, e.provider, e.source, e.vendor_event,
               e.beside ->> 'cause' AS own_cause, e.beside ->> 'provider' AS own_provider,
               e.beside ->> 'source' AS own_source, count(*) AS bounces
          FROM {entries} AND e.rank = ANY (:bounces::smallint[])
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ), named AS (
        SELECT n.begins_at, coalesce(cause.word, n.own_cause, 'none') AS cause,
               coalesce(vendor_event.brought_by, provider.word, n.own_provider, '') AS provider,
               coalesce(source.word, n.own_source, '') AS source, n.bounces
          FROM counted n
          LEFT JOIN words cause ON cause.id = n.cause
          LEFT JOIN words provider ON provider.id = n.provider
          LEFT JOIN words source ON source.id = n.source
          LEFT JOIN words vendor_event ON vendor_event.id = n.vendor_event
    )
    SELECT begins_at, cause, provider, source, sum(bounces)::bigint AS bounces
      FROM named GROUP BY GROUPING SETS ((begins_at, cause), (provider), (source))
     ORDER BY begins_at, bounces DESC, cause, provider, source
"""
_COUNT_DOMAINS = f"""
    WITH counted AS (
        SELECT e.contact_id, count(*) AS bounces FROM {{entries}} AND e.rank = ANY (:bounces::smallint[]) GROUP BY 1
    ), domains AS (
        SELECT CASE WHEN c.channel = '{Channel.EMAIL}' AND strpos(c.address, '@') > 0
                    THEN reverse(split_part(reverse(c.address), '@', 1)) ELSE '' END AS domain,
               sum(n.bounces)::bigint AS bounces
          FROM counted n LEFT JOIN contacts c ON c.id = n.contact_id GROUP BY 1
    )
    SELECT domain, bounces, count(*) OVER () AS domains FROM domains ORDER BY bounces DESC, domain LIMIT :most
"""  # noqa: S608 - the parts are constants above
_COUNT_CHANGES = f"""
    SELECT date_trunc(:unit, s.recorded_at) AS begins_at,
           count(*) FILTER (WHERE {_BLOCKED}) AS blocked, count(*) FILTER (WHERE {_FREED}) AS freed
      FROM {{changes}} GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - as above
_COUNT_STATUSES = """
    SELECT s.new_status AS status, s.cause, count(*) AS changes FROM {changes} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""
# Of the entries that made the changes. A change that time, a policy or a person made has none with a provider, and
# neither has one that followed from a calm event, such as a delivery. `LIMIT 1` has each entry looked up by its key:
# where much changes, the planner would read the whole table instead.
_COUNT_PROVIDERS = """
    SELECT provider, sum(changes)::bigint AS changes FROM (
        SELECT coalesce(vendor_event.brought_by, provider.word, n.own_provider) AS provider, n.changes
          FROM (
            SELECT e.provider, e.vendor_event, e.beside ->> 'provider' AS own_provider, count(*) AS changes
              FROM (SELECT s.contact_id, s.event_key FROM {changes} AND s.event_key IS NOT NULL OFFSET 0) made
             CROSS JOIN LATERAL (
                SELECT provider, vendor_event, beside FROM entries
                 WHERE entry_key = made.event_key AND contact_id = made.contact_id LIMIT 1
             ) e
             GROUP BY 1, 2, 3
          ) n
          LEFT JOIN words provider ON provider.id = n.provider
          LEFT JOIN words vendor_event ON vendor_event.id = n.vendor_event
    ) named WHERE provider <> '' GROUP BY 1
"""
# The entries by which a person asks for less: by a click, or by word to one of us. A contact that asks twice counts
# once.
_WISHES = ", ".join(
    str(rank)
    for rank in (
        *(KIND_RANKS[kind] for kind in (Kind.UNSUBSCRIBE, Kind.DECLINES_COMMERCIAL, Kind.FORBIDS_CONTACT)),
        *(
            DECISION_RANKS[kind]
            for kind in (DecisionKind.UNSUBSCRIBED, DecisionKind.DECLINED_COMMERCIAL, DecisionKind.DO_NOT_CONTACT)
        ),
    )
)
_TOTALS = f"""
    SELECT * FROM (
        SELECT count(*) FILTER (WHERE e.rank = ANY (:bounces::smallint[])) AS bounces,
               count(*) FILTER (WHERE e.rank = {KIND_RANKS[Kind.HARD_BOUNCE]}) AS hard_bounces,
               count(*) FILTER (WHERE e.rank = {KIND_RANKS[Kind.COMPLAINT]}) AS complaints,
               count(DISTINCT e.contact_id) FILTER (WHERE e.rank IN ({_WISHES})) AS unsubscribes
          FROM {{entries}}
    ) of_entries, (
        SELECT count(*) FILTER (WHERE {_BLOCKED}) AS blocked, count(*) FILTER (WHERE {_FREED}) AS freed
          FROM {{changes}}
    ) of_changes
"""  # noqa: S608 - as above


def _arguments(span: Span, template: str, **parameters: Any) -> tuple[Any, ...]:
    """The statement for all accounts, or for one, each of which needs a way of its own; and its parameters."""
    if span.account is None:
        statement = template.format(entries=_ENTRIES, changes=_CHANGES)
    else:
        statement = template.format(entries=_ENTRIES_OF_ACCOUNT, changes=_CHANGES_OF_ACCOUNT)
    return NamedStatement(statement)(since=span.since, until=span.until, account=span.account, **parameters)


# A plan for any span and any account would be bad for most of them.
_LIMITS = """
    SELECT set_config('statement_timeout', $1, true), set_config('plan_cache_mode', 'force_custom_plan', true)
"""


@asynccontextmanager
async def limited_statements(
    connection: Connection,
    doing: str,
    *,
    timeout_seconds: float,
    remedy: str = "choose a shorter span (--since, --until), or raise --timeout-seconds",
) -> AsyncIterator[None]:
    """Makes Postgres cancel statements of the connection that take longer, until its transaction ends.

    If that happens within the block, raises StoreUnavailable with a remedy of its own, because Postgres is not away.
    """
    await connection.execute(_LIMITS, str(max(1, int(timeout_seconds * 1000))))
    try:
        yield
    except QueryCanceledError as error:
        raise StoreUnavailable(f"Postgres gave up while {doing}: {error}; {remedy}") from error


async def count_bounces(connection: Connection, span: Span, *, unit: str) -> BounceCounts:
    """The bounces that happened within the span. `unit` is day, week, month or year."""
    by_cause, by_provider, by_source = [], {}, {}
    for row in await connection.fetch(*_arguments(span, _COUNT_BOUNCES, unit=unit, bounces=_BOUNCE_RANKS)):
        if row["begins_at"] is not None:
            by_cause.append(CauseCount(begins_at=row["begins_at"], cause=row["cause"], bounces=row["bounces"]))
        elif row["provider"] is not None:
            by_provider[row["provider"]] = row["bounces"]
        else:
            by_source[row["source"]] = row["bounces"]
    return BounceCounts(by_cause=by_cause, by_provider=by_provider, by_source=by_source)


async def count_domains(connection: Connection, span: Span, *, most: int) -> DomainCounts:
    """The `most` mail domains with the most bounces within the span, the largest first."""
    rows = await connection.fetch(*_arguments(span, _COUNT_DOMAINS, bounces=_BOUNCE_RANKS, most=most))
    return DomainCounts(
        bounces={row["domain"]: row["bounces"] for row in rows}, domains=rows[0]["domains"] if rows else 0
    )


async def count_changes(connection: Connection, span: Span, *, unit: str) -> list[ChangeCount]:
    """The contacts that were blocked and freed within the span, the earliest first."""
    return [ChangeCount(**row) for row in await connection.fetch(*_arguments(span, _COUNT_CHANGES, unit=unit))]


async def count_statuses(connection: Connection, span: Span) -> list[StatusCount]:
    """The statuses that contacts got within the span with their causes, the commonest first."""
    return [StatusCount(**row) for row in await connection.fetch(*_arguments(span, _COUNT_STATUSES))]


async def count_providers(connection: Connection, span: Span) -> dict[str, int]:
    """How many changes within the span the reports of each provider made."""
    rows = await connection.fetch(*_arguments(span, _COUNT_PROVIDERS))
    return {row["provider"]: row["changes"] for row in rows}


async def count_totals(connection: Connection, span: Span) -> TotalCounts:
    """The totals of the span."""
    row = await connection.fetchrow(*_arguments(span, _TOTALS, bounces=_BOUNCE_RANKS))
    if row is None:
        raise AssertionError("an aggregate gives one row")
    return TotalCounts(**row)
