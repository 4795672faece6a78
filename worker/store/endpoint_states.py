"""Endpoints as followers of the feed: their state, and a person's decisions about them."""

from datetime import datetime

import asyncpg
from msgspec import Struct

from worker.store.feed_followers import AT_FORMER_PLACE, SET_PLACE, Follower, move_of
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors

_PREFIX = "endpoint "

_STATE = """
    SELECT f.*, (
        SELECT count(*) FROM status_changes s
         WHERE s.position > least(f.fresh_position, f.bulk_position)
           AND s.position > CASE WHEN s.bulk THEN f.bulk_position ELSE f.fresh_position END
    ) AS waiting
      FROM feed_followers f WHERE f.name = $1
"""
_READ = "SELECT f.*, 0 AS waiting FROM feed_followers f WHERE f.name = $1"
_TROUBLES = """
    SELECT name, failing_since, disabled_at FROM feed_followers
     WHERE starts_with(name, $1) AND (failing_since IS NOT NULL OR disabled_at IS NOT NULL) ORDER BY name
"""
_DISABLED = """
    SELECT name, disabled_at IS NOT NULL AS disabled FROM feed_followers WHERE starts_with(name, $1) ORDER BY name
"""
_DELIVERED = NamedStatement(f"""
    UPDATE feed_followers
       SET {SET_PLACE}, failing_since = NULL, attempts = 0, next_attempt_at = NULL, failure = NULL
     WHERE {AT_FORMER_PLACE} AND disabled_at IS NULL
""")  # noqa: S608 - constants
_FAILED = NamedStatement("""
    UPDATE feed_followers
       SET failing_since = coalesce(failing_since, :now), attempts = attempts + 1, next_attempt_at = :next_attempt_at,
           failure = :failure, disabled_at = CASE WHEN :disable THEN :now::timestamptz END
     WHERE name = :name AND disabled_at IS NULL
""")
# Waits for the session that gives positions: until then it has told fresh and bulk work apart without this follower.
_ENABLE = NamedStatement("""
    WITH feed AS (SELECT last_position FROM status_feed FOR SHARE)
    UPDATE feed_followers f
       SET disabled_at = NULL, failing_since = NULL, attempts = 0, next_attempt_at = NULL, failure = NULL,
           fresh_position = coalesce(:after::bigint, CASE WHEN :from_now::boolean THEN feed.last_position END,
                                     least(f.fresh_position, f.bulk_position)),
           bulk_position = coalesce(:after::bigint, CASE WHEN :from_now::boolean THEN feed.last_position END,
                                    least(f.fresh_position, f.bulk_position)),
           one_order_until = feed.last_position
      FROM feed WHERE f.name = :name
""")


class EndpointState(Struct, frozen=True, kw_only=True):
    """The state of an endpoint."""

    place: Follower
    failing_since: datetime | None
    attempts: int
    next_attempt_at: datetime | None
    failure: str | None
    disabled_at: datetime | None
    waiting: int  # changes that it has not received; 0 if they were not counted


class EndpointTrouble(Struct, frozen=True, kw_only=True):
    """An endpoint that takes nothing."""

    endpoint: str
    failing_since: datetime | None
    disabled_at: datetime | None  # None: it is tried again by itself


def follower_name(endpoint: str) -> str:
    """The name of an endpoint as a follower of the feed."""
    return f"{_PREFIX}{endpoint}"


async def endpoint_state(executor: Executor, endpoint: str, *, counted: bool = False) -> EndpointState | None:
    """The endpoint's state; None if no processor has met it yet. Raises StoreUnavailable.

    Waiting changes are only counted if `counted`: that takes a while if they are many.
    """
    with store_errors("reading an endpoint's place in the feed"):
        record = await executor.fetchrow(_STATE if counted else _READ, follower_name(endpoint))
    return None if record is None else _state(record)


async def endpoint_troubles(connection: Connection) -> list[EndpointTrouble]:
    """The endpoints that fail or are disabled, by name."""
    return [
        EndpointTrouble(
            endpoint=record["name"].removeprefix(_PREFIX),
            failing_since=record["failing_since"],
            disabled_at=record["disabled_at"],
        )
        for record in await connection.fetch(_TROUBLES, _PREFIX)
    ]


async def disabled_endpoints(executor: Executor) -> dict[str, bool]:
    """Of each endpoint that a processor has met, whether it gets nothing until a person enables it.

    Raises StoreUnavailable.
    """
    with store_errors("reading which endpoints are disabled"):
        records = await executor.fetch(_DISABLED, _PREFIX)
    return {record["name"].removeprefix(_PREFIX): record["disabled"] for record in records}


async def note_delivery(executor: Executor, *, before: Follower, after: Follower) -> bool:
    """Stores the place that an endpoint has reached, and that it works.

    False if somebody else has moved or disabled it meanwhile. Raises StoreUnavailable.
    """
    with store_errors("moving an endpoint's place in the feed"):
        tag = await executor.execute(*_DELIVERED(**move_of(before=before, after=after)))
    return tag == "UPDATE 1"


async def note_failure(
    executor: Executor, name: str, *, now: datetime, next_attempt_at: datetime, failure: str, disable: bool
) -> None:
    """Stores that an attempt failed and when the next one is due; with `disable` there is none.

    Raises StoreUnavailable.
    """
    with store_errors("noting that an endpoint has failed"):
        await executor.execute(
            *_FAILED(name=name, now=now, next_attempt_at=next_attempt_at, failure=failure, disable=disable)
        )


async def enable_endpoint(
    executor: Executor, endpoint: str, *, after_position: int | None = None, from_now: bool = False
) -> bool:
    """Sends to the endpoint again: from where it stopped, after a position, or from now on.

    False if no processor has met it yet. Raises StoreUnavailable.
    """
    arguments = _ENABLE(name=follower_name(endpoint), after=after_position, from_now=from_now)
    with store_errors("enabling an endpoint"):
        tag = await executor.execute(*arguments)
    return tag == "UPDATE 1"


async def forget_endpoint(executor: Executor, endpoint: str) -> bool:
    """Removes the endpoint's place in the feed; False if it has none. Raises StoreUnavailable."""
    with store_errors("forgetting an endpoint"):
        tag = await executor.execute("DELETE FROM feed_followers WHERE name = $1", follower_name(endpoint))
    return tag == "DELETE 1"


def _state(record: asyncpg.Record) -> EndpointState:
    place = ("name", "fresh_position", "bulk_position", "one_order_until")
    fields = ("failing_since", "attempts", "next_attempt_at", "failure", "disabled_at", "waiting")
    return EndpointState(
        place=Follower(**{field: record[field] for field in place}),
        **{field: record[field] for field in fields},
    )
