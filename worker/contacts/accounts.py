"""Which accounts may be asked about: of a misspelt one nothing is known, and so everybody in it would be allowed."""

import re
from collections.abc import Collection

from worker.errors import RequestRefused
from worker.process.spelling import closest
from worker.store.account_names import account_has_contacts, accounts_with_contacts
from worker.store.pool import Executor

_CACHED = 10_000
_COMPARED = 1_000
_SHOWN = 10
_SHOWN_CHARACTERS = 40


class KnownAccounts:
    """The accounts that a source, `api.accounts` or a contact names."""

    def __init__(self, *, of_sources: Collection[str], of_settings: Collection[str]) -> None:
        """`of_settings` may hold patterns: `customer-*` names every account that begins so."""
        self._named = frozenset(of_sources) | {name for name in of_settings if "*" not in name}
        self._patterns = tuple(_compile(name) for name in of_settings if "*" in name)
        # Contacts are not taken away, so what was found once stays true.
        self._found: set[str] = set()

    async def require(self, executor: Executor, account: str) -> None:
        """Returns if the account is known; the database is asked once for each account that only contacts name.

        Raises RequestRefused, with the account that was probably meant; StoreUnavailable.
        """
        if account in self._named or account in self._found:
            return
        if any(pattern.fullmatch(account) for pattern in self._patterns):
            return
        if not await account_has_contacts(executor, account):
            raise await self._refusal(executor, account)
        if len(self._found) >= _CACHED:
            self._found.clear()
        self._found.add(account)

    async def _refusal(self, executor: Executor, account: str) -> RequestRefused:
        names = sorted(self._named.union(await accounts_with_contacts(executor, limit=_COMPARED)))
        if close := closest(account, names):
            remedy = f"Did you mean {close!r}?"
        elif names:
            more = "" if len(names) <= _SHOWN else " and others"
            remedy = f"Known are {', '.join(map(repr, names[:_SHOWN]))}{more}."
        else:
            remedy = "No account is known yet."
        return RequestRefused(
            "unknown-account",
            f"No source, setting or contact names the account {account[:_SHOWN_CHARACTERS]!r}.",
            remedy=f"{remedy} An account that has no contacts yet is named in api.accounts.",
        )


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
