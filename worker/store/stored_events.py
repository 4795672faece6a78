"""The events of contacts as they were stored, read back for re-folding and for explaining."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Channel, Kind
from worker.errors import SchemaOutOfDate
from worker.store.event_rows import EVENT_COLUMNS
from worker.store.pool import Executor, store_errors

_KINDS: dict[str, Kind] = {kind.value: kind for kind in Kind}
_CAUSES: dict[str, Cause] = {cause.value: cause for cause in Cause}
_CHANNELS: dict[str, Channel] = {channel.value: channel for channel in Channel}

# Before there was a rank, it was the first byte of the key (schemas/kind_rank.py).
_RANK = "coalesce(e.rank, get_byte(e.event_key, 0) * 10)"
_FOLDED = """
    e.contact_id, e.occurred_at, e.event_key, e.kind, e.cause, e.provider, e.source, e.vendor_event,
    e.message_id, e.scope, e.machine, e.received_at, e.delivery_id, e.smtp_code, e.enhanced_status,
    c.account, c.channel, c.address
"""
_WHOLE = f"{_FOLDED}, e.diagnostic, e.tags, e.metadata, e.raw"
_ALL = ", ".join(EVENT_COLUMNS)

# Those in months and those that outlived theirs; for a while, before their month is dropped, the latter are in both.
_EVENTS_OF = f"""
    SELECT {{columns}}
      FROM (SELECT {_ALL} FROM events
             WHERE contact_id = ANY($1::bigint[]) AND occurred_at >= coalesce($2::timestamptz, '-infinity')
               AND occurred_at < coalesce($3::timestamptz, 'infinity')
            UNION ALL
            SELECT {_ALL} FROM kept_events
             WHERE contact_id = ANY($1::bigint[]) AND occurred_at >= coalesce($2::timestamptz, '-infinity')
               AND occurred_at < coalesce($3::timestamptz, 'infinity')) e
      JOIN contacts c ON c.id = e.contact_id
     ORDER BY e.contact_id, e.occurred_at, {_RANK}, e.event_key
"""  # noqa: S608 - made of constants of this file
_EVENTS_TO_FOLD = _EVENTS_OF.format(columns=_FOLDED)
_EVENTS_WHOLE = _EVENTS_OF.format(columns=_WHOLE)

_COUNT = """
    SELECT (SELECT count(*) FROM events e WHERE e.contact_id = c.id)
         + (SELECT count(*) FROM kept_events k WHERE k.contact_id = c.id)
      FROM contacts c WHERE c.account = $1 AND c.channel = $2 AND c.address = $3
"""
_LATEST_OF = f"""
    (SELECT {_ALL} FROM {{table}} e WHERE contact_id = $1
      ORDER BY occurred_at DESC, {_RANK} DESC, event_key DESC LIMIT $2)
"""  # noqa: S608 - made of constants of this file
_LATEST_EVENTS = f"""
    SELECT {_WHOLE}
      FROM ({_LATEST_OF.format(table="events")} UNION ALL {_LATEST_OF.format(table="kept_events")}) e
      JOIN contacts c ON c.id = e.contact_id
     ORDER BY e.occurred_at DESC, {_RANK} DESC, e.event_key DESC
"""  # noqa: S608 - made of constants of this file


async def stored_events_by_contact(
    executor: Executor,
    contact_ids: Sequence[int],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    whole: bool = False,
) -> dict[int, list[FeedbackEvent]]:
    """Every stored event of these contacts, each list in the order of (occurred_at, rank, event_key).

    Beyond the retention these are the events that still have a say. A contact without events is not in the answer.
    `since` leaves out what occurred before it, `until` what occurred then or later: Postgres passes over the other
    partitions. Unless `whole`, the events come without what no fold looks at: diagnostic, tags, metadata and raw.
    Raises StoreUnavailable.
    """
    with store_errors("reading stored events"):
        rows = await executor.fetch(_EVENTS_WHOLE if whole else _EVENTS_TO_FOLD, list(contact_ids), since, until)
    events: dict[int, list[FeedbackEvent]] = {}
    before = None
    for row in rows:
        place = (row["contact_id"], row["event_key"])
        if place != before:
            events.setdefault(row["contact_id"], []).append(_event(row, whole=whole))
        before = place
    return events


async def stored_events(
    executor: Executor, contact_id: int, *, since: datetime | None = None, whole: bool = True
) -> list[FeedbackEvent]:
    """Every stored event of one contact, in the order of (occurred_at, rank, event_key). Raises StoreUnavailable."""
    by_contact = await stored_events_by_contact(executor, [contact_id], since=since, whole=whole)
    return by_contact.get(contact_id, [])


async def count_stored_events(executor: Executor, account: str, channel: str, address: str) -> int:
    """How many events of one contact are stored; 0 of one that is not known. Raises StoreUnavailable."""
    with store_errors("counting a contact's events"):
        return int(await executor.fetchval(_COUNT, account, channel, address) or 0)


async def latest_events(executor: Executor, contact_id: int, *, limit: int) -> list[FeedbackEvent]:
    """The last `limit` events of one contact, latest first. Raises StoreUnavailable."""
    with store_errors("reading a contact's latest events"):
        rows = await executor.fetch(_LATEST_EVENTS, contact_id, limit)
    latest = {row["event_key"]: row for row in rows}
    return [_event(row, whole=True) for row in list(latest.values())[:limit]]


def _event(row: asyncpg.Record, *, whole: bool) -> FeedbackEvent:
    if not whole:
        return _folded_event(row)
    tags: list[str] | None = row["tags"]
    metadata: dict[str, Any] | None = row["metadata"]
    return _folded_event(row, diagnostic=row["diagnostic"], tags=tuple(tags or ()), metadata=metadata, raw=row["raw"])


def _folded_event(row: asyncpg.Record, **payload: Any) -> FeedbackEvent:
    delivery_id: UUID = row["delivery_id"]
    try:
        kind, cause = _KINDS[row["kind"]], _CAUSES[row["cause"]]
        channel = _CHANNELS[row["channel"]]
    except KeyError as unknown:
        raise SchemaOutOfDate(
            f"the event of delivery {delivery_id} holds the word {unknown}, which this version does not know:"
            " a newer Bouncekeeper has written it. Bring this process to the same version"
        ) from unknown
    return FeedbackEvent(
        event_key=row["event_key"],
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
