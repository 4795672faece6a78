"""`tokens`: what callers of the API identify themselves with."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas.decision import Role
from worker.commands.catalogue import Command
from worker.commands.support.actions import Actions
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import WrongUsage
from worker.process.spelling import did_you_mean
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.store.pool import Pool
    from worker.store.tokens import Token

_NEEDS = ("postgres",)
_MAX_CHARACTERS = 200
_ALL = "all"
_HEADINGS = ("id", "name", "account", "role", "begins with", "created", "by", "last used", "revoked", "by")


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
A caller of the API sends a token. It is for one account, whose contacts it sees alone, or for all of them, and has a
role: a `reader` asks, an `operator` also decides, an `administrator` may do everything. Its text is shown once, when
it is made; the database keeps a hash of it. A revoked token is refused within seconds.

To rotate a token, make a second one under another name, give it to the application, then revoke the first.

examples:
  bouncekeeper tokens create crm --account shop-eu
  bouncekeeper tokens create helpdesk --account shop-eu --role operator > token.txt
  bouncekeeper tokens create campaigns --all-accounts
  bouncekeeper tokens list
  bouncekeeper tokens revoke crm
"""
    actions = Actions(parser)
    creating = actions.add("create", "makes a token and prints its text, once")
    creating.add_argument("name", metavar="NAME", help="who will use it: it stands in the log and the history")
    whose = creating.add_mutually_exclusive_group(required=True)
    whose.add_argument("--account", metavar="ACCOUNT", help="the one account that it is for")
    whose.add_argument("--all-accounts", action="store_true", help="it is for every account")
    creating.add_argument(
        "--role", choices=[role.value for role in Role], default=Role.READER.value, help="(default %(default)s)"
    )
    listing = actions.add("list", "the valid tokens, and when each was used last; never their texts")
    listing.add_argument("--all", action="store_true", help="includes those that were revoked")
    revoking = actions.add("revoke", "makes tokens invalid, for ever")
    revoking.add_argument("names", metavar="NAME", nargs="+", help="a name, or an id")
    revoking.add_argument("--dry-run", action="store_true", help="says what would happen and changes nothing")
    for action in (creating, listing, revoking):
        add_shared_flags(action)
        add_setting_flags(action, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    actions = {"create": _create, "list": _list, "revoke": _revoke}
    return asyncio.run(_with_database(settings, arguments, actions[arguments.action]))


async def _with_database(settings: Settings, arguments: Namespace, action: Any) -> int:
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not
    from worker.commands.support.person import log_acts  # noqa: PLC0415

    log_acts(settings, "tokens")
    async with opened_database(settings) as pool:
        status: int = await action(pool, settings, arguments)
        return status


async def _create(pool: "Pool", settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.person import person_here  # noqa: PLC0415 - costs time that --help has not
    from worker.contacts.tokens import make_token  # noqa: PLC0415

    name = arguments.name
    if not name.strip() or name != name.strip() or len(name) > _MAX_CHARACTERS or not name.isprintable():
        raise WrongUsage(f"{name!r} cannot be the name of a token: write at most {_MAX_CHARACTERS} characters")
    if arguments.account is not None and (hint := await _unknown_account(pool, settings, arguments.account)):
        return _print_refusal(arguments, f"there is no account {arguments.account!r}: {hint}")
    made = await make_token(
        pool,
        name=name,
        account=arguments.account,
        role=Role(arguments.role),
        now=datetime.now(UTC),
        actor=person_here().name,
    )
    if made is None:
        return _print_refusal(
            arguments,
            f"there is a valid token {name!r} already: choose another name, or revoke that one with "
            "`bouncekeeper tokens revoke`",
        )
    if arguments.json:
        print_json({"token": made.text, **_fields(made.token)})
    else:
        print(made.text)  # noqa: T201 - alone on stdout, for a file or a variable
        if sys.stdout.isatty():
            sys.stderr.write("Keep it now: it is shown this once, and stored nowhere.\n")
    return ExitCode.OK


async def _unknown_account(pool: "Pool", settings: Settings, account: str) -> str:
    """What was probably meant if there is no such account, else ""; makes one that the configuration names."""
    from worker.contacts.accounts import configured_accounts, make_configured_accounts  # noqa: PLC0415 - as above
    from worker.store.accounts import account_names, existing_accounts  # noqa: PLC0415

    of_sources, of_settings = settings.source_accounts, settings.api.accounts
    if await existing_accounts(pool, [account]):
        return ""
    if account in configured_accounts(of_sources=of_sources, of_settings=of_settings):
        now = datetime.now(UTC)
        await make_configured_accounts(pool, of_sources=of_sources, of_settings=of_settings, now=now)
        return ""
    names = await account_names(pool, limit=10_000)
    return did_you_mean(account, names, otherwise="make it with `bouncekeeper accounts add`")


async def _list(pool: "Pool", settings: Settings, arguments: Namespace) -> int:
    from worker.store.tokens import list_tokens  # noqa: PLC0415 - costs time that --help has not

    tokens = await list_tokens(pool, revoked_too=arguments.all)
    if arguments.json:
        print_json({"tokens": [_fields(token) for token in tokens], "of_the_configuration": len(settings.api.tokens)})
        return ExitCode.OK
    if tokens:
        print_table(_HEADINGS, [_row(token) for token in tokens])
    else:
        print_line("no token in the database: make one with `bouncekeeper tokens create`")
    if settings.api.tokens:
        print_line(f"and {len(settings.api.tokens)} under api.tokens: administrators of all accounts")
    return ExitCode.OK


async def _revoke(pool: "Pool", _settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.person import person_here  # noqa: PLC0415 - costs time that --help has not
    from worker.contacts.tokens import end_tokens  # noqa: PLC0415
    from worker.store.tokens import list_tokens  # noqa: PLC0415

    valid = await list_tokens(pool)
    chosen = {word: _find(valid, word) for word in arguments.names}
    unknown = [word for word, token in chosen.items() if token is None]
    ids = sorted({token.id for token in chosen.values() if token is not None})
    revoked = [token for token in valid if token.id in ids]
    if not arguments.dry_run:
        revoked = await end_tokens(pool, ids, now=datetime.now(UTC), actor=person_here().name)
    if arguments.json:
        names = sorted(token.name for token in revoked)
        print_json({"dry_run": arguments.dry_run, "revoked": names, "unknown": sorted(unknown)})
    else:
        for token in revoked:
            print_line(f"{'would revoke' if arguments.dry_run else 'revoked'} {token.name} ({token.prefix}…)")
        for word in unknown:
            hint = did_you_mean(word, [token.name for token in valid], otherwise="see `bouncekeeper tokens list`")
            print_line(f"there is no valid token {word!r}: {hint}")
    return ExitCode.NO if unknown else ExitCode.OK


def _find(tokens: "list[Token]", word: str) -> "Token | None":
    """The token of this name, else of this id."""
    named = next((token for token in tokens if token.name == word), None)
    return named or next((token for token in tokens if str(token.id) == word), None)


def _print_refusal(arguments: Namespace, text: str) -> int:
    if arguments.json:
        print_json({"token": None})
    sys.stderr.write(f"bouncekeeper: {text}\n")
    return ExitCode.NO


def _fields(token: "Token") -> dict[str, Any]:
    return {field: getattr(token, field) for field in token.columns()}


def _row(token: "Token") -> tuple[object, ...]:
    return (
        token.id,
        token.name,
        _ALL if token.account is None else token.account,
        token.role,
        token.prefix,
        moment(token.created_at),
        token.created_by,
        moment(token.last_used_at),
        moment(token.revoked_at),
        token.revoked_by,
    )


COMMANDS = {"tokens": Command(_configure, _run)}
