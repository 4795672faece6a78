"""Which accounts have contacts, read off an index alone: never a scan of the contacts."""

from worker.store.pool import Executor, store_errors

# Ordered and limited, so that Postgres walks the index even where one account holds nearly all contacts.
_NEXT = "SELECT account FROM contacts WHERE account >= $1 ORDER BY account LIMIT 1"

# Jumps from each account to the next one: as many steps as there are accounts.
_NAMES = """
    WITH RECURSIVE names AS (
        (SELECT account FROM contacts ORDER BY account LIMIT 1)
        UNION ALL
        SELECT (SELECT c.account FROM contacts c WHERE c.account > names.account ORDER BY c.account LIMIT 1)
          FROM names WHERE names.account IS NOT NULL
    )
    SELECT account FROM names WHERE account IS NOT NULL LIMIT $1
"""


async def account_has_contacts(executor: Executor, account: str) -> bool:
    """True if any contact is of this account. Raises StoreUnavailable."""
    with store_errors("looking for an account"):
        return bool(await executor.fetchval(_NEXT, account) == account)


async def accounts_with_contacts(executor: Executor, *, limit: int) -> list[str]:
    """The names of the first `limit` accounts that have contacts, in order. Raises StoreUnavailable."""
    with store_errors("reading the names of accounts"):
        records = await executor.fetch(_NAMES, limit)
    return [record["account"] for record in records]
