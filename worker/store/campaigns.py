"""The ids of campaigns. They never change, so a process remembers those that it has met."""

from collections.abc import Collection, Iterable

import asyncpg

from schemas.campaign import value_of_event
from schemas.feedback_event import FeedbackEvent
from worker.store.named_statement import NamedStatement
from worker.store.pool import Executor, store_errors
from worker.store.row import Row

CampaignKey = tuple[str, str]  # account and name
_MOST_REMEMBERED = 20_000


class _Campaign(Row, frozen=True):
    account: str
    name: str


class _StoredCampaign(_Campaign, frozen=True):
    id: int


# Compared as rows, so that only the index serves: with `=` Postgres may scan the table while it is empty, keep this
# plan, and still scan it when it is large.
_IDS = f"""
    SELECT {_StoredCampaign.select_list("k")} FROM {_Campaign.unnest("c")}
      JOIN campaigns k ON (k.account, k.name) >= (c.account, c.name) AND (k.account, k.name) <= (c.account, c.name)
"""  # noqa: S608 - the column list is made of the names above
# ORDER BY: so that the first recipient is looked up by the index. Otherwise Postgres may read the table until it finds
# one.
_ID = NamedStatement("""
    SELECT k.id FROM campaigns k WHERE k.account = :account AND k.name = :name AND (
        SELECT r.contact_id FROM campaign_recipients r WHERE r.campaign_id = k.id ORDER BY r.contact_id LIMIT 1
    ) IS NOT NULL
""")
_INSERT = f"""
    INSERT INTO campaigns (account, name)
    SELECT account, name FROM {_Campaign.unnest("c")} ORDER BY account, name
    ON CONFLICT (account, name) DO NOTHING
"""  # noqa: S608 - as above


class Campaigns:
    """The campaigns of one database that this process knows."""

    def __init__(self) -> None:
        self._ids: dict[CampaignKey, int] = {}

    async def learn(self, executor: Executor, events: Iterable[FeedbackEvent]) -> None:
        """Every campaign for whose recipients there are events gets an id, and is known here.

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
        """The ids. Ids of campaigns that are not learned yet are made in the caller's transaction."""
        ids = {key: known for key in keys if (known := self._ids.get(key)) is not None}
        if missing := [key for key in keys if key not in ids]:
            ids |= await _make_ids(executor, missing)
        return ids


async def campaign_id(executor: Executor, *, account: str, name: str) -> int | None:
    """The id of the account's campaign; None if it has no recipients (any more). Raises StoreUnavailable."""
    with store_errors("looking for a campaign"):
        row_id: int | None = await executor.fetchval(*_ID(account=account, name=name))
    return row_id


async def _make_ids(executor: Executor, keys: Collection[CampaignKey]) -> dict[CampaignKey, int]:
    ids = _by_key(await executor.fetch(_IDS, *_arrays(keys)))
    if missing := [key for key in keys if key not in ids]:  # otherwise ON CONFLICT would use up ids
        await executor.execute(_INSERT, *_arrays(missing))
        ids |= _by_key(await executor.fetch(_IDS, *_arrays(missing)))
    return ids


def _arrays(keys: Collection[CampaignKey]) -> list[list[str]]:
    return _Campaign.arrays([_Campaign(account=account, name=name) for account, name in keys])


def _by_key(records: Iterable[asyncpg.Record]) -> dict[CampaignKey, int]:
    return {(row.account, row.name): row.id for row in _StoredCampaign.rows(records)}
