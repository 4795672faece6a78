"""`dead-letters`: webhooks that could not be processed, kept whole."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import Any

from worker.commands.catalogue import Command
from worker.commands.support.actions import Actions
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import (
    add_setting_flags,
    add_shared_flags,
    count_argument,
    id_argument,
    settings_of,
)
from worker.settings.tree import Settings

_NEEDS = ("postgres", "queue")


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
A webhook that could not be processed is set aside whole, with the reason. After a fix you can replay it.
Its events keep their keys, so replaying a letter twice changes nothing.

examples:
  bouncekeeper dead-letters list
  bouncekeeper dead-letters show 17
  bouncekeeper dead-letters replay --source sendgrid --dry-run
  bouncekeeper dead-letters replay 17 18
  bouncekeeper dead-letters discard 17 --note "a test of ours"
"""
    actions = Actions(parser)
    listing = actions.add("list", "the open dead letters, oldest first; exit code 1 if there are any")
    listing.add_argument("--all", action="store_true", help="includes those that were replayed or discarded")
    listing.add_argument(
        "--limit", type=count_argument(1_000_000), default=100, metavar="N", help="(default %(default)s)"
    )
    listing.add_argument("--after", type=id_argument, default=0, metavar="ID", help="continues after this one")
    showing = actions.add("show", "one dead letter with everything that was received")
    showing.add_argument("id", type=id_argument, metavar="ID", help="as `dead-letters list` shows it")
    replaying = actions.add("replay", "queues the named dead letters again, or else all open ones")
    discarding = actions.add("discard", "closes the named dead letters; they stay readable")
    for choosing in (listing, replaying):
        choosing.add_argument("--source", help="only of this source")
        choosing.add_argument("--reason", help="only of this reason")
    replaying.add_argument("ids", type=id_argument, nargs="*", metavar="ID", help="only these")
    replaying.add_argument("--note", help="a remark to keep with them")
    discarding.add_argument("ids", type=id_argument, nargs="+", metavar="ID", help="as `dead-letters list` shows them")
    discarding.add_argument("--note", required=True, help="why, for colleagues")
    for changing in (replaying, discarding):
        changing.add_argument("--dry-run", action="store_true", help="shows what would happen and changes nothing")
    for action in (listing, showing, replaying, discarding):
        add_shared_flags(action)
        add_setting_flags(action, _NEEDS)


def _run(arguments: Namespace) -> int:
    needs = _NEEDS if arguments.action == "replay" else ("postgres",)
    settings = settings_of(arguments, needs=needs)
    actions = {"list": _list, "show": _show, "replay": _replay, "discard": _discard}
    return asyncio.run(_with_database(settings, arguments, actions[arguments.action]))


async def _with_database(settings: Settings, arguments: Namespace, action: Any) -> int:
    from worker.commands.support.database import opened_database  # noqa: PLC0415 - costs time that --help has not
    from worker.commands.support.person import log_acts  # noqa: PLC0415

    log_acts(settings, "dead-letters")
    async with opened_database(settings) as pool:
        status: int = await action(pool, settings, arguments)
        return status


async def _list(pool: Any, _settings: Settings, arguments: Namespace) -> int:
    from worker.store.dead_letters import list_dead_letters  # noqa: PLC0415 - costs time that --help has not

    letters = await list_dead_letters(
        pool,
        source=arguments.source,
        reason=arguments.reason,
        only_open=not arguments.all,
        after_id=arguments.after,
        limit=arguments.limit,
    )
    if arguments.json:
        print_json({"dead_letters": letters})
    elif not letters:
        print_line("no dead letters")
    else:
        print_table(
            ("id", "source", "received", "attempts", "bytes", "reason", "detail"),
            [
                (
                    letter.id,
                    letter.source,
                    moment(letter.received_at),
                    letter.attempts,
                    letter.body_bytes,
                    letter.reason,
                    letter.detail,
                )
                for letter in letters
            ],
        )
        if len(letters) == arguments.limit:
            print_line(f"there may be more: add --after {letters[-1].id}")
    return ExitCode.NO if any(letter.open for letter in letters) else ExitCode.OK


async def _show(pool: Any, _settings: Settings, arguments: Namespace) -> int:
    from worker.store.dead_letters import read_dead_letters  # noqa: PLC0415 - costs time that --help has not

    contents = await read_dead_letters(pool, [arguments.id])
    if not contents:
        return _print_unknown(arguments, [arguments.id])
    (content,) = contents
    body = content.envelope.body
    text = body.decode("utf-8", "backslashreplace")
    if arguments.json:
        print_json(
            {
                "dead_letter": content.letter,
                "content_type": content.envelope.content_type,
                "headers": content.envelope.headers,
                "body": text,
                "body_hex": None if text.isprintable() or text.isascii() else body.hex(),
            }
        )
        return ExitCode.OK
    for name in content.letter.__struct_fields__:
        if (value := getattr(content.letter, name)) is None:
            continue
        print_line(f"{name:<14} {moment(value) if isinstance(value, datetime) else value}")
    for name, value in content.envelope.headers.items():
        print_line(f"{name}: {value}")
    print_line()
    print_line(text)
    return ExitCode.OK


async def _replay(pool: Any, settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.person import person_here  # noqa: PLC0415 - costs time that --help has not
    from worker.processor.replay import replay_dead_letters  # noqa: PLC0415
    from worker.queue.opening import open_writer  # noqa: PLC0415

    writer = await open_writer(settings, ends_when_refused=True)
    try:
        outcome = await replay_dead_letters(
            pool,
            writer,
            ids=arguments.ids or None,
            source=arguments.source,
            reason=arguments.reason,
            person=person_here().name,
            now=datetime.now(UTC),
            note=arguments.note,
            dry_run=arguments.dry_run,
        )
    finally:
        await writer.close()
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, "outcome": outcome})
    else:
        print_line(f"{'would replay' if arguments.dry_run else 'queued again'}: {_join_ids(outcome.queued) or 'none'}")
        if outcome.still_unreadable:
            print_line(f"still open, because this version cannot read them: {_join_ids(outcome.still_unreadable)}")
    missing = set(arguments.ids) - {*outcome.queued, *outcome.still_unreadable}
    if missing and not arguments.json:
        print_line(f"there is no dead letter {_join_ids(missing)}")
    return ExitCode.NO if missing or outcome.still_unreadable else ExitCode.OK


async def _discard(pool: Any, _settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.person import person_here  # noqa: PLC0415 - as above
    from worker.processor.discarding import discard  # noqa: PLC0415
    from worker.store.dead_letters import read_dead_letters  # noqa: PLC0415

    if arguments.dry_run:
        contents = await read_dead_letters(pool, arguments.ids)
        closed = [content.letter.id for content in contents if content.letter.open]
    else:
        closed = await discard(
            pool, arguments.ids, actor=person_here().name, note=arguments.note, now=datetime.now(UTC)
        )
    missing = sorted(set(arguments.ids) - set(closed))
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, "discarded": closed, "not_open": missing})
    else:
        print_line(f"{'would discard' if arguments.dry_run else 'discarded'}: {_join_ids(closed) or 'none'}")
        if missing:
            print_line(f"unknown or already closed: {_join_ids(missing)}")
    return ExitCode.NO if missing else ExitCode.OK


def _print_unknown(arguments: Namespace, ids: list[int]) -> int:
    if arguments.json:
        print_json({"dead_letter": None})
    else:
        print_line(f"there is no dead letter {_join_ids(ids)}")
    return ExitCode.NO


def _join_ids(ids: Any) -> str:
    return ", ".join(str(letter_id) for letter_id in sorted(ids))


COMMANDS = {"dead-letters": Command(_configure, _run)}
