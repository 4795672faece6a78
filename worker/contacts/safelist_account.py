"""The facts about an account for the rules of safelist requests. Its standing is computed every few minutes at most."""

import time
from datetime import datetime

from worker.contacts.account_standing import account_standing
from worker.contacts.safelist_facts import AccountFacts
from worker.policy.safelist import Reputation
from worker.store.accounts import read_account
from worker.store.pool import Executor

_KEPT_SECONDS = 300.0
_MOST_ACCOUNTS = 1_000


class AccountReputations:
    """The reputations that one process knows. The standing of an account with millions of contacts takes seconds."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, AccountFacts]] = {}

    async def facts(self, executor: Executor, account: str, *, now: datetime) -> AccountFacts:
        """The facts about the account, as of a few minutes ago. Raises StoreUnavailable."""
        entry = self._known.get(account)
        if entry is not None and time.monotonic() - entry[0] < _KEPT_SECONDS:
            return entry[1]
        facts = await account_facts(executor, account, now=now)
        if len(self._known) >= _MOST_ACCOUNTS:
            self._known.clear()
        self._known[account] = time.monotonic(), facts
        return facts


async def account_facts(executor: Executor, account: str, *, now: datetime) -> AccountFacts:
    """The facts about the account as they are now. Raises StoreUnavailable."""
    row = await read_account(executor, account)
    standing = await account_standing(executor, account, now=now)
    return AccountFacts(since=None if row is None else row.since, reputation=Reputation(standing.standing.value))
