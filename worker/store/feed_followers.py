"""The followers of the feed of status changes, each with its place: the changes that it has received.

A follower reads two lanes: fresh changes, and bulk work, which fresh changes overtake. Each lane is in the feed's
order. The next changes of a contact with bulk work under way go into that lane as well (number_status_changes), so the
changes of one contact never overtake each other.
"""

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from schemas.outgoing import StatusChanged
from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors
from worker.store.status_feed import CHANGE_COLUMNS, status_changed

EXCHANGE = "exchange"

_ADD = """
    INSERT INTO feed_followers (name, fresh_position, bulk_position, one_order_until)
    SELECT $1, last_position, last_position, last_position FROM status_feed FOR SHARE
    ON CONFLICT DO NOTHING
"""
_READ = "SELECT name, fresh_position, bulk_position, one_order_until FROM feed_followers WHERE name = $1"
# The clauses of a statement that moves a follower; `move_of` gives its parameters.
SET_PLACE = "fresh_position = :fresh_after, bulk_position = :bulk_after"
AT_FORMER_PLACE = "name = :name AND fresh_position = :fresh_before AND bulk_position = :bulk_before"
_MOVE = NamedStatement(f"UPDATE feed_followers SET {SET_PLACE} WHERE {AT_FORMER_PLACE}")  # noqa: S608 - constants
_NEXT = f"""
    SELECT {CHANGE_COLUMNS} FROM status_changes s JOIN contacts c ON c.id = s.contact_id
     WHERE s.position > :after AND s.position <= :last{{of_lane}}
     ORDER BY s.position LIMIT :limit
"""  # noqa: S608 - the column list is a constant
_NEXT_OF_BOTH = NamedStatement(_NEXT.format(of_lane=""))
_NEXT_FRESH = NamedStatement(_NEXT.format(of_lane=" AND NOT s.bulk"))
_NEXT_BULK = NamedStatement(_NEXT.format(of_lane=" AND s.bulk"))

# At most this share of the changes sent at once is fresh, so that bulk work goes on as well.
_FRESH_SHARE = 0.9


class Follower(Struct, frozen=True, kw_only=True):
    """A follower, and its place."""

    name: str
    fresh_position: int
    bulk_position: int
    one_order_until: int  # up to here both lanes have one order


def move_of(*, before: Follower, after: Follower) -> dict[str, str | int]:
    """The parameters of a statement that moves the follower, unless somebody else has moved it meanwhile."""
    return {
        "name": before.name,
        "fresh_before": before.fresh_position,
        "bulk_before": before.bulk_position,
        "fresh_after": after.fresh_position,
        "bulk_after": after.bulk_position,
    }


class Step(Struct, frozen=True, kw_only=True):
    """One change, and the follower's place after it."""

    change: StatusChanged
    after: Follower


class Portion(Struct, frozen=True, kw_only=True):
    """The next changes for a follower, in the order of sending, and its place after them."""

    steps: list[Step]
    end: Follower

    @property
    def changes(self) -> list[StatusChanged]:
        """The changes alone."""
        return [step.change for step in self.steps]


async def ensure_follower(executor: Executor, name: str) -> None:
    """Adds the follower if it is missing; a new one receives changes from now on. Raises StoreUnavailable."""
    with store_errors("taking a place in the feed"):
        await executor.execute(_ADD, name)


async def read_follower(executor: Executor, name: str) -> Follower | None:
    """The stored follower; None if there is none of this name. Raises StoreUnavailable."""
    with store_errors("reading a follower's place in the feed"):
        record = await executor.fetchrow(_READ, name)
    return None if record is None else Follower(**record)


async def move_follower(executor: Executor, *, before: Follower, after: Follower) -> bool:
    """Stores the place that the follower has reached; False if somebody else has moved it meanwhile.

    Raises StoreUnavailable.
    """
    with store_errors("moving a follower's place in the feed"):
        tag = await executor.execute(*_MOVE(**move_of(before=before, after=after)))
    return tag == "UPDATE 1"


async def next_changes(executor: Executor, follower: Follower, *, limit: int) -> Portion:
    """Up to `limit` changes that the follower has not received.

    Without steps, the later place says that there is nothing up to there. Number the changes first: changes without
    a position are left out (worker.store.status_feed.number_changes). Raises StoreUnavailable.
    """
    with store_errors("reading the feed of status changes"):
        return await _next_changes(executor, follower, limit)


async def _next_changes(executor: Executor, follower: Follower, limit: int) -> Portion:
    if (first := min(follower.fresh_position, follower.bulk_position)) < follower.one_order_until:
        until = follower.one_order_until
        records = await executor.fetch(*_NEXT_OF_BOTH(after=first, last=until, limit=limit))
        reached = _reached(records, limit, until)
        steps = [_step(record, follower, fresh=True, bulk=True) for record in records]
        return Portion(steps=steps, end=replace(follower, fresh_position=reached, bulk_position=reached))
    last: int = await executor.fetchval("SELECT last_position FROM status_feed")
    most_fresh = max(1, int(limit * _FRESH_SHARE))
    fresh = await executor.fetch(*_NEXT_FRESH(after=follower.fresh_position, last=last, limit=most_fresh))
    end = replace(follower, fresh_position=_reached(fresh, most_fresh, last))
    steps = [_step(record, follower, fresh=True) for record in fresh]
    # Bulk work never overtakes a fresh change that waits, which could be of the same contact.
    most_bulk = limit - len(fresh)
    if most_bulk and end.bulk_position < end.fresh_position:
        arguments = _NEXT_BULK(after=end.bulk_position, last=end.fresh_position, limit=most_bulk)
        bulk = await executor.fetch(*arguments)
        if fresh:
            follower = replace(follower, fresh_position=fresh[-1]["position"])
        steps += [_step(record, follower, bulk=True) for record in bulk]
        end = replace(end, bulk_position=_reached(bulk, most_bulk, end.fresh_position))
    return Portion(steps=steps, end=end)


def _reached(records: list[asyncpg.Record], limit: int, last: int) -> int:
    """The place after these: that of the last one, or the end if there are no more."""
    position: int = records[-1]["position"] if len(records) == limit else last
    return position


def _step(record: asyncpg.Record, before: Follower, *, fresh: bool = False, bulk: bool = False) -> Step:
    position = record["position"]
    after = Follower(
        name=before.name,
        fresh_position=position if fresh else before.fresh_position,
        bulk_position=position if bulk else before.bulk_position,
        one_order_until=before.one_order_until,
    )
    return Step(change=status_changed(record), after=after)
