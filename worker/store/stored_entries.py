"""The log of contacts as it was stored, read back for folding anew and for explaining."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Cause, Channel, Kind
from worker.errors import SchemaOutOfDate
from worker.store.decision_rows import DECISION_KINDS, decision_of
from worker.store.dictionaries import decompress, raw_decompressors
from worker.store.pool import Executor, store_errors

_KINDS: dict[int, Kind] = {rank: kind for kind, rank in KIND_RANKS.items()}
_CAUSES: dict[str, Cause] = {cause.value: cause for cause in Cause}
_CHANNELS: dict[str, Channel] = {channel.value: channel for channel in Channel}

_NAMES = ("cause", "provider", "source", "vendor_event")
_FOLDED_COLUMNS = (
    *("contact_id", "occurred_at", "received_at", "rank", "smtp_code", "machine", "delivery_id", "entry_key"),
    *("message_id", "enhanced_status", "scope", "beside"),
)
_PAYLOAD_COLUMNS = ("diagnostic", "tags", "metadata", "raw", "dictionary_id")
_OF_DECISIONS = ("act_id", "detail")

# In months, and beside them those that outlived theirs; for a while, before their month is dropped, those are in both.
_TABLES = ("entries", "calm_events", "kept_calm_events")


def _entries_where(condition: str, columns: Sequence[str], end: str = "") -> str:
    """The rows of all tables that meet the condition, each with the columns of `entries`."""
    parts = [
        f"(SELECT {', '.join((*columns, *_NAMES, *_of_decisions(table)))} FROM {table} WHERE {condition} {end})"  # noqa: S608 - constants
        for table in _TABLES
    ]
    return " UNION ALL ".join(parts)


def _of_decisions(table: str) -> Sequence[str]:
    """What only decisions have, in any table."""
    return _OF_DECISIONS if table == "entries" else ("NULL::bigint AS act_id", "NULL::jsonb AS detail")


def _joined(rows: str, columns: Sequence[str]) -> str:
    words = ", ".join(f"coalesce(w_{name}.word, e.beside ->> '{name}') AS {name}" for name in _NAMES)
    joins = " ".join(f"LEFT JOIN words w_{name} ON w_{name}.id = e.{name}" for name in _NAMES)
    shown = ", ".join(f"e.{column}" for column in (*columns, *_OF_DECISIONS) if column != "beside")
    return f"SELECT {shown}, {words}, c.account, c.channel, c.address FROM ({rows}) e JOIN contacts c ON c.id = e.contact_id {joins}"  # noqa: S608, E501 - constants


_OF_CONTACTS = """
    contact_id = ANY ($1::bigint[]) AND occurred_at >= coalesce($2::timestamptz, '-infinity')
    AND occurred_at < coalesce($3::timestamptz, 'infinity')
"""
_IN_ORDER = "ORDER BY e.contact_id, e.occurred_at, e.rank, e.entry_key"
_WHOLE_COLUMNS = (*_FOLDED_COLUMNS, *_PAYLOAD_COLUMNS)
_TO_FOLD = f"{_joined(_entries_where(_OF_CONTACTS, _FOLDED_COLUMNS), _FOLDED_COLUMNS)} {_IN_ORDER}"
_WHOLE = f"{_joined(_entries_where(_OF_CONTACTS, _WHOLE_COLUMNS), _WHOLE_COLUMNS)} {_IN_ORDER}"

_LATEST_FIRST = "ORDER BY {0}occurred_at DESC, {0}rank DESC, {0}entry_key DESC"
_LATEST = (
    _joined(_entries_where("contact_id = $1", _WHOLE_COLUMNS, f"{_LATEST_FIRST.format('')} LIMIT $2"), _WHOLE_COLUMNS)
    + f" {_LATEST_FIRST.format('e.')}"
)
_COUNT = f"""
    SELECT {" + ".join(f"(SELECT count(*) FROM {table} e WHERE e.contact_id = c.id)" for table in _TABLES)}
      FROM contacts c WHERE c.account = $1 AND c.channel = $2 AND c.address = $3
"""  # noqa: S608 - constants


async def stored_entries_by_contact(
    executor: Executor,
    contact_ids: Sequence[int],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    whole: bool = False,
) -> dict[int, list[Entry]]:
    """Every stored entry of these contacts, each list in the order of (occurred_at, rank, event_key).

    Beyond the retention these are the entries that still have a say. A contact without entries is not in the answer.
    `since` leaves out what occurred before it, `until` what occurred then or later: Postgres passes over the other
    partitions. Unless `whole`, events come without what no fold looks at: diagnostic, tags, metadata and raw.
    Raises StoreUnavailable.
    """
    with store_errors("reading stored entries"):
        rows = await executor.fetch(_WHOLE if whole else _TO_FOLD, list(contact_ids), since, until)
    raw = await _raw_by_place(executor, rows) if whole else {}
    entries: dict[int, list[Entry]] = {}
    before = None
    for number, row in enumerate(rows):
        place = (row["contact_id"], row["entry_key"])
        if place != before:
            entries.setdefault(row["contact_id"], []).append(_entry(row, raw.get(number) if whole else None))
        before = place
    return entries


async def stored_entries(
    executor: Executor, contact_id: int, *, since: datetime | None = None, whole: bool = True
) -> list[Entry]:
    """Every stored entry of one contact, in the order of (occurred_at, rank, event_key). Raises StoreUnavailable."""
    by_contact = await stored_entries_by_contact(executor, [contact_id], since=since, whole=whole)
    return by_contact.get(contact_id, [])


async def count_stored_entries(executor: Executor, account: str, channel: str, address: str) -> int:
    """How many entries of one contact are stored; 0 of one that is not known. Raises StoreUnavailable."""
    with store_errors("counting a contact's entries"):
        return int(await executor.fetchval(_COUNT, account, channel, address) or 0)


async def latest_entries(executor: Executor, contact_id: int, *, limit: int) -> list[Entry]:
    """The last `limit` entries of one contact, latest first. Raises StoreUnavailable."""
    with store_errors("reading a contact's latest entries"):
        rows = await executor.fetch(_LATEST, contact_id, limit)
    latest = list({row["entry_key"]: row for row in rows}.values())[:limit]
    raw = await _raw_by_place(executor, latest)
    return [_entry(row, raw[number]) for number, row in enumerate(latest)]


async def _raw_by_place(executor: Executor, rows: Sequence[asyncpg.Record]) -> Mapping[int, bytes]:
    """What the vendors wrote, by the places of the rows; empty where it is not kept."""
    compressed = {row["dictionary_id"] for row in rows} - {None}
    decompressors = await raw_decompressors(executor, compressed) if compressed else {}
    return {
        place: row["raw"] or b""
        if row["dictionary_id"] is None
        else decompress(decompressors[row["dictionary_id"]], row["raw"])
        for place, row in enumerate(rows)
    }


def _entry(row: asyncpg.Record, raw: bytes | None) -> Entry:
    rank = row["rank"]
    try:
        cause, channel = _CAUSES[row["cause"]], _CHANNELS[row["channel"]]
        if rank in DECISION_KINDS:
            return decision_of(row, cause=cause, channel=channel)
        kind = _KINDS[rank]
    except KeyError as unknown:
        raise SchemaOutOfDate(
            f"an entry of contact {row['contact_id']} from {row['occurred_at']:%Y-%m-%d %H:%M:%S} holds {unknown},"
            " which this version does not know: a newer Bouncekeeper has written it. Bring this process to the same"
            " version"
        ) from unknown
    if raw is None:
        return _event(row, kind, cause, channel)
    tags: list[str] | None = row["tags"]
    return _event(
        row,
        kind,
        cause,
        channel,
        diagnostic=row["diagnostic"],
        tags=tuple(tags or ()),
        metadata=row["metadata"],
        raw=raw,
    )


def _event(row: asyncpg.Record, kind: Kind, cause: Cause, channel: Channel, **payload: Any) -> FeedbackEvent:
    delivery_id: UUID = row["delivery_id"]
    return FeedbackEvent(
        event_key=row["entry_key"],
        provider=row["provider"],
        source=row["source"],
        account=row["account"],
        address=row["address"],
        kind=kind,
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        delivery_id=delivery_id,
        cause=cause,
        channel=channel,
        vendor_event=row["vendor_event"],
        message_id=row["message_id"],
        smtp_code=row["smtp_code"],
        enhanced_status=row["enhanced_status"],
        scope=row["scope"],
        machine=row["machine"],
        **payload,
    )
