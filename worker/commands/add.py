"""`add`: contacts come in, one by one or as a file of millions."""

import asyncio
import sys
import uuid
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain, islice
from typing import TYPE_CHECKING

from msgspec import Struct

from schemas.addition import Addition
from schemas.decision import Permission
from schemas.vocabulary import Channel
from worker.commands.catalogue import Command
from worker.commands.support.act_flags import add_account_flags, add_dry_run_flag, add_idempotency_flag
from worker.commands.support.addition_rows import FaultyRow, additions_of
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import print_json, print_line, print_table
from worker.commands.support.progress_bar import progress_bar
from worker.commands.support.recipient_table import RecipientTable, is_file, opened_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import StoreUnavailable, WrongUsage
from worker.settings.added_permission import COMMAND, added_permission
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.additions import AdditionAnswer
    from worker.contacts.decision_answer import SkippedAddress

_NEEDS = ("postgres",)
_AT_ONCE = 500  # contacts of one act: it is one transaction, so a command that was killed goes on at once
_SHOWN_SKIPS = 1_000
_WORTH_A_BAR_BYTES = 100_000
_WORTH_A_BAR_CONTACTS = 2_000


class _Total(Struct, kw_only=True):
    """What came of all contacts together."""

    idempotency_key: str
    account: str
    channel: Channel
    dry_run: bool
    repeated: bool = True  # all of it was done before, under this key
    contacts: int = 0
    added: int = 0
    known: int = 0
    skipped: int = 0
    duplicates: int = 0
    skipped_contacts: list["SkippedAddress"] = []  # the first ones

    def add(self, answer: "AdditionAnswer") -> None:
        """Counts the answer in."""
        for name in ("contacts", "added", "known", "skipped", "duplicates"):
            setattr(self, name, getattr(self, name) + getattr(answer, name))
        self.repeated = self.repeated and answer.repeated
        self._show(answer.skipped_contacts)

    def skip(self, faulty: "Sequence[SkippedAddress]") -> None:
        """Counts rows that were not even asked about."""
        self.contacts += len(faulty)
        self.skipped += len(faulty)
        self._show(faulty)

    def _show(self, skipped: "Sequence[SkippedAddress]") -> None:
        self.skipped_contacts += skipped[: _SHOWN_SKIPS - len(self.skipped_contacts)]


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Tells of contacts before they are mailed: what is known of their permission, tags, and whose addresses they are.
Adding a contact that is known changes nothing that forbids or allows mail; its tags and people are noted.
It is no import: opt-outs and bounces of another system do not come in this way.

A file has one address a line, or is CSV with the columns email, and perhaps person, field, tags (with ; between
them) and permission (unknown, stated, none_needed). Exit code 1 if anything was skipped, 2 if a file holds no
address.

examples:
  bouncekeeper add jane@example.org --permission stated --tag shop
  bouncekeeper add jane@example.org --person 4711 --field email_1
  bouncekeeper add contacts.csv --dry-run
"""
    parser.add_argument(
        "addresses", nargs="*", metavar="ADDRESS|FILE", help="an address, or a file of them; - reads them from stdin"
    )
    parser.add_argument("--file", metavar="FILE", help="a file, also one whose name is an address")
    parser.add_argument("--column", metavar="NAME", help="the column of addresses in CSV (default: found by its name)")
    parser.add_argument(
        "--permission",
        choices=[permission.value for permission in Permission],
        help="of those that name none (default: the setting api.added_permissions)",
    )
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", dest="tags", help="of all; repeatable")
    parser.add_argument("--person", metavar="ID", help="whose addresses they are, unless the file says it")
    parser.add_argument("--field", metavar="NAME", help="what you call the address of the person: email_1")
    parser.add_argument("--reason", metavar="TEXT", help="why: others read it in the history")
    add_account_flags(parser)
    add_dry_run_flag(parser)
    add_idempotency_flag(parser, does="adds")
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    channel = Channel(arguments.channel)
    named = [word for word in arguments.addresses if not is_file(word, channel)]
    files = [word for word in arguments.addresses if is_file(word, channel)]
    files += [] if arguments.file is None else [arguments.file]
    if not named and not files:
        raise WrongUsage("no address is given: name some, or a file of them")
    total = _Total(
        idempotency_key=arguments.idempotency_key or str(uuid.uuid4()),
        account=arguments.account,
        channel=channel,
        dry_run=arguments.dry_run,
    )
    with ExitStack() as stack:
        opened = [opened_table(file, channel=channel, column=arguments.column) for file in files]
        tables = [stack.enter_context(table) for table in opened]
        try:
            asyncio.run(_add(settings, arguments, named, tables, total))
        except (StoreUnavailable, KeyboardInterrupt):
            if not arguments.dry_run:
                sys.stderr.write(
                    "bouncekeeper: some may be added; to go on, repeat it with --idempotency-key"
                    f" {total.idempotency_key}\n"
                )
            raise
    if arguments.json:
        print_json(total)
    else:
        _print(total)
    return ExitCode.NO if total.skipped else ExitCode.OK


async def _add(
    settings: Settings, arguments: Namespace, named: list[str], tables: list[RecipientTable], total: _Total
) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415 - all of these cost time that --help has not

    from worker.commands.support.account import require_account  # noqa: PLC0415
    from worker.commands.support.database import opened_writer_database  # noqa: PLC0415
    from worker.commands.support.person import log_acts, person_here  # noqa: PLC0415
    from worker.contacts.additions import AdditionTerms, add_contacts, faulty_row  # noqa: PLC0415
    from worker.contacts.batch_terms import BatchRules  # noqa: PLC0415
    from worker.contacts.policies import Policies  # noqa: PLC0415

    log_acts(settings, arguments.command)
    default = added_permission(settings.api.added_permission, settings.api.added_permissions)(COMMAND)
    rules = BatchRules(policies=Policies(settings.policy), oldest_kept=datetime.now(UTC))
    principal = person_here()
    of_bytes = all(table.total_bytes is not None for table in tables)
    least = _WORTH_A_BAR_BYTES if tables and of_bytes else _WORTH_A_BAR_CONTACTS
    async with opened_writer_database(settings) as pool:
        await require_account(pool, settings, arguments.account)
        with progress_bar("adding", least=least, of_bytes=bool(tables) and of_bytes) as progress:
            for number, rows in enumerate(_some_at_once(arguments, named, tables)):
                terms = AdditionTerms(
                    permission=default if arguments.permission is None else Permission(arguments.permission),
                    tags=tuple(arguments.tags),
                    note=arguments.reason,
                    account=arguments.account,
                    channel=total.channel,
                    principal=principal,
                    what="command",
                    idempotency_key=f"{total.idempotency_key}/{number}",
                    dry_run=arguments.dry_run,
                )
                sound = [row for row in rows if isinstance(row, Addition)]
                faulty = [faulty_row(row.address, row.fault) for row in rows if isinstance(row, FaultyRow)]
                total.add(await add_contacts(pool, sound, terms, rules=rules))
                total.skip(faulty)
                if progress is not None:
                    read = sum(table.bytes_read for table in tables)
                    size = sum(table.total_bytes or 0 for table in tables)
                    progress(read if tables and of_bytes else total.contacts, size if tables and of_bytes else None)


def _some_at_once(
    arguments: Namespace, named: list[str], tables: list[RecipientTable]
) -> Iterator[list[Addition | FaultyRow]]:
    """The contacts that are named and those of the files, so many at once. The same words give the same pieces."""
    rows = chain(
        (Addition(address=address, person=arguments.person, field=arguments.field) for address in named),
        *(additions_of(table, person=arguments.person, field=arguments.field) for table in tables),
    )
    while some := list(islice(rows, _AT_ONCE)):
        yield some


def _print(total: _Total) -> None:
    counts = [f"{'would be ' if total.dry_run else ''}added: {total.added}"]
    counts += [f"known before: {total.known}"] if total.known else []
    counts += [f"skipped: {total.skipped}"] if total.skipped else []
    counts += [f"given twice: {total.duplicates}"] if total.duplicates else []
    print_line(", ".join(counts))
    if total.skipped_contacts:
        print_table(
            ("skipped", "why", "instead"),
            [(skip.address, skip.sentence, skip.remedy) for skip in total.skipped_contacts],
        )
    if total.skipped > len(total.skipped_contacts):
        print_line(f"and {total.skipped - len(total.skipped_contacts)} more")


COMMANDS = {"add": Command(_configure, _run)}
