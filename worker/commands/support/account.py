"""The account that a command is about."""

from worker.contacts.accounts import KnownAccounts
from worker.settings.tree import Settings
from worker.store.pool import Pool


async def require_account(pool: Pool, settings: Settings, account: str) -> None:
    """Raises RequestRefused if there is no such account, StoreUnavailable."""
    known = KnownAccounts(of_sources=settings.source_accounts, of_settings=settings.api.accounts)
    await known.require(pool, account)
