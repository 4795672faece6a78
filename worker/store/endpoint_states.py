"""Endpoints as followers of the feed: how they fare, and what a person decides about them."""

from datetime import datetime

import asyncpg
from msgspec import Struct

from worker.store.feed_followers import Follower
from worker.store.pool import Executor, store_errors

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
_DISABLED = """
    SELECT name, disabled_at IS NOT NULL AS disabled FROM feed_followers WHERE starts_with(name, $1) ORDER BY name
"""
_TOLD = """
    UPDATE feed_followers
       SET fresh_position = $4, bulk_position = $5, failing_since = NULL, attempts = 0, next_attempt_at = NULL,
           failure = NULL
     WHERE name = $1 AND fresh_position = $2 AND bulk_position = $3 AND disabled_at IS NULL
"""
_FAILED = """
    UPDATE feed_followers
       SET failing_since = coalesce(failing_since, $2), attempts = attempts + 1, next_attempt_at = $3, failure = $4,
           disabled_at = CASE WHEN $5 THEN $2 END
     WHERE name = $1 AND disabled_at IS NULL
"""
# Waits for whoever gives positions: what is fresh and what is bulk was decided without this follower until then.
_ENABLE = """
    WITH feed AS (SELECT last_position FROM status_feed FOR SHARE)
    UPDATE feed_followers f
       SET disabled_at = NULL, failing_since = NULL, attempts = 0, next_attempt_at = NULL, failure = NULL,
           fresh_position = coalesce($2::bigint, CASE WHEN $3::boolean THEN feed.last_position END,
                                     least(f.fresh_position, f.bulk_position)),
           bulk_position = coalesce($2::bigint, CASE WHEN $3::boolean THEN feed.last_position END,
                                    least(f.fresh_position, f.bulk_position)),
           one_order_until = feed.last_position
      FROM feed WHERE f.name = $1
"""


class EndpointState(Struct, frozen=True, kw_only=True):
    """How an endpoint fares."""

    place: Follower
    failing_since: datetime | None
    attempts: int
    next_attempt_at: datetime | None
    failure: str | None
    disabled_at: datetime | None
    waiting: int  # changes that it has not been told of; 0 where they were not counted


def follower_name(endpoint: str) -> str:
    """The follower of the feed that an endpoint is."""
    return f"{_PREFIX}{endpoint}"


async def endpoint_state(executor: Executor, endpoint: str, *, counted: bool = False) -> EndpointState | None:
    """How the endpoint fares; None when no processor has met it yet. Raises StoreUnavailable.

    What waits for it is counted only when asked for: that takes a while where much waits.
    """
    with store_errors("reading an endpoint's place in the feed"):
        record = await executor.fetchrow(_STATE if counted else _READ, follower_name(endpoint))
    return None if record is None else _state(record)


async def disabled_endpoints(executor: Executor) -> dict[str, bool]:
    """Of each endpoint that a processor has met, whether it gets nothing until a person enables it.

    Raises StoreUnavailable.
    """
    with store_errors("reading which endpoints are disabled"):
        records = await executor.fetch(_DISABLED, _PREFIX)
    return {record["name"].removeprefix(_PREFIX): record["disabled"] for record in records}


async def note_told(executor: Executor, before: Follower, after: Follower) -> bool:
    """Keeps the place that an endpoint has reached, and that it answers.

    False when somebody else has moved it meanwhile, or disabled it. Raises StoreUnavailable.
    """
    with store_errors("moving an endpoint's place in the feed"):
        done = await executor.execute(
            *(_TOLD, before.name),
            *(before.fresh_position, before.bulk_position, after.fresh_position, after.bulk_position),
        )
    return done == "UPDATE 1"


async def note_failure(
    executor: Executor, name: str, *, now: datetime, next_attempt_at: datetime, failure: str, disable: bool
) -> None:
    """Keeps that an attempt has failed and when the next one is due; with `disable` there is none.

    Raises StoreUnavailable.
    """
    with store_errors("noting that an endpoint has failed"):
        await executor.execute(_FAILED, name, now, next_attempt_at, failure, disable)


async def enable_endpoint(
    executor: Executor, endpoint: str, *, after_position: int | None = None, from_now: bool = False
) -> bool:
    """The endpoint is sent to again, from where it stopped, after a position, or from now on.

    False when no processor has met it yet. Raises StoreUnavailable.
    """
    with store_errors("enabling an endpoint"):
        done = await executor.execute(_ENABLE, follower_name(endpoint), after_position, from_now)
    return done == "UPDATE 1"


async def forget_endpoint(executor: Executor, endpoint: str) -> bool:
    """The endpoint's place in the feed is gone; False when there was none. Raises StoreUnavailable."""
    with store_errors("forgetting an endpoint"):
        done = await executor.execute("DELETE FROM feed_followers WHERE name = $1", follower_name(endpoint))
    return done == "DELETE 1"


def _state(record: asyncpg.Record) -> EndpointState:
    place = ("name", "fresh_position", "bulk_position", "one_order_until")
    fields = ("failing_since", "attempts", "next_attempt_at", "failure", "disabled_at", "waiting")
    return EndpointState(
        place=Follower(**{field: record[field] for field in place}),
        **{field: record[field] for field in fields},
    )
