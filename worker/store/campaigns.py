"""Campaigns by their ids. An id never changes, so that a process remembers those that it has met."""

from collections.abc import Collection, Iterable

import asyncpg

from schemas.campaign import value_of_event
from schemas.feedback_event import FeedbackEvent
from worker.store.pool import Executor, store_errors

CampaignKey = tuple[str, str]  # account and name
_MOST_REMEMBERED = 20_000

# Compared as rows, which Postgres can do by the index alone: with `=` it may read the table as a whole while that is
# empty, keep this plan, and do so when there are many.
_IDS = """
    SELECT k.account, k.name, k.id FROM unnest($1::text[], $2::text[]) AS c (account, name)
      JOIN campaigns k ON (k.account, k.name) >= (c.account, c.name) AND (k.account, k.name) <= (c.account, c.name)
"""
# ORDER BY: so the first recipient is looked up by the index. Else Postgres may read the table until it meets one.
_ID = """
    SELECT k.id FROM campaigns k WHERE k.account = $1 AND k.name = $2 AND (
        SELECT r.contact_id FROM campaign_recipients r WHERE r.campaign_id = k.id ORDER BY r.contact_id LIMIT 1
    ) IS NOT NULL
"""
_INSERT = """
    INSERT INTO campaigns (account, name)
    SELECT account, name FROM unnest($1::text[], $2::text[]) AS c (account, name) ORDER BY account, name
    ON CONFLICT (account, name) DO NOTHING
"""


class Campaigns:
    """What this process knows of the campaigns of one database."""

    def __init__(self) -> None:
        self._ids: dict[CampaignKey, int] = {}

    async def learn(self, executor: Executor, events: Iterable[FeedbackEvent]) -> None:
        """Every campaign of whose recipients the events tell has an id, and is known here.

        Call it outside the transaction that stores the events: an id that is rolled back must not be remembered.
        Raises StoreUnavailable.
        """
        known = self._ids
        new = {
            key
            for event in events
            if event.campaign is not None
            and event.address is not None
            and value_of_event(event) is not None
            and (key := (event.account, event.campaign)) not in known
        }
        if not new:
            return
        with store_errors("looking up campaigns"):
            ids = await _make_ids(executor, new)
        if len(known) + len(ids) > _MOST_REMEMBERED:
            known.clear()
        known.update(ids)

    async def ids_of(self, executor: Executor, keys: Collection[CampaignKey]) -> dict[CampaignKey, int]:
        """The ids; those of campaigns that nobody has learned are made in the caller's transaction."""
        ids = {key: known for key in keys if (known := self._ids.get(key)) is not None}
        if missing := [key for key in keys if key not in ids]:
            ids |= await _make_ids(executor, missing)
        return ids


async def campaign_id(executor: Executor, account: str, name: str) -> int | None:
    """The id of the account's campaign; None if it has no recipients, or no more. Raises StoreUnavailable."""
    with store_errors("looking for a campaign"):
        found: int | None = await executor.fetchval(_ID, account, name)
    return found


async def _make_ids(executor: Executor, keys: Collection[CampaignKey]) -> dict[CampaignKey, int]:
    ids = _by_key(await executor.fetch(_IDS, *_arrays(keys)))
    if missing := [key for key in keys if key not in ids]:  # or ON CONFLICT would use up ids
        await executor.execute(_INSERT, *_arrays(missing))
        ids |= _by_key(await executor.fetch(_IDS, *_arrays(missing)))
    return ids


def _arrays(keys: Collection[CampaignKey]) -> tuple[list[str], list[str]]:
    return [account for account, _ in keys], [name for _, name in keys]


def _by_key(records: Iterable[asyncpg.Record]) -> dict[CampaignKey, int]:
    return {(account, name): number for account, name, number in records}
