"""Looks contacts up: many addresses at once, or one with its history."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg

from schemas.outgoing import HistoryLine
from worker.store.contact_rows import ContactKey, ContactRow
from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors
from worker.store.row import Row
from worker.store.status_feed import CHANGE_COLUMNS, history_line


class KnownStanding(Row, frozen=True):
    """A contact's standing when it was last written.

    After `next_change_at`, time alone has changed the standing, and it must be derived from the facts. The row has only
    the columns that an answer needs: for ten thousand rows each column costs milliseconds.
    """

    address: str
    status: str
    blocks: str
    status_since: datetime | None
    status_until: datetime | None
    cause: str
    rule: str | None
    lift_by: Sequence[str] | None
    next_change_at: datetime | None
    never_mailed: bool


_EXPRESSIONS = {"never_mailed": "first_mailed_at IS NULL AS never_mailed"}
_STANDING = ", ".join(_EXPRESSIONS.get(column, column) for column in KnownStanding.columns())
_AMONG = "address = ANY (:addresses::text[]) AND account = :account AND channel = :channel"
_LOOK_UP = NamedStatement(f"SELECT {_STANDING} FROM contacts WHERE {_AMONG}")  # noqa: S608 - the column list is made of the names above

_WORTH_HALVING = 2000
_SAMPLE = 101

_WHOLE_AMONG = f"SELECT {ContactRow.select_list()} FROM contacts WHERE {_AMONG}"  # noqa: S608 - as above
_WHOLE = NamedStatement(_WHOLE_AMONG)

# The detail is JSON. A text with such a word finds a contact too many, for which its facts give the right answer.
_WITH_OPTOUTS = NamedStatement(f"""
    {_WHOLE_AMONG}
       AND (position('"optouts"'::bytea IN facts_detail) > 0 OR position('"taken_off"'::bytea IN facts_detail) > 0)
""")

_ELSEWHERE = NamedStatement(f"""
    SELECT {ContactKey.select_list()} FROM contacts
     WHERE address = ANY (:addresses::text[]) AND account <> :account AND channel = :channel
     ORDER BY address, account LIMIT :limit
""")  # noqa: S608 - as above

_HISTORY = f"""
    SELECT {CHANGE_COLUMNS} FROM status_changes s JOIN contacts c ON c.id = s.contact_id
     WHERE s.contact_id = $1
     ORDER BY s.id DESC LIMIT $2
"""  # noqa: S608 - as above


async def look_up(executor: Executor, addresses: Sequence[str], *, account: str, channel: str) -> list[KnownStanding]:
    """The standings of the known addresses among these, in no order.

    Addresses are normalised. Raises StoreUnavailable.
    """
    with store_errors("looking up addresses"):
        if len(addresses) < _WORTH_HALVING or not isinstance(executor, asyncpg.Pool):
            arguments = _LOOK_UP(addresses=addresses, account=account, channel=channel)
            return KnownStanding.rows(await executor.fetch(*arguments))
        # Two halves of the index at once: Postgres reads one while asyncpg makes records of the other.
        middle = sorted(addresses[:_SAMPLE])[_SAMPLE // 2]
        first = [address for address in addresses if address < middle]
        second = [address for address in addresses if address >= middle]
        halves = await asyncio.gather(
            executor.fetch(*_LOOK_UP(addresses=first, account=account, channel=channel)),
            executor.fetch(*_LOOK_UP(addresses=second, account=account, channel=channel)),
        )
        return [row for half in halves for row in KnownStanding.rows(half)]


async def find_contacts(
    executor: Executor, addresses: Sequence[str], *, account: str, channel: str
) -> list[ContactRow]:
    """The whole rows of the known addresses among these, in no order. Raises StoreUnavailable."""
    with store_errors("reading contacts"):
        records = await executor.fetch(*_WHOLE(addresses=addresses, account=account, channel=channel))
    return ContactRow.rows(records)


async def find_opted_out(
    executor: Executor, addresses: Sequence[str], *, account: str, channel: str
) -> list[ContactRow]:
    """The whole rows of the addresses with any opt-out, in no order. Raises StoreUnavailable."""
    with store_errors("reading contacts"):
        records = await executor.fetch(*_WITH_OPTOUTS(addresses=addresses, account=account, channel=channel))
    return ContactRow.rows(records)


async def find_contact(executor: Executor, address: str, *, account: str, channel: str) -> ContactRow | None:
    """The whole row of one contact, or None if it is unknown. Raises StoreUnavailable."""
    rows = await find_contacts(executor, [address], account=account, channel=channel)
    return rows[0] if rows else None


async def find_elsewhere(
    executor: Executor, addresses: Sequence[str], *, account: str, channel: str, limit: int
) -> list[ContactKey]:
    """The first `limit` contacts with these addresses in other accounts, by address and account.

    Raises StoreUnavailable.
    """
    arguments = _ELSEWHERE(addresses=addresses, account=account, channel=channel, limit=limit)
    with store_errors("looking into other accounts"):
        return ContactKey.rows(await executor.fetch(*arguments))


async def status_history(executor: Executor, contact_id: int, *, limit: int) -> list[HistoryLine]:
    """The last `limit` status changes of one contact, latest first. Raises StoreUnavailable."""
    with store_errors("reading a contact's history"):
        records = await executor.fetch(_HISTORY, contact_id, limit)
    return [history_line(record) for record in records]
