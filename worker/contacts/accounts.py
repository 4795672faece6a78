"""Which accounts exist. A misspelt account has no contacts that are known, so all its mail would be allowed."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from worker.contacts.acts import record_act
from worker.errors import RequestRefused
from worker.process.logs import get_logger, text_field
from worker.process.spelling import closest
from worker.store.accounts import Account, account_names, add_accounts, change_account, existing_accounts
from worker.store.pool import Connection, Executor, Pool
from worker.store.sessions import transaction

_log = get_logger()

_CACHED = 10_000
_COMPARED = 1_000
_SHOWN = 10
_SHOWN_CHARACTERS = 40
_CONFIGURATION = "configuration"
_PATTERN = "*"


class KnownAccounts:
    """The accounts that the configuration names or the database has. One serves a whole process."""

    def __init__(self, *, of_sources: Collection[str] = (), of_settings: Collection[str] = ()) -> None:
        """`of_settings` may hold patterns: `customer-*` names every account that begins so."""
        self._named = configured_accounts(of_sources=of_sources, of_settings=of_settings)
        self._patterns = tuple(_compile(name) for name in of_settings if _PATTERN in name)
        # Accounts are never removed, so an account that was found once still exists.
        self._found: set[str] = set()

    async def require(self, executor: Executor, account: str, *, only: str | None = None) -> None:
        """Returns if the account is known. Asks the database once for an account that the configuration does not name.

        With `only` every other account is unknown, and neither the answer nor the time it takes depends on whether it
        exists. Raises RequestRefused, which suggests the account that was probably meant, and StoreUnavailable.
        """
        if only is not None:
            if account != only:
                raise _refusal(account, [only])
            return
        if self._is_known(account) or any(pattern.fullmatch(account) for pattern in self._patterns):
            return
        if not await existing_accounts(executor, [account]):
            raise _refusal(account, sorted(self._named.union(await account_names(executor, limit=_COMPARED))))
        self._remember([account])

    async def make_missing(self, pool: Pool, makers: Mapping[str, str | None], *, now: datetime) -> frozenset[str]:
        """Creates the missing accounts that may be created; returns those that still do not exist.

        `makers` maps each account to the source that may create it, or to None. Accounts that the configuration names,
        or that match a pattern of it, are created in any case. New accounts are committed. Raises StoreUnavailable.
        """
        unsure = self.not_found(makers)
        if not unsure:
            return frozenset()
        self._remember(existing := await existing_accounts(pool, unsure))
        missing = {account: makers[account] for account in unsure if account not in existing}
        by_maker: dict[str, list[str]] = {}
        for account, source in missing.items():
            if not account or "\x00" in account:
                continue
            if account in self._named or any(pattern.fullmatch(account) for pattern in self._patterns):
                by_maker.setdefault(_CONFIGURATION, []).append(account)
            elif source is not None:
                by_maker.setdefault(f"source {source}", []).append(account)
        for maker, accounts in by_maker.items():
            await make_accounts(pool, accounts, now=now, actor=maker)
            self._remember(accounts)
        return frozenset(missing).difference(*by_maker.values())

    def not_found(self, accounts: Iterable[str]) -> set[str]:
        """The accounts that this process has not found in the database yet."""
        return set(accounts) - self._found

    def _is_known(self, account: str) -> bool:
        return account in self._named or account in self._found

    def _remember(self, accounts: Iterable[str]) -> None:
        if len(self._found) >= _CACHED:
            self._found.clear()
        self._found.update(accounts)


def configured_accounts(*, of_sources: Collection[str], of_settings: Collection[str]) -> frozenset[str]:
    """The accounts that the configuration names in full."""
    return frozenset(of_sources) | {name for name in of_settings if _PATTERN not in name}


async def make_configured_accounts(
    executor: Executor, *, of_sources: Collection[str], of_settings: Collection[str], now: datetime
) -> list[str]:
    """The accounts that the configuration names exist when this returns. Returns the new ones.

    Raises StoreUnavailable.
    """
    names = configured_accounts(of_sources=of_sources, of_settings=of_settings)
    return await make_accounts(executor, names, now=now, actor=_CONFIGURATION)


async def make_accounts(executor: Executor, names: Collection[str], *, now: datetime, actor: str) -> list[str]:
    """All these accounts exist when this returns. Returns the new ones; each is logged.

    Raises StoreUnavailable.
    """
    added = await add_accounts(executor, names, since=now, added_by=actor)
    for name in added:
        _log.info("account.added", account=name, actor=actor)
    return added


async def add_account(
    pool: Pool,
    name: str,
    *,
    now: datetime,
    actor: str,
    time_zone: str | None = None,
    summary_recipients: Sequence[str] | None = None,
) -> bool:
    """A person creates the account, with these settings; False if it exists already. Raises StoreUnavailable."""
    async with transaction(pool, "adding an account") as connection:
        if not await add_accounts(connection, [name], since=now, added_by=actor):
            return False
        act_id = await record_act(connection, f"accounts add {name}", actor=actor, now=now, account=name)
        await _change_settings(connection, name, time_zone, summary_recipients)
    _log.info(
        "account.added", account=name, actor=actor, act_id=act_id, **_setting_fields(time_zone, summary_recipients)
    )
    return True


async def set_account(
    pool: Pool,
    name: str,
    *,
    now: datetime,
    actor: str,
    time_zone: str | None = None,
    summary_recipients: Sequence[str] | None = None,
) -> Account:
    """A person changes an existing account. Returns the changed account. Raises StoreUnavailable."""
    async with transaction(pool, "changing an account") as connection:
        account = await _change_settings(connection, name, time_zone, summary_recipients)
        act_id = await record_act(connection, f"accounts set {name}", actor=actor, now=now, account=name)
    if fields := _setting_fields(time_zone, summary_recipients):
        _log.info("account.changed", account=name, actor=actor, act_id=act_id, **fields)
    return account


async def _change_settings(
    connection: Connection, name: str, time_zone: str | None, summary_recipients: Sequence[str] | None
) -> Account:
    account = await change_account(connection, name, time_zone=time_zone, summary_recipients=summary_recipients)
    if account is None:
        raise AssertionError("accounts are never removed")
    return account


def _setting_fields(time_zone: str | None, summary_recipients: Sequence[str] | None) -> dict[str, str]:
    """The fields of a log line that show which settings changed."""
    fields: dict[str, str] = {}
    if time_zone is not None:
        fields["time_zone"] = text_field(time_zone)
    if summary_recipients is not None:
        fields["summary_recipients"] = text_field(", ".join(summary_recipients) or "nobody")
    return fields


def _refusal(account: str, names: list[str]) -> RequestRefused:
    if close := closest(account, names):
        remedy = f"Did you mean {close!r}?"
    elif names:
        more = "" if len(names) <= _SHOWN else " and others"
        remedy = f"Known are {', '.join(map(repr, names[:_SHOWN]))}{more}."
    else:
        remedy = "No account is known yet."
    return RequestRefused(
        "unknown-account",
        f"There is no account {account[:_SHOWN_CHARACTERS]!r}.",
        remedy=f"{remedy} A new one is made with `bouncekeeper accounts add`.",
    )


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split(_PATTERN)), re.DOTALL)
