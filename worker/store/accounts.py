"""The accounts. They are added and changed, but never renamed or removed."""

from collections.abc import Collection, Sequence
from datetime import datetime

from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors
from worker.store.row import Row


class Account(Row, frozen=True):
    """An account. Its contacts are separate from those of all other accounts."""

    name: str
    since: datetime
    added_by: str  # a person, `configuration`, or the source whose event named it
    time_zone: str  # in which its days begin and end
    summary_recipients: Sequence[str]


_ADD = """
    INSERT INTO accounts (name, since, added_by) SELECT name, $2, $3 FROM unnest($1::text[]) AS n (name)
    ON CONFLICT DO NOTHING RETURNING name
"""
_EXISTING = "SELECT name FROM accounts WHERE name = ANY ($1::text[])"
_NAMES = "SELECT name FROM accounts ORDER BY name LIMIT $1"
_LIST = f"SELECT {Account.select_list()} FROM accounts WHERE $1::text IS NULL OR name = $1 ORDER BY name"  # noqa: S608 - the column list is made of the names above
_CHANGE = NamedStatement(f"""
    UPDATE accounts SET time_zone = coalesce(:time_zone, time_zone),
           summary_recipients = coalesce(:summary_recipients, summary_recipients)
     WHERE name = :name RETURNING {Account.select_list()}
""")  # noqa: S608 - as above
_TIME_ZONES = "SELECT name FROM pg_timezone_names WHERE name NOT LIKE 'posix/%' AND name <> 'posixrules'"


async def add_accounts(executor: Executor, names: Collection[str], *, since: datetime, added_by: str) -> list[str]:
    """All these accounts exist when this returns. Returns the new ones. Raises StoreUnavailable."""
    if not names:
        return []
    with store_errors("adding accounts"):
        # In one order, so that two processes that add the same accounts never wait for each other in a circle.
        records = await executor.fetch(_ADD, sorted(names), since, added_by)
    return sorted(record["name"] for record in records)


async def existing_accounts(executor: Executor, names: Collection[str]) -> set[str]:
    """Those of the names that are accounts. Raises StoreUnavailable."""
    possible = [name for name in names if "\x00" not in name]  # which Postgres does not allow in a text
    if not possible:
        return set()
    with store_errors("looking for an account"):
        records = await executor.fetch(_EXISTING, possible)
    return {record["name"] for record in records}


async def account_names(executor: Executor, *, limit: int) -> list[str]:
    """The first `limit` names, in order. Raises StoreUnavailable."""
    with store_errors("reading the names of accounts"):
        records = await executor.fetch(_NAMES, limit)
    return [record["name"] for record in records]


async def list_accounts(executor: Executor) -> list[Account]:
    """All accounts, by name. Raises StoreUnavailable."""
    with store_errors("reading accounts"):
        return Account.rows(await executor.fetch(_LIST, None))


async def read_account(executor: Executor, name: str) -> Account | None:
    """The account of this name, or None. Raises StoreUnavailable."""
    with store_errors("reading accounts"):
        rows = Account.rows(await executor.fetch(_LIST, name))
    return rows[0] if rows else None


async def change_account(
    executor: Executor,
    name: str,
    *,
    time_zone: str | None = None,
    summary_recipients: Sequence[str] | None = None,
) -> Account | None:
    """The account after the change, or None if there is no such account. A setting that is None stays as it is.

    Raises StoreUnavailable.
    """
    with store_errors("changing an account"):
        arguments = _CHANGE(name=name, time_zone=time_zone, summary_recipients=summary_recipients)
        rows = Account.rows(await executor.fetch(*arguments))
    return rows[0] if rows else None


async def time_zones(executor: Executor) -> list[str]:
    """The names of the time zones that Postgres knows, in no order. Raises StoreUnavailable."""
    with store_errors("reading the names of time zones"):
        records = await executor.fetch(_TIME_ZONES)
    return [record["name"] for record in records]
