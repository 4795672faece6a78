"""Safelist requests, which ask to free contacts or to block them, and their decisions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from worker.store.contact_rows import ContactKey
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors
from worker.store.row import Row


class NewRequest(Row, frozen=True):
    """The columns of a new request (schemas/database/0019)."""

    account: str
    channel: str
    address: str
    kind: str
    state: str
    status: str
    cause: str
    about: Sequence[str]
    last_answer: str | None
    note: str
    wish: Mapping[str, Any] | None
    requested_at: datetime
    requested_by: str
    request_act_id: int
    rule: str
    decided_at: datetime | None
    decided_by: str | None
    decline_reason: str | None
    decision_note: str | None
    act_id: int | None


class StoredRequest(NewRequest, frozen=True):
    """A request with its id."""

    id: int

    @property
    def key(self) -> ContactKey:
        """The contact that the request is about."""
        return ContactKey(address=self.address, account=self.account, channel=self.channel)


_MOST_OF_CONTACT = 2_000
_NEW = NewRequest.columns()
_INSERT = f"""
    INSERT INTO safelist_requests ({", ".join(_NEW)})
    VALUES ({", ".join(f"${place}" for place in range(1, len(_NEW) + 1))})
    RETURNING {StoredRequest.select_list()}
"""  # noqa: S608 - made of the names above
_SELECT = f"SELECT {StoredRequest.select_list()} FROM safelist_requests"  # noqa: S608 - as above
_DECIDE = NamedStatement(f"""
    UPDATE safelist_requests
       SET state = :state, decided_at = :at, decided_by = :by, decline_reason = :reason, decision_note = :note,
           act_id = :act_id
     WHERE id = :id
    RETURNING {StoredRequest.select_list()}
""")  # noqa: S608 - as above
_OF_CONTACT = NamedStatement(f"""
    {_SELECT} WHERE address = :address AND account = :account AND channel = :channel
     ORDER BY id DESC LIMIT {_MOST_OF_CONTACT}
""")
_LIST = NamedStatement(f"""
    {_SELECT}
     WHERE id > :after AND (:account::text IS NULL OR account = :account) AND (:state::text IS NULL OR state = :state)
     ORDER BY id LIMIT :limit
""")


async def take_turn(connection: Connection, key: ContactKey) -> None:
    """Makes others wait to request or decide anything about this contact, known or not, until this transaction ends.

    Call it before the contact's row is locked.
    """
    name = f"safelist request\n{key.account}\n{key.channel}\n{key.address}"
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)


async def insert_request(connection: Connection, request: NewRequest) -> StoredRequest:
    """Stores the request, and returns it. No other request for its contact is open."""
    records = await connection.fetch(_INSERT, *(getattr(request, column) for column in _NEW))
    return StoredRequest.rows(records)[0]


async def decide_stored_request(
    connection: Connection,
    request_id: int,
    *,
    state: str,
    at: datetime,
    by: str,
    reason: str | None,
    note: str | None,
    act_id: int | None,
) -> StoredRequest:
    """Stores the decision; returns the request after it."""
    arguments = _DECIDE(id=request_id, state=state, at=at, by=by, reason=reason, note=note, act_id=act_id)
    return StoredRequest.rows(await connection.fetch(*arguments))[0]


async def request_by_id(executor: Executor, request_id: int) -> StoredRequest | None:
    """The request, or None. Raises StoreUnavailable."""
    with store_errors("reading a safelist request"):
        rows = StoredRequest.rows(await executor.fetch(f"{_SELECT} WHERE id = $1", request_id))
    return rows[0] if rows else None


async def request_of_act(connection: Connection, act_id: int, address: str) -> StoredRequest | None:
    """The request of this act about an address of its account and channel, or None."""
    where = "WHERE request_act_id = $1 AND address = $2"
    rows = StoredRequest.rows(await connection.fetch(f"{_SELECT} {where}", act_id, address))
    return rows[0] if rows else None


async def requests_of_contact(executor: Executor, key: ContactKey) -> list[StoredRequest]:
    """The last requests for one contact, latest first; more than any limit on attempts. Raises StoreUnavailable."""
    arguments = _OF_CONTACT(address=key.address, account=key.account, channel=key.channel)
    with store_errors("reading a contact's safelist requests"):
        return StoredRequest.rows(await executor.fetch(*arguments))


async def count_pending_requests(executor: Executor) -> dict[str, int]:
    """How many requests wait for a person, by kind. Raises StoreUnavailable."""
    with store_errors("counting safelist requests"):
        records = await executor.fetch(
            "SELECT kind, count(*) FROM safelist_requests WHERE state = 'requested' GROUP BY kind"
        )
    return {record["kind"]: record["count"] for record in records}


async def list_requests(
    executor: Executor, *, account: str | None, state: str | None, after: int, limit: int
) -> list[StoredRequest]:
    """The requests after this id, oldest first; None means all accounts, or any state. Raises StoreUnavailable."""
    arguments = _LIST(account=account, state=state, after=after, limit=limit)
    with store_errors("reading safelist requests"):
        return StoredRequest.rows(await executor.fetch(*arguments))
