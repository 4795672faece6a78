"""`policy`: the rules in force, those that wait, and how they come into force."""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from worker.commands.catalogue import Command
from worker.commands.support.actions import Actions
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import print_json, print_line, print_table
from worker.commands.support.progress_bar import progress_bar
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, id_argument, settings_of
from worker.errors import ImpossibleSetting, RequestRefused
from worker.policy.rule import Policy, Rule
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.foresight import Direction, Foresight
    from worker.contacts.policies import PolicyState
    from worker.store.pool import Pool

_NEEDS = ("postgres",)
_WORTH_A_BAR_CONTACTS = 20_000


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
The rules that turn failures into blocks: the built-in ones, a preset, or your own from [policy] in the configuration
file. A change of the file waits until `policy apply`; `up` and `stack` apply it when they start.

examples:
  bouncekeeper policy show
  bouncekeeper policy show --toml            a start for rules of your own
  bouncekeeper policy list                   which one is in force, and which were
  bouncekeeper policy apply --dry-run        who would be blocked and freed by the configuration's
  bouncekeeper policy apply --yes
"""
    actions = Actions(parser)
    showing = actions.add("show", "the rules of the configuration, or of a policy of the database")
    showing.add_argument("--toml", action="store_true", help="prints it as TOML for the configuration file")
    showing.add_argument("--id", type=id_argument, metavar="ID", help="the policy with this id in `policy list`")
    listing = actions.add("list", "the policies of the database, the latest first")
    applying = actions.add("apply", "puts the configuration's policy in force for all contacts")
    applying.add_argument(
        "--dry-run", action="store_true", help="says who would be blocked and freed, and changes nothing"
    )
    applying.add_argument(
        "--account",
        metavar="ACCOUNT",
        help="with --dry-run: looks at this account alone; else its contacts come first (the policy is that of all)",
    )
    applying.add_argument("--yes", action="store_true", help="does not ask")
    for action in (showing, listing, applying):
        add_shared_flags(action)
        add_setting_flags(action, _NEEDS)


def _run(arguments: Namespace) -> int:
    if arguments.action == "show" and arguments.id is None:
        return _show(settings_of(arguments, needs=()).policy, arguments)
    settings = settings_of(arguments, needs=_NEEDS)
    return asyncio.run(_with_database(settings, arguments))


async def _with_database(settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not
    from worker.commands.support.person import log_acts  # noqa: PLC0415

    log_acts(settings, "policy")
    async with opened_database(settings) as pool:
        if arguments.action == "list":
            return await _list(pool, settings, arguments)
        if arguments.action == "show":
            return await _show_stored(pool, arguments)
        if arguments.account is not None:
            from worker.commands.support.account import require_account  # noqa: PLC0415

            await require_account(pool, settings, arguments.account)
        return await (_foresee if arguments.dry_run else _apply)(pool, settings, arguments)


def _show(policy: Policy, arguments: Namespace) -> int:
    if arguments.json:
        print_json(policy)
        return ExitCode.OK
    if arguments.toml:
        from worker.policy.policy_print import policy_as_toml  # noqa: PLC0415 - only when asked for

        print(policy_as_toml(policy), end="")  # noqa: T201 - the output
        return ExitCode.OK
    print_line(f"policy {policy.name}", style="bold")
    print_table(
        ("rule", "causes", "strikes", "within", "spread over", "then", "shown as", "forbids", "lifted by"),
        [_row(rule) for rule in policy.rules],
    )
    return ExitCode.OK


async def _show_stored(pool: "Pool", arguments: Namespace) -> int:
    from worker.policy.policy_encoding import decode_policy  # noqa: PLC0415 - costs time that --help has not
    from worker.store.policies import policy_rows  # noqa: PLC0415

    rows = await policy_rows(pool, [arguments.id])
    if not rows:
        raise RequestRefused(
            "unknown-policy", f"There is no policy {arguments.id}.", remedy="See `bouncekeeper policy list`."
        )
    return _show(decode_policy(rows[0].definition), arguments)


async def _list(pool: "Pool", settings: Settings, arguments: Namespace) -> int:
    from worker.policy.policy_encoding import decode_policy  # noqa: PLC0415 - costs time that --help has not
    from worker.store.policies import policy_rows  # noqa: PLC0415

    rows = await policy_rows(pool)
    active = next((row for row in rows if row.state == "active"), None)
    differs = active is not None and decode_policy(active.definition) != settings.policy
    columns = ("id", "name", "state", "activated_at", "activated_by", "created_at", "created_by")
    if arguments.json:
        policies = [{column: getattr(row, column) for column in columns} for row in rows]
        print_json({"policies": policies, "configuration_differs": differs})
    elif rows:
        print_table(
            ("id", "name", "state", "in force since", "by", "made", "by"),
            [tuple(getattr(row, column) for column in columns) for row in rows],
        )
    else:
        print_line("no policy is stored yet: the configuration's is, when a processor starts")
    if differs and not arguments.json:
        print_line("the configuration's policy is another one: see `bouncekeeper policy apply --dry-run`")
    return ExitCode.OK


async def _foresee(pool: "Pool", settings: Settings, arguments: Namespace) -> int:
    from worker.contacts.foresight import foresee  # noqa: PLC0415 - costs time that --help has not
    from worker.contacts.policies import Policies  # noqa: PLC0415

    with progress_bar("contacts", least=_WORTH_A_BAR_CONTACTS) as progress:
        foresight = await foresee(
            pool,
            settings.policy,
            Policies(settings.policy),
            now=datetime.now(UTC),
            account=arguments.account,
            progress=progress,
        )
    if arguments.json:
        print_json(foresight)
    else:
        _print_foresight(foresight)
    return ExitCode.OK


def _print_foresight(foresight: "Foresight") -> None:
    where = "" if foresight.account is None else f" of account {foresight.account}"
    print_line(
        f"Under policy {foresight.policy}, of {foresight.looked_at} contacts{where} to which a policy matters:",
        style="bold",
    )
    _print_direction("would be blocked", foresight.blocked)
    _print_direction("would be freed", foresight.freed)
    print_line(f"{foresight.otherwise} would change otherwise: another status, or another end of a hold")


def _print_direction(what: str, direction: "Direction") -> None:
    print_line(f"{direction.contacts} {what}")
    for rule, group in direction.by_rule.items():
        print_line(f"  {group.contacts} by {rule}")
        for sample in group.samples:
            print_line(f"    {sample.address} ({sample.account}): {sample.old_status} → {sample.new_status}")
    if direction.by_domain:
        domains = ", ".join(f"{domain} {count}" for domain, count in direction.by_domain.items())
        print_line(f"  most of them at {domains}")


async def _apply(pool: "Pool", settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.person import person_here  # noqa: PLC0415 - costs time that --help has not
    from worker.contacts.policies import apply_policy  # noqa: PLC0415

    if not arguments.yes and not _agrees(settings.policy):
        return ExitCode.NO
    state = await apply_policy(
        pool,
        settings.policy,
        now=datetime.now(UTC),
        by=person_here().name,
        first_account=arguments.account,
        again=True,
    )
    if arguments.json:
        print_json({"policy_id": state.active.id, "applied": state.applied, "job_id": state.job_id})
    else:
        print_line(_outcome(state))
    return ExitCode.OK


def _agrees(policy: Policy) -> bool:
    if not sys.stdin.isatty():
        raise ImpossibleSetting(
            "applying a policy can block and free many contacts: look at it with --dry-run, then add --yes"
        )
    return input(f"Put policy {policy.name} in force for all contacts? [y/N] ").strip().lower() in {"y", "yes"}


def _outcome(state: "PolicyState") -> str:
    named = f"policy {state.active.id}, {state.active.policy.name},"
    began = "is in force" if state.applied else "was in force already"
    return (
        f"{named} {began}: the processors fold contacts of other policies again as job {state.job_id};"
        f" see `bouncekeeper jobs show {state.job_id}`"
    )


def _row(rule: Rule) -> tuple[object, ...]:
    ladder = " → ".join("for good" if rung is None else _duration(rung) for rung in rule.hold_ladder)
    return (
        rule.name,
        ", ".join(sorted(rule.causes)),
        rule.strikes,
        "ever" if rule.window is None else _duration(rule.window),
        _duration(rule.min_span) if rule.min_span else "",
        f"{rule.action} {ladder}".strip(),
        rule.status,
        rule.applies_to,
        ", ".join(sorted(rule.lift_by)),
    )


def _duration(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


COMMANDS = {"policy": Command(_configure, _run)}
