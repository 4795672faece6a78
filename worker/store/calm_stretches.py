"""Counts a contact's calm events in a part of its log, in Postgres."""

from collections import Counter
from datetime import datetime

from msgspec import Struct

from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Kind
from worker.store.log_span import (
    PLACE_COLUMNS,
    WITHIN_SPAN,
    Place,
    Span,
    parameters_of_place,
    parameters_of_span,
    place_in_sql,
    place_of,
)
from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors

_KINDS: dict[int, Kind] = {rank: kind for kind, rank in KIND_RANKS.items()}

_NEXT_LASTING = NamedStatement(f"""
    SELECT {PLACE_COLUMNS} FROM entries
     WHERE contact_id = :contact_id AND occurred_at >= :after_at::timestamptz
       AND ({PLACE_COLUMNS}) > {place_in_sql("after")}
     ORDER BY {PLACE_COLUMNS} LIMIT 1
""")  # noqa: S608 - constants
_LAST_LASTING = NamedStatement(f"""
    SELECT {PLACE_COLUMNS} FROM entries
     WHERE contact_id = :contact_id AND occurred_at <= :before_at::timestamptz
       AND ({PLACE_COLUMNS}) < {place_in_sql("before")}
     ORDER BY occurred_at DESC, rank DESC, entry_key DESC OFFSET :steps LIMIT 1
""")  # noqa: S608 - constants
# Whether an event counts follows from its kind, its cause and whether it came from a machine: the last of each sort
# decides.
_COUNTS = NamedStatement(f"""
    SELECT rank, machine, cause, beside ->> 'cause' AS beside, count(*), max(occurred_at) AS last_at
      FROM (
        SELECT rank, machine, cause, beside, occurred_at FROM calm_events WHERE {WITHIN_SPAN}
        UNION ALL
        SELECT rank, machine, cause, beside, occurred_at FROM kept_calm_events kept WHERE {WITHIN_SPAN}
           AND NOT EXISTS (
             SELECT FROM calm_events same
              WHERE same.contact_id = :contact_id AND same.occurred_at = kept.occurred_at
                AND same.entry_key = kept.entry_key
           )
      ) calm
     GROUP BY 1, 2, 3, 4
""")  # noqa: S608 - constants


class CalmCounts(Struct, frozen=True, kw_only=True):
    """The calm events in a part of the log that has no others."""

    counts: Counter[Kind]
    last_times: frozenset[datetime]  # of the last event of each sort


async def next_lasting_place(executor: Executor, contact_id: int, after: Place) -> Place | None:
    """The place of the next entry that is not calm, or None if there is none. Raises StoreUnavailable."""
    with store_errors("looking for a contact's next entry"):
        row = await executor.fetchrow(*_NEXT_LASTING(contact_id=contact_id, **parameters_of_place("after", after)))
    return None if row is None else place_of(row)


async def lasting_place_back(executor: Executor, contact_id: int, before: Place, *, steps: int) -> Place | None:
    """The place of an entry that is not calm, with `steps` such entries between it and `before`; or None.

    Raises StoreUnavailable.
    """
    arguments = _LAST_LASTING(contact_id=contact_id, steps=steps, **parameters_of_place("before", before))
    with store_errors("looking for an earlier entry of a contact"):
        row = await executor.fetchrow(*arguments)
    return None if row is None else place_of(row)


async def count_calm_events(executor: Executor, contact_id: int, span: Span) -> CalmCounts:
    """Counts calm events in a part of the log; a million take less than a second. Raises StoreUnavailable."""
    with store_errors("counting a contact's calm events"):
        rows = await executor.fetch(*_COUNTS(**parameters_of_span(contact_id, span)))
    counts: Counter[Kind] = Counter()
    for row in rows:
        counts[_KINDS[row["rank"]]] += row["count"]
    return CalmCounts(counts=counts, last_times=frozenset(row["last_at"] for row in rows))
