"""The checkpoints of contacts with long logs. Callers that write or delete one have locked the contact's row."""

from collections.abc import Sequence
from datetime import datetime

from worker.store.known_keys import KeyInMonth
from worker.store.log_span import PLACE_COLUMNS, Place, parameters_of_place, place_in_sql
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row


class StoredCheckpoint(Row, frozen=True):
    """The facts at a place of a contact's log."""

    contact_id: int
    occurred_at: datetime
    rank: int
    entry_key: bytes
    policy: int  # a hash of the policy
    shape: int
    facts: bytes | None  # worker.policy.facts_encoding; None: no facts there yet


_COLUMNS = StoredCheckpoint.select_list()
_BEFORE = NamedStatement(f"""
    SELECT {_COLUMNS} FROM checkpoints
     WHERE contact_id = :contact_id AND ({PLACE_COLUMNS}) < {place_in_sql("before")}
       AND policy = :policy AND shape = :shape
     ORDER BY occurred_at DESC, rank DESC, entry_key DESC LIMIT 1
""")  # noqa: S608 - constants
_FROM = NamedStatement(f"""
    SELECT {_COLUMNS} FROM checkpoints
     WHERE contact_id = :contact_id AND ({PLACE_COLUMNS}) >= {place_in_sql("first")}
       AND ({PLACE_COLUMNS}) < {place_in_sql("until")} AND policy = :policy AND shape = :shape
     ORDER BY {PLACE_COLUMNS} LIMIT :limit
""")  # noqa: S608 - as above
_WRITE = f"""
    INSERT INTO checkpoints ({_COLUMNS}) SELECT {_COLUMNS} FROM {StoredCheckpoint.unnest("c")}
    ON CONFLICT (contact_id, {PLACE_COLUMNS})
    DO UPDATE SET policy = excluded.policy, shape = excluded.shape, facts = excluded.facts
"""  # noqa: S608 - as above
_DELETE_OTHERS = NamedStatement(
    "DELETE FROM checkpoints WHERE contact_id = :contact_id AND (policy, shape) <> (:policy, :shape::smallint)"
)
_DELETE_SINCE = f"""
    DELETE FROM checkpoints c USING {KeyInMonth.unnest("late")}
     WHERE c.contact_id = late.contact_id AND c.occurred_at >= late.occurred_at
"""  # noqa: S608 - as above
_DELETE_BETWEEN = NamedStatement(f"""
    DELETE FROM checkpoints
     WHERE contact_id = :contact_id AND ({PLACE_COLUMNS}) >= {place_in_sql("first")}
       AND ({PLACE_COLUMNS}) <= {place_in_sql("last")}
""")  # noqa: S608 - as above
# Counting stops as soon as there are enough entries.
_HAVE = """
    SELECT (SELECT count(*) FROM (SELECT FROM calm_events WHERE contact_id = ANY ($1::bigint[]) LIMIT $2) AS first) = $2
        OR (SELECT count(*) FROM (SELECT FROM entries WHERE contact_id = ANY ($1::bigint[]) LIMIT $2) AS first) = $2
"""
_LONG = """
    SELECT id FROM unnest($1::bigint[]) AS contact (id)
     WHERE EXISTS (SELECT FROM checkpoints WHERE contact_id = contact.id)
        OR (SELECT count(*) FROM (SELECT FROM calm_events WHERE contact_id = contact.id LIMIT $2) AS first) = $2
        OR (SELECT count(*) FROM (SELECT FROM entries WHERE contact_id = contact.id LIMIT $2) AS first) = $2
"""


async def have_entries(connection: Connection, contact_ids: Sequence[int], *, at_least: int) -> bool:
    """True if the contacts together have at least this many entries of one sort. Counts no further."""
    have: bool = await connection.fetchval(_HAVE, list(contact_ids), at_least)
    return have


async def long_logs(connection: Connection, contact_ids: Sequence[int], *, most: int) -> set[int]:
    """The contacts that have checkpoints, or at least `most` entries of one sort."""
    return {contact_id for (contact_id,) in await connection.fetch(_LONG, list(contact_ids), most)}


async def checkpoint_before(
    executor: Executor, contact_id: int, place: Place, *, policy: int, shape: int
) -> list[StoredCheckpoint]:
    """The last checkpoint before the place, as a list of at most one. Raises StoreUnavailable."""
    arguments = _BEFORE(contact_id=contact_id, policy=policy, shape=shape, **parameters_of_place("before", place))
    with store_errors("looking for a checkpoint"):
        records = await executor.fetch(*arguments)
    return StoredCheckpoint.rows(records)


async def checkpoints_from(
    connection: Connection,
    contact_id: int,
    place: Place,
    *,
    until: Place,
    policy: int,
    shape: int,
    limit: int | None,
) -> list[StoredCheckpoint]:
    """The first `limit` checkpoints (None: all) from the place on, and before `until`."""
    arguments = _FROM(
        contact_id=contact_id,
        policy=policy,
        shape=shape,
        limit=limit,
        **parameters_of_place("first", place),
        **parameters_of_place("until", until),
    )
    return StoredCheckpoint.rows(await connection.fetch(*arguments))


async def write_checkpoints(connection: Connection, checkpoints: Sequence[StoredCheckpoint]) -> None:
    """Writes the checkpoints. Each replaces one at the same place."""
    if checkpoints:
        await connection.execute(_WRITE, *StoredCheckpoint.arrays(checkpoints))


async def delete_other_checkpoints(connection: Connection, contact_id: int, *, policy: int, shape: int) -> None:
    """Deletes checkpoints of other policies or other shapes of the facts, which do not contain late entries."""
    await connection.execute(*_DELETE_OTHERS(contact_id=contact_id, policy=policy, shape=shape))


async def delete_checkpoints_since(connection: Connection, late: Sequence[KeyInMonth]) -> None:
    """Deletes checkpoints that are not before a late entry of their contact."""
    if late:
        await connection.execute(_DELETE_SINCE, *KeyInMonth.arrays(late))


async def delete_checkpoints_between(connection: Connection, contact_id: int, *, first: Place, last: Place) -> None:
    """Deletes checkpoints from the first place to the last one, both included."""
    arguments = _DELETE_BETWEEN(
        contact_id=contact_id, **parameters_of_place("first", first), **parameters_of_place("last", last)
    )
    await connection.execute(*arguments)


async def delete_checkpoints(connection: Connection, contact_ids: Sequence[int]) -> None:
    """Deletes all checkpoints of these contacts."""
    await connection.execute("DELETE FROM checkpoints WHERE contact_id = ANY ($1::bigint[])", list(contact_ids))


async def forget_old_checkpoints(connection: Connection, horizon: datetime) -> None:
    """Deletes checkpoints before the horizon, where few entries are left."""
    await connection.execute("DELETE FROM checkpoints WHERE occurred_at < $1", horizon)
