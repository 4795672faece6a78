"""Drops old months: keeps those of their calm events that still matter, then drops the whole partition.

Vendors' own bytes may be dropped before their event.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from schemas.entry import LASTING_KINDS
from worker.policy.thinning import thin_out
from worker.process.logs import get_logger
from worker.store.campaign_recipients import drop_recipients_before
from worker.store.checkpoints import forget_old_checkpoints
from worker.store.contact_rows import lock_contacts_by_id
from worker.store.known_keys import KeyInMonth
from worker.store.old_raw import TABLES_WITH_RAW, drop_raw_before
from worker.store.partitions import (
    drop_partition,
    existing_partitions,
    make_partitions,
    month_of,
    months_later,
    retire_partition,
)
from worker.store.pool import Connection, Pool
from worker.store.replay_tokens import forget_expired_tokens
from worker.store.retention import (
    contacts_with_events_in,
    forget_old_keys,
    keep_only,
)
from worker.store.sessions import session
from worker.store.stored_entries import stored_annotations_by_contact, stored_entries_by_contact

_log = get_logger()
_CONTACTS_AT_ONCE = 2000
_EVENTS_AT_ONCE = 2000


def oldest_kept(now: datetime, retention_months: int) -> datetime:
    """The first moment whose events are still kept."""
    return months_later(month_of(now), -retention_months)


async def make_months_ahead(pool: Pool, *, now: datetime, ahead: int) -> None:
    """Makes the partitions from this month to `ahead` months on, which is quick. Raises StoreUnavailable."""
    month = month_of(now)
    async with session(pool, "making partitions of events") as connection:
        for new_month in await make_partitions(connection, [months_later(month, count) for count in range(ahead + 1)]):
            _log.info("partition.made", month=f"{new_month:%Y-%m}")


async def drop_old_months(pool: Pool, *, now: datetime, retention_months: int) -> None:
    """Drops the partitions that are older than the retention. Takes minutes if a month has millions of contacts.

    Safe to run anywhere at any time, and to be killed at any point: a month is dropped only after its events that still
    matter are kept, and no event is written to it meanwhile. Raises StoreUnavailable.
    """
    horizon = oldest_kept(now, retention_months)
    async with session(pool, "dropping old partitions of events") as connection:
        for old in await existing_partitions(connection):
            if old < horizon:
                await retire_partition(connection, old)
                contacts, kept = await _keep_what_matters(connection, old)
                await drop_partition(connection, old)
                _log.info("partition.dropped", month=f"{old:%Y-%m}", contacts=contacts, kept_events=kept)
        await forget_old_keys(connection, horizon)
        await forget_old_checkpoints(connection, horizon)
        await forget_expired_tokens(connection, now)


async def drop_old_raw(pool: Pool, *, now: datetime, days: int, events_at_once: int = _EVENTS_AT_ONCE) -> None:
    """Drops the vendors' own bytes of events that arrived more than `days` ago; 0 days means never.

    The program does not need these bytes, so no status and no explanation changes. Safe to run anywhere at
    any time, and to be killed at any point. Raises StoreUnavailable.
    """
    if days == 0:
        return
    before, dropped = now - timedelta(days=days), 0
    for table in TABLES_WITH_RAW:
        dropped += await _drop_in_pieces(
            pool,
            "dropping what vendors wrote of old events",
            partial(drop_raw_before, table=table, moment=before, limit=events_at_once),
            limit=events_at_once,
        )
    if dropped:
        _log.info("raw.dropped", events=dropped, days=days)


async def drop_old_recipients(pool: Pool, *, now: datetime, days: int, rows_at_once: int = _EVENTS_AT_ONCE) -> None:
    """Drops campaigns' recipients who were first reported more than `days` days ago; 0 days means never.

    Safe to run anywhere at any time, and to be killed at any point. Raises StoreUnavailable.
    """
    if days == 0:
        return
    dropped = await _drop_in_pieces(
        pool,
        "dropping recipients of old campaigns",
        partial(drop_recipients_before, moment=now - timedelta(days=days), limit=rows_at_once),
        limit=rows_at_once,
    )
    if dropped:
        _log.info("recipients.dropped", recipients=dropped, days=days)


async def _drop_in_pieces(pool: Pool, doing: str, drop: Callable[[Connection], Awaitable[int]], *, limit: int) -> int:
    """Calls `drop`, which drops up to `limit` rows, until none is left. Returns how many rows were dropped."""
    dropped, more = 0, True
    while more:
        async with session(pool, doing) as connection:
            count = await drop(connection)
        dropped += count
        more = count == limit
    return dropped


async def _keep_what_matters(connection: Connection, month: datetime) -> tuple[int, int]:
    """Returns how many contacts had calm events in the month, and how many of their events up to then are kept."""
    month_end = months_later(month, 1)
    after, contacts, kept = 0, 0, 0
    while contact_ids := await contacts_with_events_in(
        connection, since=month, until=month_end, after=after, limit=_CONTACTS_AT_ONCE
    ):
        async with connection.transaction():
            rows = await lock_contacts_by_id(connection, contact_ids)
            stored = await stored_entries_by_contact(connection, contact_ids, until=month_end)
            # A decision of today may name an entry of years ago.
            annotations = await stored_annotations_by_contact(connection, contact_ids)
            old_events: list[KeyInMonth] = []
            for row in rows:
                # The base of a former version contains everything older, including strikes.
                has_base = row.base_until is not None
                entries = stored.get(row.id, ())
                keys = thin_out([*entries, *annotations.get(row.id, ())], after_strikes=has_base)
                old_events += [
                    KeyInMonth(contact_id=row.id, occurred_at=entry.occurred_at, entry_key=entry.event_key)
                    for entry in entries
                    if entry.event_key in keys and entry.kind not in LASTING_KINDS
                ]
            await keep_only(connection, contact_ids, month_end, old_events)
        contacts += len(contact_ids)
        kept += len(old_events)
        after = contact_ids[-1]
    return contacts, kept
