"""`endpoints`: applications that receive status changes by signed webhooks, and their state."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import Any

from schemas.endpoint import Endpoint
from worker.commands.catalogue import Command
from worker.commands.support.actions import Actions
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import ImpossibleSetting
from worker.process.spelling import did_you_mean
from worker.settings.tree import Settings

_NEEDS = ("postgres", "endpoints")


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
An endpoint that fails is tried again for days, then disabled. `enable` sends to it again, from the first change that it
has not accepted. See docs/consuming.md.

examples:
  bouncekeeper endpoints list
  bouncekeeper endpoints enable crm
  bouncekeeper endpoints enable crm --from-now          skips the changes that it has missed
  bouncekeeper endpoints enable crm --after 1042-0d4f6a36   starts again from this place in the feed
  bouncekeeper endpoints forget old-crm                 one that is no longer configured
"""
    actions = Actions(parser)
    listing = actions.add("list", "each endpoint and its state; exit code 1 if one fails")
    enabling = actions.add("enable", "sends to it again, even before its next attempt is due")
    enabling.add_argument("name", metavar="NAME", help="the endpoint, as `endpoints list` shows it")
    forgetting = actions.add("forget", "drops the place in the feed of one that is no longer configured")
    forgetting.add_argument("name", metavar="NAME", help="the endpoint, as `endpoints list` shows it")
    places = enabling.add_mutually_exclusive_group()
    places.add_argument("--after", metavar="CURSOR", help="starts with the change after this cursor; 0-0 for all")
    places.add_argument("--from-now", action="store_true", help="starts with the next new change")
    for action in (listing, enabling, forgetting):
        add_shared_flags(action)
        add_setting_flags(action, ("postgres",))


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    from worker.commands.support.person import log_acts  # noqa: PLC0415 - costs time that --help has not

    log_acts(settings, "endpoints")
    actions = {"list": _list, "enable": _enable, "forget": _forget}
    return asyncio.run(actions[arguments.action](settings, arguments))


async def _list(settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not
    from worker.store.endpoint_states import endpoint_state  # noqa: PLC0415

    async with opened_database(settings) as pool:
        states = [(one, await endpoint_state(pool, one.name, counted=True)) for one in settings.endpoints]
    rows = [_row(endpoint, state) for endpoint, state in states]
    if arguments.json:
        print_json({"endpoints": rows})
    elif rows:
        headings = ("endpoint", "URL", "statuses", "state", "since", "waiting", "attempts", "next attempt", "failure")
        print_table(headings, [tuple(row.values()) for row in rows])
    else:
        print_line("no endpoint is configured: add an [endpoints.NAME] table to the configuration file")
    return ExitCode.NO if any(row["state"] in {"failing", "disabled"} for row in rows) else ExitCode.OK


def _row(endpoint: Endpoint, state: Any) -> dict[str, object]:
    row: dict[str, object] = {
        "name": endpoint.name,
        "url": endpoint.url,
        "statuses": ", ".join(endpoint.statuses) or "all",
    }
    if state is None:
        return {**row, "state": "no processor knows it yet", **dict.fromkeys(_STATE_FIELDS)}
    condition = "disabled" if state.disabled_at else "failing" if state.failing_since else "well"
    return {
        **row,
        "state": condition,
        "since": moment(state.disabled_at or state.failing_since),
        "waiting": state.waiting,
        "attempts": state.attempts or None,
        "next_attempt_at": None if state.disabled_at else moment(state.next_attempt_at),
        "failure": state.failure,
    }


_STATE_FIELDS = ("since", "waiting", "attempts", "next_attempt_at", "failure")


async def _enable(settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not
    from worker.commands.support.person import person_here  # noqa: PLC0415
    from worker.processor.endpoint_acts import enable  # noqa: PLC0415
    from worker.store.status_feed import require_cursor  # noqa: PLC0415

    name: str = arguments.name
    known = [endpoint.name for endpoint in settings.endpoints]
    if name not in known:
        raise ImpossibleSetting(f"there is no endpoint {name!r} in the configuration: {did_you_mean(name, known)}")
    async with opened_database(settings) as pool:
        position = None if arguments.after is None else await require_cursor(pool, arguments.after)
        enabled = await enable(
            pool,
            name,
            actor=person_here().name,
            now=datetime.now(UTC),
            after_position=position,
            from_now=arguments.from_now,
        )
    if arguments.json:
        print_json({"endpoint": name, "enabled": enabled})
    elif enabled:
        print_line(f"{name} is enabled: a processor sends to it again within seconds")
    else:
        print_line(f"no processor knows {name} yet: start one with this configuration")
    return ExitCode.OK if enabled else ExitCode.NO


async def _forget(settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not
    from worker.commands.support.person import person_here  # noqa: PLC0415
    from worker.processor.endpoint_acts import forget  # noqa: PLC0415

    name: str = arguments.name
    if name in {endpoint.name for endpoint in settings.endpoints}:
        raise ImpossibleSetting(
            f"{name} is still in the configuration, so it would receive changes again: remove it there first, and"
            " restart the processors"
        )
    async with opened_database(settings) as pool:
        forgotten = await forget(pool, name, actor=person_here().name, now=datetime.now(UTC))
    if arguments.json:
        print_json({"endpoint": name, "forgotten": forgotten})
    else:
        print_line(f"{name} is forgotten" if forgotten else f"there was no endpoint {name}")
    return ExitCode.OK if forgotten else ExitCode.NO


COMMANDS = {"endpoints": Command(_configure, _run)}
