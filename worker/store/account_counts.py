"""Counts the contacts of an account by what was reported about them."""

from datetime import datetime

from msgspec import Struct

from schemas.vocabulary import Status
from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors


class AccountCounts(Struct, frozen=True, kw_only=True):
    """The contacts of one account with a report since a moment."""

    contacts: int
    complained: int  # since then
    blocklisted: int  # since then


_COUNT = NamedStatement(f"""
    SELECT count(*) FILTER (WHERE latest_at >= :since) AS contacts,
           count(*) FILTER (WHERE status = '{Status.COMPLAINED}' AND status_since >= :since) AS complained,
           count(*) FILTER (WHERE status = '{Status.BLOCKLISTED}' AND status_since >= :since) AS blocklisted
      FROM contacts WHERE account = :account
""")  # noqa: S608 - constants


async def count_contacts(executor: Executor, account: str, *, since: datetime) -> AccountCounts:
    """Reads all contacts of the account, which takes seconds for millions. Raises StoreUnavailable."""
    with store_errors("counting the contacts of an account"):
        (record,) = await executor.fetch(*_COUNT(account=account, since=since))
    return AccountCounts(**record)
