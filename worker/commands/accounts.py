"""`accounts`: whose contacts there are."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.commands.catalogue import Command
from worker.commands.support.actions import Actions
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import WrongUsage
from worker.process.spelling import did_you_mean
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.store.accounts import Account
    from worker.store.pool import Pool

_NEEDS = ("postgres",)
_MAX_CHARACTERS = 200
_COMPARED = 10_000


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
An account is a customer, a shop, a brand: contacts of different accounts are independent of each other. Accounts that
the configuration names exist by themselves. Others are made by the first event that names them, or here if the source
says `makes_accounts = false`; then their events wait among the dead letters. Accounts are never renamed or deleted.

examples:
  bouncekeeper accounts list
  bouncekeeper accounts show shop-eu                how well its mail is received, and its tokens
  bouncekeeper accounts add shop-eu --time-zone Europe/Berlin
  bouncekeeper accounts set shop-eu --summary-to jane@example.org,joe@example.org
"""
    actions = Actions(parser)
    listing = actions.add("list", "each account, since when it is there, and who made it")
    showing = actions.add("show", "one account: its standing, computed from its contacts, and its tokens")
    adding = actions.add("add", "makes an account; exit code 1 if it is there already")
    setting = actions.add("set", "changes an account's time zone or the recipients of its summary")
    for action in (showing, adding, setting):
        action.add_argument("name", metavar="NAME", help="the account")
    for action in (adding, setting):
        action.add_argument(
            "--time-zone", metavar="ZONE", help="such as Europe/Berlin; a new account has America/New_York"
        )
        action.add_argument(
            "--summary-to", metavar="ADDRESS,…", help="who receives the account's summary; an empty text for nobody"
        )
        action.add_argument("--dry-run", action="store_true", help="says what would happen and changes nothing")
    for action in (listing, showing, adding, setting):
        add_shared_flags(action)
        add_setting_flags(action, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    actions = {"list": _list, "show": _show, "add": _add, "set": _set}
    return asyncio.run(_with_database(settings, arguments, actions[arguments.action]))


async def _with_database(settings: Settings, arguments: Namespace, action: Any) -> int:
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not
    from worker.commands.support.person import log_acts  # noqa: PLC0415

    log_acts(settings, "accounts")
    async with opened_database(settings) as pool:
        status: int = await action(pool, arguments)
        return status


async def _list(pool: "Pool", arguments: Namespace) -> int:
    from worker.store.accounts import list_accounts  # noqa: PLC0415 - costs time that --help has not

    accounts = await list_accounts(pool)
    if arguments.json:
        print_json({"accounts": [_fields(account) for account in accounts]})
    elif accounts:
        headings = ("account", "since", "added by", "time zone", "summary to")
        print_table(headings, [_row(account) for account in accounts])
    else:
        print_line("no account yet: a processor makes those that the configuration names when it starts")
    return ExitCode.OK


async def _show(pool: "Pool", arguments: Namespace) -> int:
    from worker.contacts.account_standing import account_standing  # noqa: PLC0415 - costs time that --help has not
    from worker.store.accounts import read_account  # noqa: PLC0415

    account = await read_account(pool, arguments.name)
    if account is None:
        return await _print_unknown(pool, arguments)
    found = await account_standing(pool, account.name, now=datetime.now(UTC))
    if arguments.json:
        print_json({"account": _fields(account), "standing": found})
        return ExitCode.OK
    for heading, text in zip(("account", "since", "added by", "time zone", "summary to"), _row(account), strict=True):
        print_line(f"{heading:<12} {text}")
    print_line(f"{'standing':<12} {found.standing}: {found.sentence}")
    return ExitCode.OK


async def _add(pool: "Pool", arguments: Namespace) -> int:
    from worker.commands.support.person import person_here  # noqa: PLC0415 - costs time that --help has not
    from worker.contacts.accounts import add_account  # noqa: PLC0415
    from worker.store.accounts import existing_accounts  # noqa: PLC0415

    name = _checked_name(arguments.name)
    changes = await _changes(pool, arguments)
    new = not await existing_accounts(pool, [name])
    if new and not arguments.dry_run:
        new = await add_account(pool, name, now=datetime.now(UTC), actor=person_here().name, **changes)
    if arguments.json:
        print_json({"account": name, "added": new, "dry_run": arguments.dry_run})
    elif not new:
        print_line(f"{name} is there already: change it with `bouncekeeper accounts set`")
    else:
        print_line(f"{'would add' if arguments.dry_run else 'added'} {name}")
        await _print_waiting(pool)
    return ExitCode.OK if new else ExitCode.NO


async def _set(pool: "Pool", arguments: Namespace) -> int:
    from worker.commands.support.person import person_here  # noqa: PLC0415 - costs time that --help has not
    from worker.contacts.accounts import set_account  # noqa: PLC0415
    from worker.store.accounts import read_account  # noqa: PLC0415

    changes = await _changes(pool, arguments)
    if not changes:
        raise WrongUsage("there is nothing to set: give --time-zone, --summary-to or both")
    account = await read_account(pool, arguments.name)
    if account is None:
        return await _print_unknown(pool, arguments)
    if not arguments.dry_run:
        account = await set_account(pool, account.name, now=datetime.now(UTC), actor=person_here().name, **changes)
    if arguments.json:
        print_json({"account": _fields(account), "changes": changes, "dry_run": arguments.dry_run})
    else:
        words = ", ".join(f"{field.replace('_', ' ')} {_text(value)}" for field, value in changes.items())
        print_line(f"{account.name} {'would have' if arguments.dry_run else 'has'}: {words}")
    return ExitCode.OK


async def _changes(pool: "Pool", arguments: Namespace) -> dict[str, Any]:
    """What the command line asks to change. Raises ImpossibleSetting."""
    from zoneinfo import available_timezones  # noqa: PLC0415 - these cost time that --help has not

    from worker.store.accounts import time_zones  # noqa: PLC0415

    changes: dict[str, Any] = {}
    if (zone := arguments.time_zone) is not None:
        known = sorted(available_timezones().intersection(await time_zones(pool)))
        if zone not in known:
            hint = did_you_mean(zone, known, otherwise="write one such as Europe/Berlin")
            raise WrongUsage(f"there is no time zone {zone!r}: {hint}")
        changes["time_zone"] = zone
    if arguments.summary_to is not None:
        changes["summary_recipients"] = _addresses(arguments.summary_to)
    return changes


def _addresses(text: str) -> list[str]:
    from schemas.address import normalise_address  # noqa: PLC0415 - costs time that --help has not

    addresses = [part.strip() for part in text.split(",") if part.strip()]
    for address in addresses:
        if normalise_address(address) is None:
            raise WrongUsage(f"--summary-to holds {address!r}, which is not an e-mail address")
    return addresses


def _checked_name(name: str) -> str:
    if not name.strip() or name != name.strip() or len(name) > _MAX_CHARACTERS or not name.isprintable():
        raise WrongUsage(
            f"{name!r} cannot be the name of an account: write at most {_MAX_CHARACTERS} printable characters, without "
            "blanks around them"
        )
    return name


async def _print_waiting(pool: "Pool") -> None:
    from worker.processor.batch import UNKNOWN_ACCOUNT  # noqa: PLC0415 - costs time that --help has not
    from worker.store.dead_letters import list_dead_letters  # noqa: PLC0415

    if await list_dead_letters(pool, reason=UNKNOWN_ACCOUNT, limit=1):
        print_line(
            "webhooks wait for an account that does not exist: if it is this one, run"
            f" `bouncekeeper dead-letters replay --reason {UNKNOWN_ACCOUNT}`"
        )


async def _print_unknown(pool: "Pool", arguments: Namespace) -> int:
    from worker.store.accounts import account_names  # noqa: PLC0415 - costs time that --help has not

    if arguments.json:
        print_json({"account": None})
    else:
        hint = did_you_mean(
            arguments.name, await account_names(pool, limit=_COMPARED), otherwise="see `bouncekeeper accounts list`"
        )
        print_line(f"there is no account {arguments.name!r}: {hint}")
    return ExitCode.NO


def _fields(account: "Account") -> dict[str, Any]:
    return {field: getattr(account, field) for field in account.columns()}


def _row(account: "Account") -> tuple[str, ...]:
    return (account.name, moment(account.since), account.added_by, account.time_zone, _text(account.summary_recipients))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(value) or "nobody"


COMMANDS = {"accounts": Command(_configure, _run)}
