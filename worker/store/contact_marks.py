"""Finds contacts that were folded under another policy than the active one, some ids at a time."""

from worker.store.contact_rows import ContactRow
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors

# Contacts without an entry whose order matters are the same under any policy, whatever their policy id is.
_ORDERED = f"""
    SELECT {ContactRow.select_list()} FROM contacts
     WHERE id BETWEEN :first AND :last AND latest_ordered_at IS NOT NULL
       AND (:account::text IS NULL OR account = :account)
"""  # noqa: S608 - the column list is made of the names in this room
_WITH_ORDERED = NamedStatement(f"{_ORDERED} ORDER BY id LIMIT :limit")
_LOCK_OVERTAKEN = NamedStatement(f"""
    {_ORDERED} AND policy_id < :policy_id
       AND NOT EXISTS (SELECT FROM refolds WHERE contact_id = contacts.id AND refolds.policy_id = :policy_id)
     ORDER BY id LIMIT :limit FOR NO KEY UPDATE
""")


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
    connection: Connection, *, first: int, last: int, account: str | None, limit: int
) -> list[ContactRow]:
    """The first `limit` contacts with ids from `first` to `last` for which the policy matters, in the order of ids."""
    arguments = _WITH_ORDERED(first=first, last=last, account=account, limit=limit)
    return ContactRow.rows(await connection.fetch(*arguments))


async def lock_overtaken_contacts(
    connection: Connection, *, first: int, last: int, policy_id: int, account: str | None, limit: int
) -> list[ContactRow]:
    """The contacts among them that were folded under an earlier policy than this one, locked in the order of their ids.

    Leaves out contacts that the background folds under this policy already.
    """
    arguments = _LOCK_OVERTAKEN(first=first, last=last, account=account, limit=limit, policy_id=policy_id)
    return ContactRow.rows(await connection.fetch(*arguments))
