"""The account that a command was asked about."""

from worker.contacts.accounts import KnownAccounts
from worker.settings.tree import Settings
from worker.store.pool import Pool


async def require_account(pool: Pool, settings: Settings, account: str) -> None:
    """Returns if a source, a setting or a contact names it. Raises RequestRefused, StoreUnavailable."""
    known = KnownAccounts(of_sources=settings.source_accounts, of_settings=settings.api.accounts)
    await known.require(pool, account)
