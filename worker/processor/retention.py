"""Old months leave: their events are folded into each contact's base first, then the partition is dropped whole."""

from datetime import datetime

from worker.logs import get_logger
from worker.policy.facts_encoding import decode_facts, encode_facts
from worker.policy.fold import fold_all
from worker.policy.rule import Policy
from worker.store.partitions import drop_partition, existing_partitions, make_partitions, month_of, months_later
from worker.store.pool import Connection, Pool, store_errors
from worker.store.replay_tokens import forget_expired_tokens
from worker.store.retention import (
    contacts_with_events_in,
    forget_arrival_dates,
    lock_contacts_by_id,
    store_bases,
)
from worker.store.stored_events import stored_events_by_contact

_log = get_logger()
_CONTACTS_AT_ONCE = 2000


def oldest_kept(now: datetime, retention_months: int) -> datetime:
    """The first moment whose events are still kept."""
    return months_later(month_of(now), -retention_months)


async def make_months_ahead(pool: Pool, *, now: datetime, ahead: int) -> None:
    """Partitions exist from this month to `ahead` months on. Quick. Raises StoreUnavailable."""
    month = month_of(now)
    with store_errors("making partitions of events"):
        async with pool.acquire() as connection:
            for made in await make_partitions(connection, [months_later(month, count) for count in range(ahead + 1)]):
                _log.info("partition.made", month=f"{made:%Y-%m}")


async def drop_old_months(pool: Pool, policy: Policy, *, now: datetime, retention_months: int) -> None:
    """No partition is older than the retention. Takes minutes where a month has millions of contacts.

    Safe to run anywhere at any time, and to be killed at any point: a month is dropped only when every contact
    with an event in it has that event in its base. Raises StoreUnavailable.
    """
    horizon = oldest_kept(now, retention_months)
    with store_errors("dropping old partitions of events"):
        async with pool.acquire() as connection:
            for old in await existing_partitions(connection):
                if old < horizon:
                    contacts = await _fold_into_bases(connection, policy, old)
                    await drop_partition(connection, old)
                    _log.info("partition.dropped", month=f"{old:%Y-%m}", contacts=contacts)
            await forget_arrival_dates(connection, horizon)
            await forget_expired_tokens(connection, now)


async def _fold_into_bases(connection: Connection, policy: Policy, month: datetime) -> int:
    month_end = months_later(month, 1)
    after, total = 0, 0
    while contact_ids := await contacts_with_events_in(connection, month, month_end, after, _CONTACTS_AT_ONCE):
        async with connection.transaction():
            rows = await lock_contacts_by_id(connection, contact_ids)
            stored = await stored_events_by_contact(connection, contact_ids, since=month, until=month_end)
            bases = []
            for row in rows:
                if row.base_until is not None and row.base_until >= month_end:
                    continue  # done by a run that was killed before it could drop the partition
                facts = fold_all(decode_facts(row.base), stored.get(row.id, ()), policy)
                bases.append((row.id, encode_facts(facts), month_end))
            await store_bases(connection, bases)
        total += len(bases)
        after = contact_ids[-1]
    return total
