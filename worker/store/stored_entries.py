"""Reads the stored log of contacts, to fold it again and to explain it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from schemas.decision import ANNOTATIONS, DECISION_RANKS
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Cause, Channel, Kind, Way
from worker.errors import SchemaOutOfDate
from worker.store.decision_rows import DECISION_KINDS, decision_of
from worker.store.dictionaries import decompress, raw_decompressors
from worker.store.log_span import PLACE_COLUMNS, WITHIN_SPAN, Place, Span, parameters_of_span, place_of
from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors

_Columns = asyncpg.Record | dict[str, Any]
_KINDS: dict[int, Kind] = {rank: kind for kind, rank in KIND_RANKS.items()}
_COMPLAINT_RANK = KIND_RANKS[Kind.COMPLAINT]
_FIRST_ANNOTATING_RANK = min(DECISION_RANKS[kind] for kind in ANNOTATIONS)
_CAUSES: dict[str, Cause] = {cause.value: cause for cause in Cause}
_WAYS: dict[str, Way] = {way.value: way for way in Way}
_CHANNELS: dict[str, Channel] = {channel.value: channel for channel in Channel}

_AT_A_STRETCH = 200  # rows: a millisecond
_BROUGHT_BY = {"provider": "w_vendor_event.brought_by, "}
_DEFAULTS = {"cause": ", 'none'"}  # if there is neither a word nor a value beside the row
_NAMES = ("cause", "provider", "source", "vendor_event")
_FOLDED_COLUMNS = (
    *("contact_id", "occurred_at", "received_at", "rank", "smtp_code", "machine", "delivery_id", "entry_key"),
    *("message_id", "enhanced_status", "scope", "beside"),
)
_PAYLOAD_COLUMNS = ("diagnostic", "tags", "metadata", "raw", "dictionary_id")
_OF_DECISIONS = ("act_id", "detail")

# Events in months, and those that outlive their month, which are in both tables until the month is dropped.
_TABLES = ("entries", "calm_events", "kept_calm_events")


def _entries_where(condition: str, columns: Sequence[str], end: str = "") -> str:
    """The rows of all tables that meet the condition, with the columns of `entries`."""
    return " UNION ALL ".join(_rows_of(table, condition, columns, end) for table in _TABLES)


def _rows_of(table: str, condition: str, columns: Sequence[str], end: str = "") -> str:
    """The rows of one table that meet the condition, with the columns of `entries`."""
    selected = ", ".join((*columns, *_NAMES, *_of_decisions(table), *_of_complaints(table, columns)))
    return f"(SELECT {selected} FROM {table} WHERE {condition} {end})"  # noqa: S608 - constants


def _of_decisions(table: str) -> Sequence[str]:
    """The columns that only decisions have, for any table."""
    return _OF_DECISIONS if table == "entries" else ("NULL::bigint AS act_id", "NULL::jsonb AS detail")


def _of_complaints(table: str, columns: Sequence[str]) -> Sequence[str]:
    """The tags of complaints, by which the fold finds the stream, unless the tags of all entries are read."""
    if "tags" in columns:
        return ()
    return (
        f"CASE WHEN rank = {_COMPLAINT_RANK} THEN tags END AS tags" if table == "entries" else "NULL::jsonb AS tags",
    )


def _joined(rows: str, columns: Sequence[str]) -> str:
    words = ", ".join(
        f"coalesce({_BROUGHT_BY.get(name, '')}w_{name}.word, e.beside ->> '{name}'{_DEFAULTS.get(name, '')}) AS {name}"
        for name in _NAMES
    )
    joins = " ".join(f"LEFT JOIN words w_{name} ON w_{name}.id = e.{name}" for name in _NAMES)
    shown = ", ".join(f"e.{column}" for column in (*columns, *_OF_DECISIONS) if column not in {"beside", "tags"})
    return f"SELECT {shown}, {words}, e.tags, e.beside ->> 'way' AS way, c.account, c.channel, c.address FROM ({rows}) e JOIN contacts c ON c.id = e.contact_id {joins}"  # noqa: S608, E501 - constants


_OF_CONTACTS = """
    contact_id = ANY ($1::bigint[]) AND occurred_at >= coalesce($2::timestamptz, '-infinity')
    AND occurred_at < coalesce($3::timestamptz, 'infinity')
"""
_IN_ORDER = "ORDER BY e.contact_id, e.occurred_at, e.rank, e.entry_key"
_WHOLE_COLUMNS = (*_FOLDED_COLUMNS, *_PAYLOAD_COLUMNS)
# Many contacts at once: words and addresses are looked up once for all entries; joins would do it for each entry.
_TO_FOLD = f"SELECT * FROM ({_entries_where(_OF_CONTACTS, _FOLDED_COLUMNS)}) e {_IN_ORDER}"  # noqa: S608 - constants
_WORDS = "SELECT id, word, brought_by FROM words WHERE id = ANY ($1::integer[])"
_WHOSE = "SELECT id, account, channel, address FROM contacts WHERE id = ANY ($1::bigint[])"
_WHOLE = f"{_joined(_entries_where(_OF_CONTACTS, _WHOLE_COLUMNS), _WHOLE_COLUMNS)} {_IN_ORDER}"

_LATEST_FIRST = "ORDER BY {0}occurred_at DESC, {0}rank DESC, {0}entry_key DESC"
_LATEST = (
    _joined(_entries_where("contact_id = $1", _WHOLE_COLUMNS, f"{_LATEST_FIRST.format('')} LIMIT $2"), _WHOLE_COLUMNS)
    + f" {_LATEST_FIRST.format('e.')}"
)
_FIRST = f"ORDER BY {PLACE_COLUMNS} LIMIT :limit"
_FIRST_WITHIN = _joined(_entries_where(WITHIN_SPAN, _FOLDED_COLUMNS, _FIRST), _FOLDED_COLUMNS)
_SLICE = NamedStatement(f"{_FIRST_WITHIN} {_IN_ORDER} LIMIT :limit")
_WITHIN_AT_TIMES = f"{WITHIN_SPAN} AND occurred_at = ANY (:times::timestamptz[])"
_AT_TIMES = NamedStatement(f"{_joined(_entries_where(_WITHIN_AT_TIMES, _FOLDED_COLUMNS), _FOLDED_COLUMNS)} {_IN_ORDER}")
_BY_KEY = f"{_joined(_entries_where('contact_id = $1 AND occurred_at = ANY ($2::timestamptz[]) AND entry_key = ANY ($3::bytea[])', _WHOLE_COLUMNS), _WHOLE_COLUMNS)} {_IN_ORDER}"  # noqa: E501 - as above
_PLACES = f"SELECT {PLACE_COLUMNS} FROM {{0}} WHERE contact_id = $1 AND entry_key = ANY ($2::bytea[])"  # noqa: S608 - a constant
_PLACES_BY_KEY = f"{_PLACES.format('entries')} UNION {_PLACES.format('kept_calm_events')}"  # by their primary keys
_PLACES_IN_MONTHS = _PLACES.format("calm_events")
# The rank is no parameter, so that the index of these alone serves.
_ANNOTATING = f"contact_id = ANY ($1::bigint[]) AND rank >= {_FIRST_ANNOTATING_RANK}"
_ANNOTATIONS = f"{_joined(_rows_of('entries', _ANNOTATING, _FOLDED_COLUMNS), _FOLDED_COLUMNS)} {_IN_ORDER}"


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
    partitions. Unless `whole`, events come without what no fold looks at: diagnostic, metadata, raw, and
    the tags of other events than complaints.
    Raises StoreUnavailable.
    """
    with store_errors("reading stored entries"):
        rows = await executor.fetch(_WHOLE if whole else _TO_FOLD, list(contact_ids), since, until)
        if not whole:
            return await _to_fold(executor, rows)
    raw = await _raw_by_place(executor, rows)
    entries: dict[int, list[Entry]] = {}
    before = None
    for number, row in enumerate(rows):
        place = (row["contact_id"], row["entry_key"])
        if place != before:
            entries.setdefault(row["contact_id"], []).append(_entry(row, row, row, raw[number]))
        before = place
    return entries


async def stored_entries(
    executor: Executor, contact_id: int, *, since: datetime | None = None, whole: bool = True
) -> list[Entry]:
    """Every stored entry of one contact, in the order of (occurred_at, rank, event_key). Raises StoreUnavailable."""
    by_contact = await stored_entries_by_contact(executor, [contact_id], since=since, whole=whole)
    return by_contact.get(contact_id, [])


async def first_entries(executor: Executor, contact_id: int, span: Span, *, limit: int) -> list[Entry]:
    """The first entries of the span, in their order, as the fold needs them.

    Returns at least half of `limit` if there are more: entries that are stored twice count twice.
    Raises StoreUnavailable.
    """
    with store_errors("reading a slice of a contact's entries"):
        rows = await executor.fetch(*_SLICE(limit=limit, **parameters_of_span(contact_id, span)))
    return _without_copies(rows)


async def entries_at(executor: Executor, contact_id: int, span: Span, times: Collection[datetime]) -> list[Entry]:
    """The entries of the span that occurred at one of these times, as the fold needs them. Raises StoreUnavailable."""
    with store_errors("reading entries of certain times"):
        rows = await executor.fetch(*_AT_TIMES(times=list(times), **parameters_of_span(contact_id, span)))
    return _without_copies(rows)


async def entries_by_place(
    executor: Executor, contact_id: int, places: Sequence[tuple[datetime, bytes]]
) -> dict[bytes, Entry]:
    """The whole entries at these places, by key. Raises StoreUnavailable."""
    with store_errors("reading certain entries"):
        rows = await executor.fetch(_BY_KEY, contact_id, [at for at, _ in places], [key for _, key in places])
    raw = await _raw_by_place(executor, rows)
    return {row["entry_key"]: _entry(row, row, row, raw[number]) for number, row in enumerate(rows)}


async def whole_entries(executor: Executor, contact_id: int, entries: Collection[Entry]) -> dict[bytes, Entry]:
    """The whole stored entries for these, by key. Raises StoreUnavailable."""
    return await entries_by_place(executor, contact_id, [(entry.occurred_at, entry.event_key) for entry in entries])


async def places_of(executor: Executor, contact_id: int, keys: Collection[bytes]) -> list[Place]:
    """The places of the stored entries with these keys. Raises StoreUnavailable.

    Postgres searches all calm events of the contact for one: about 100 ms for a million, without using memory.
    """
    with store_errors("looking for certain entries of a contact"):
        rows = await executor.fetch(_PLACES_BY_KEY, contact_id, list(keys)) if keys else []
        if rest := set(keys) - {row["entry_key"] for row in rows}:
            rows += await executor.fetch(_PLACES_IN_MONTHS, contact_id, list(rest))
    return [place_of(row) for row in rows]


async def stored_annotations(executor: Executor, contact_id: int, *, since: datetime | None = None) -> list[Entry]:
    """The contact's decisions about other entries since a moment, in order. Raises StoreUnavailable."""
    stored = (await stored_annotations_by_contact(executor, [contact_id])).get(contact_id, [])
    return [entry for entry in stored if since is None or entry.occurred_at >= since]


async def stored_annotations_by_contact(executor: Executor, contact_ids: Sequence[int]) -> dict[int, list[Entry]]:
    """The decisions about other entries of several contacts, of any time. Raises StoreUnavailable."""
    with store_errors("reading the annotations of contacts"):
        rows = await executor.fetch(_ANNOTATIONS, list(contact_ids))
    entries: dict[int, list[Entry]] = {}
    for row in rows:
        entries.setdefault(row["contact_id"], []).append(_entry(row, row, row))
    return entries


async def latest_entries(executor: Executor, contact_id: int, *, limit: int) -> list[Entry]:
    """The last `limit` entries of one contact, latest first. Raises StoreUnavailable."""
    with store_errors("reading a contact's latest entries"):
        rows = await executor.fetch(_LATEST, contact_id, limit)
    latest = list({row["entry_key"]: row for row in rows}.values())[:limit]
    raw = await _raw_by_place(executor, latest)
    return [_entry(row, row, row, raw[number]) for number, row in enumerate(latest)]


async def _to_fold(executor: Executor, rows: Sequence[asyncpg.Record]) -> dict[int, list[Entry]]:
    """The entries of these rows of _TO_FOLD, each once: the result of `_joined` in a fraction of its time."""
    if not rows:
        return {}
    ids = {row[name] for row in rows for name in _NAMES} - {None}
    words = {row["id"]: (row["word"], row["brought_by"]) for row in await executor.fetch(_WORDS, list(ids))}
    contact_ids = list(dict.fromkeys(row["contact_id"] for row in rows))
    whose = {row["id"]: dict(row) for row in await executor.fetch(_WHOSE, contact_ids)}
    known_names: dict[tuple[int | None, ...], dict[str, str | None]] = {}  # nearly all rows share a few
    entries: dict[int, list[Entry]] = {}
    last_key = None
    for number, row in enumerate(rows, start=1):
        if number % _AT_A_STRETCH == 0:
            await asyncio.sleep(0)  # other work of this process goes on meanwhile
        contact_id = row["contact_id"]
        if contact_id not in whose:
            continue
        of_contact = entries.get(contact_id)
        if of_contact is None:
            of_contact = entries[contact_id] = []
            last_key = None
        if row["entry_key"] == last_key:
            continue
        last_key = row["entry_key"]
        if row["beside"] is None:
            place = (row["cause"], row["provider"], row["source"], row["vendor_event"])
            names = known_names.get(place)
            if names is None:
                names = known_names[place] = _names(row, words)
        else:
            names = _names(row, words)
        of_contact.append(_entry(row, names, whose[contact_id]))
    return entries


def _names(row: asyncpg.Record, words: Mapping[int, tuple[str, str]]) -> dict[str, str | None]:
    beside = row["beside"] or {}
    names = {name: beside.get(name) if row[name] is None else words[row[name]][0] for name in _NAMES}
    if names["cause"] is None:
        names["cause"] = Cause.NONE.value
    if row["vendor_event"] is not None:
        names["provider"] = words[row["vendor_event"]][1]
    names["way"] = beside.get("way")
    return names


def _without_copies(rows: Sequence[asyncpg.Record]) -> list[Entry]:
    """The entries of one contact, in the order of the rows."""
    entries: list[Entry] = []
    before = None
    for row in rows:
        if row["entry_key"] != before:
            entries.append(_entry(row, row, row))
            before = row["entry_key"]
    return entries


async def _raw_by_place(executor: Executor, rows: Sequence[asyncpg.Record]) -> Mapping[int, bytes]:
    """The raw bytes by the place of their row; empty if they are not kept."""
    compressed = {row["dictionary_id"] for row in rows} - {None}
    decompressors = await raw_decompressors(executor, compressed) if compressed else {}
    return {
        place: row["raw"] or b""
        if row["dictionary_id"] is None
        else decompress(decompressors[row["dictionary_id"]], row["raw"])
        for place, row in enumerate(rows)
    }


def _entry(row: asyncpg.Record, names: _Columns, contact: _Columns, raw: bytes | None = None) -> Entry:
    """The entry of a row, whose words and contact may be in the row itself; with `raw`, the whole entry."""
    rank = row["rank"]
    try:
        cause, channel = _CAUSES[names["cause"]], _CHANNELS[contact["channel"]]
        if rank in DECISION_KINDS:
            return decision_of(row, contact, cause=cause, channel=channel)
        kind = _KINDS[rank]
    except KeyError as unknown:
        raise SchemaOutOfDate(
            f"an entry of contact {row['contact_id']} from {row['occurred_at']:%Y-%m-%d %H:%M:%S} holds {unknown},"
            " which this version does not know: a newer Bouncekeeper has written it. Bring this process to the same"
            " version"
        ) from unknown
    tags: list[str] | None = row["tags"]
    way: str | None = names["way"]
    delivery_id: UUID = row["delivery_id"]
    event = FeedbackEvent(
        event_key=row["entry_key"],
        provider=names["provider"],
        source=names["source"],
        account=contact["account"],
        address=contact["address"],
        kind=kind,
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        delivery_id=delivery_id,
        cause=cause,
        channel=channel,
        vendor_event=names["vendor_event"],
        message_id=row["message_id"],
        smtp_code=row["smtp_code"],
        enhanced_status=row["enhanced_status"],
        scope=row["scope"],
        machine=row["machine"],
        tags=tuple(tags or ()),
        way=None if way is None else _WAYS[way],
    )
    if raw is None:
        return event
    return replace(event, diagnostic=row["diagnostic"], metadata=row["metadata"], raw=raw)
