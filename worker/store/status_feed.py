"""Status changes as a feed that a reader can follow without missing one.

A change gets its position after its commit, from one session at a time: a reader who sees a position sees all earlier
ones, and a change that is committed late comes late. Positions belong to this database. They survive a dump, a replica
and an upgrade of Postgres.

A cursor is a position and the beginning of that change's message id. In a database that is older than the cursor
(restored from an earlier dump, or a replica that is behind) this change is missing, or another one: such a cursor is
refused, and the reader begins again. So code that deletes status changes must keep their positions and message ids.
"""

import re
from typing import Any
from uuid import UUID

import asyncpg

from schemas.outgoing import HistoryLine, StatusChanged
from schemas.vocabulary import forbidden_classes
from worker.errors import CursorGone, RequestRefused
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, store_errors

BEGINNING = "0-0"

_CHECK_DIGITS = 8
_CURSOR = re.compile(rf"([0-9]{{1,19}})-([0-9a-f]{{{_CHECK_DIGITS}}})")
_EARLIER_CURSOR = re.compile(r"[0-9]{1,20}-[0-9]{1,19}")
_HIGHEST_POSITION = 2**63 - 1
_NUMBERED_AT_ONCE = 5000

_GLANCE = """
    SELECT (SELECT message_id FROM status_changes WHERE position = :position{of_account}) AS message_id,
           EXISTS (SELECT FROM status_changes WHERE position IS NULL)
               AND current_setting('transaction_read_only') = 'off' AS some_wait
"""
_GLANCE_AT_ALL = NamedStatement(_GLANCE.format(of_account=""))
_GLANCE_OF_ACCOUNT = NamedStatement(_GLANCE.format(of_account=" AND account = :account"))
# Where each field of a HistoryLine comes from: of a status change `s`, or of its contact `c`.
_FROM_CONTACT = {"account", "channel", "address"}
_FOLLOWING = {"old_forbids": "old_blocks", "new_forbids": "new_blocks"}  # from other fields
_LINE_COLUMNS = {
    **{
        field: f"{'c' if field in _FROM_CONTACT else 's'}.{field}"
        for field in HistoryLine.__struct_fields__
        if field not in _FOLLOWING
    },
    "event_key": "encode(s.event_key, 'hex') AS event_key",
}
CHANGE_COLUMNS = ", ".join(["s.position", *_LINE_COLUMNS.values()])

_AFTER = NamedStatement(f"""
    SELECT {CHANGE_COLUMNS}
      FROM status_changes s JOIN contacts c ON c.id = s.contact_id
     WHERE s.position > :position
     ORDER BY s.position
     LIMIT :limit
""")  # noqa: S608 - the column list is a constant


# Compared and ordered so that only the index of accounts serves: with `s.account = :account` the planner may prefer to
# read the positions of all accounts.
_AFTER_OF_ACCOUNT = NamedStatement(f"""
    SELECT {CHANGE_COLUMNS}
      FROM status_changes s JOIN contacts c ON c.id = s.contact_id
     WHERE s.position IS NOT NULL AND (s.account, s.position) > (:account::text, :position::bigint)
       AND s.account <= :account
     ORDER BY s.account, s.position
     LIMIT :limit
""")  # noqa: S608 - as above

_LATEST = f"""
    SELECT {CHANGE_COLUMNS} FROM (SELECT * FROM status_changes ORDER BY id DESC LIMIT $1) s
      JOIN contacts c ON c.id = s.contact_id ORDER BY s.id DESC
"""  # noqa: S608 - as above
# Ordered so that no index but that of accounts serves, as above.
_LATEST_OF_ACCOUNT = f"""
    SELECT {CHANGE_COLUMNS} FROM (
        (SELECT * FROM status_changes WHERE account BETWEEN $1 AND $1 AND position IS NOT NULL
          ORDER BY account DESC, position DESC LIMIT $2)
        UNION ALL
        (SELECT * FROM status_changes WHERE position IS NULL ORDER BY id DESC LIMIT 1000)
    ) s JOIN contacts c ON c.id = s.contact_id AND c.account = $1
     ORDER BY s.id DESC LIMIT $2
"""  # noqa: S608 - as above


async def changes_after(
    executor: Executor, cursor: str, *, limit: int, account: str | None = None
) -> list[StatusChanged]:
    """Up to `limit` changes after the cursor, in the feed's order; [] if there are none yet.

    `cursor` is that of the last change read, or BEGINNING. With `account`, only changes of this account are returned,
    and cursors of other accounts' changes are unknown. Raises RequestRefused if it is not a cursor of this feed,
    CursorGone if this database does not have its change, and StoreUnavailable.
    """
    with store_errors("reading the feed of status changes"):
        position, some_wait = await _place_of(executor, cursor, account)
        if some_wait:
            await number_changes(executor)
        if account is None:
            records = await executor.fetch(*_AFTER(position=position, limit=limit))
        else:
            records = await executor.fetch(*_AFTER_OF_ACCOUNT(position=position, limit=limit, account=account))
    return [status_changed(record) for record in records]


async def latest_changes(connection: Connection, account: str | None, *, limit: int) -> list[HistoryLine]:
    """The latest changes of an account, or of all, the last first, whether they have their place in the feed or not.

    Of an account: among the latest thousand that have no place yet, and all others.
    """
    if account is None:
        records = await connection.fetch(_LATEST, limit)
    else:
        records = await connection.fetch(_LATEST_OF_ACCOUNT, account, limit)
    return [history_line(record) for record in records]


async def require_cursor(executor: Executor, cursor: str) -> int:
    """The position of the cursor. Raises the errors of changes_after."""
    with store_errors("reading the feed of status changes"):
        position, _ = await _place_of(executor, cursor, None)
    return position


async def number_changes(executor: Executor) -> int:
    """Gives up to a few thousand committed changes their positions; returns how many, 0 while another session does it.

    Raises StoreUnavailable.
    """
    with store_errors("giving status changes their place in the feed"):
        numbered: int = await executor.fetchval("SELECT number_status_changes($1)", _NUMBERED_AT_ONCE)
    return numbered


def parse_cursor(cursor: str) -> tuple[int, str]:
    """A cursor's position and check, (0, "") for BEGINNING.

    Raises RequestRefused if it is not a cursor of this feed, and CursorGone if it is one of an earlier version.
    """
    if cursor == BEGINNING:
        return 0, ""
    parts = _CURSOR.fullmatch(cursor)
    if parts is None:
        if _EARLIER_CURSOR.fullmatch(cursor):
            raise CursorGone(cursor)
        raise _no_cursor(cursor, "is no cursor of this feed")
    position = int(parts[1])
    if position > _HIGHEST_POSITION:
        raise _no_cursor(cursor, "is beyond every cursor of this feed")
    return position, parts[2]


def status_changed(record: asyncpg.Record) -> StatusChanged:
    """The change of a record with CHANGE_COLUMNS that has its position in the feed."""
    return StatusChanged(cursor=cursor_of(record["position"], record["message_id"]), **_line(record))


def history_line(record: asyncpg.Record) -> HistoryLine:
    """The change of a record that may not have its position in the feed yet."""
    return HistoryLine(**_line(record))


def cursor_of(position: int, message_id: UUID) -> str:
    """The cursor of a reader after this change."""
    return f"{position}-{_check_of(message_id)}"


def _line(record: asyncpg.Record) -> dict[str, Any]:
    line = {field: record[field] for field in _LINE_COLUMNS}
    return line | {field: forbidden_classes(line[blocks]) for field, blocks in _FOLLOWING.items()}


async def _place_of(executor: Executor, cursor: str, account: str | None) -> tuple[int, bool]:
    """The cursor's position, and whether changes wait for their positions."""
    position, check = parse_cursor(cursor)
    if account is None:
        glance = await executor.fetchrow(*_GLANCE_AT_ALL(position=position))
    else:
        glance = await executor.fetchrow(*_GLANCE_OF_ACCOUNT(position=position, account=account))
    if glance is None:
        raise AssertionError("a SELECT without FROM gives one record")
    message_id: UUID | None = glance["message_id"]
    if check and (message_id is None or _check_of(message_id) != check):
        raise CursorGone(cursor)
    return position, glance["some_wait"]


def _check_of(message_id: UUID) -> str:
    return message_id.hex[:_CHECK_DIGITS]


def _no_cursor(cursor: str, what: str) -> RequestRefused:
    return RequestRefused(
        "bad-cursor",
        f"{cursor!r} {what}.",
        remedy=f"Use `next` of an earlier answer, or leave `after` out (or {BEGINNING}) to begin anew.",
    )
