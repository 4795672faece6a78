"""What brings a database to this program's version: its tables, its log, then the spelling of contacts' addresses."""

from datetime import UTC, datetime

from msgspec import Struct

from schemas.raw_keeping import KeepRaw
from worker.commands.support.dictionary_training import store_dictionaries
from worker.commands.support.progress_bar import Progress
from worker.contacts.accounts import make_configured_accounts
from worker.contacts.log_upgrade import convert_former_events
from worker.contacts.policies import CONFIGURATION, Policies, PolicyState, apply_policy, configure_policy
from worker.contacts.respelling import Respelled, count_respellings, respell_contacts
from worker.settings.tree import Settings
from worker.store.log_conversion import events_to_convert
from worker.store.migrations import migrate
from worker.store.pool import open_pool
from worker.store.writer_pool import open_writer_pool

_NAME = "bouncekeeper migrate"
_CONNECTIONS = 2


class Upgrade(Struct, frozen=True, kw_only=True):
    """What was done, or would be."""

    migrations: list[str]
    events: int  # of the former shape, converted; roughly, where they are yet to be
    contacts: Respelled
    policy: PolicyState | None = None  # None: not looked at

    @property
    def is_needed(self) -> bool:
        """True when there was something to do."""
        return bool(self.migrations or self.events or self.contacts.renamed or self.contacts.joined)


async def upgrade_database(
    settings: Settings,
    *,
    applies_policy: bool = False,
    of_events: Progress | None = None,
    of_contacts: Progress | None = None,
) -> Upgrade:
    """The database is at this program's version when this returns.

    A policy of the configuration that differs from the one in force is applied or, unless `applies_policy`, pending.

    Raises StoreUnavailable, also while somebody restores the database, and ImpossibleSetting for a wrong URL. What
    was done until then stays done, and the next run goes on behind it.
    """
    url, seconds = settings.postgres.url.reveal(), settings.postgres.command_timeout_seconds
    migrations = await migrate(url)
    pool = await open_writer_pool(
        url, connections=_CONNECTIONS, command_timeout_seconds=seconds, application_name=_NAME
    )
    try:
        await make_configured_accounts(
            pool, of_sources=settings.source_accounts, of_settings=settings.api.accounts, now=datetime.now(UTC)
        )
        await store_dictionaries(pool)
        keep_raw = KeepRaw(settings.processor.keep_raw)
        converted = await convert_former_events(pool, keep_raw, progress=of_events)
        now = datetime.now(UTC)
        policy = await configure_policy(pool, settings.policy, now=now)
        if policy.pending_id is not None and applies_policy:
            policy = await apply_policy(pool, settings.policy, now=now, by=CONFIGURATION)
        respelled = await respell_contacts(pool, Policies(settings.policy), progress=of_contacts)
        return Upgrade(migrations=migrations, events=converted.events, contacts=respelled, policy=policy)
    finally:
        await pool.close()


async def needed_upgrade(settings: Settings) -> Upgrade:
    """What `upgrade_database` would do. Changes nothing; raises as it does."""
    url, seconds = settings.postgres.url.reveal(), settings.postgres.command_timeout_seconds
    migrations = await migrate(url, dry_run=True)
    pool = await open_pool(url, connections=_CONNECTIONS, command_timeout_seconds=seconds, application_name=_NAME)
    try:
        events = await events_to_convert(pool)
        return Upgrade(migrations=migrations, events=events, contacts=await count_respellings(pool))
    finally:
        await pool.close()
