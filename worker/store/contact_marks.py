"""Finds contacts that were folded under another policy than the active one, some ids at a time."""

from worker.store.contact_rows import ContactRow
from worker.store.pool import Connection, Executor, store_errors

# Contacts without an entry whose order matters are the same under any policy, whatever their policy id is.
_ORDERED = f"""
    SELECT {ContactRow.select_list()} FROM contacts
     WHERE id BETWEEN $1 AND $2 AND latest_ordered_at IS NOT NULL AND ($3::text IS NULL OR account = $3)
"""  # noqa: S608 - the column list is made of the names in this room
_WITH_ORDERED = f"{_ORDERED} ORDER BY id LIMIT $4"
_LOCK_OVERTAKEN = f"""
    {_ORDERED} AND policy_id < $5
       AND NOT EXISTS (SELECT FROM refolds WHERE contact_id = contacts.id AND refolds.policy_id = $5)
     ORDER BY id LIMIT $4 FOR NO KEY UPDATE
"""


async def any_contact(connection: Connection) -> bool:
    """True if there is at least one contact."""
    some: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM contacts)")
    return some


async def contact_id_range(executor: Executor) -> tuple[int, int] | None:
    """The lowest and the highest id; None if there is no contact. Raises StoreUnavailable."""
    with store_errors("looking for the last contact"):
        record = await executor.fetchrow("SELECT min(id) AS lowest, max(id) AS highest FROM contacts")
    if record is None or record["lowest"] is None:
        return None
    return record["lowest"], record["highest"]


async def contacts_with_ordered_entries(
    connection: Connection, first: int, last: int, *, account: str | None, limit: int
) -> list[ContactRow]:
    """The first `limit` contacts with ids from `first` to `last` for which the policy matters, in the order of ids."""
    return ContactRow.rows(await connection.fetch(_WITH_ORDERED, first, last, account, limit))


async def lock_overtaken_contacts(
    connection: Connection, first: int, last: int, *, policy_id: int, account: str | None, limit: int
) -> list[ContactRow]:
    """The contacts among them that were folded under an earlier policy than this one, locked in the order of their ids.

    Leaves out contacts that the background folds under this policy already.
    """
    return ContactRow.rows(await connection.fetch(_LOCK_OVERTAKEN, first, last, account, limit, policy_id))
