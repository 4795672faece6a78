"""`check`: may I write to these addresses?"""

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.address import normalise_recipient
from schemas.vocabulary import Channel, MailClass
from worker.commands.catalogue import Command
from worker.commands.support.act_flags import add_account_flags
from worker.commands.support.checking import FallOut, cells, check_stream, headings, tell
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.list_argument import list_argument
from worker.commands.support.one_contact import add_names_argument, asked_names
from worker.commands.support.output import REACHED, print_json, print_line, print_table
from worker.commands.support.recipient_table import RecipientTable, is_file, opened_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.commands.support.whole_output import opened_output
from worker.errors import WrongUsage
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.check import CheckAnswer
    from worker.store.pool import Pool

_NEEDS = ("postgres",)
_DEFAULT_ACCOUNT = "default"


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Says for each address or phone number whether you may send to it, and why not. Exit code 0 if you may send to
all, 1 if not. You may send to an address that nobody ever reported on. An account that does not exist is a
mistake: exit code 1. So is a file that holds no address: exit code 2. If the database is away, do not send: exit
code 4.

A file has one address a line, or is CSV with a column of addresses. Its rows are answered as they are read, and
the fall-out by status is told at the end, on stderr.

examples:
  bouncekeeper check jane@example.org
  bouncekeeper check --for transactional jane@example.org john@example.net
  bouncekeeper check --channel sms +491701234567
  bouncekeeper check recipients.csv --scope newsletter --output checked.tsv
  cut -d, -f1 recipients.csv | bouncekeeper check - --json
"""
    parser.add_argument(
        "addresses",
        nargs="*",
        metavar="ADDRESS|FILE",
        help="an e-mail address, a phone number, or a file of them; - reads them from stdin",
    )
    parser.add_argument("--file", metavar="FILE", help="a file, also one whose name is an address")
    parser.add_argument("--column", metavar="NAME", help="the column of addresses in CSV (default: found by its name)")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="where the rows of a file go: it appears when all are answered (default: stdout)",
    )
    parser.add_argument(
        "--for",
        dest="mail_class",
        choices=[mail_class.value for mail_class in MailClass],
        default=MailClass.MARKETING.value,
        help="the kind of message (default %(default)s)",
    )
    parser.add_argument(
        "--scope",
        type=list_argument,
        metavar="NAME",
        help="the list or group: opt-outs of others do not count",
    )
    add_account_flags(parser, reached="how they are reached; on sms an address is a phone number such as +491701234567")
    add_names_argument(parser)
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
    if arguments.output is not None and any(_is_same_file(file, arguments.output) for file in files):
        raise WrongUsage(f"--output {arguments.output} would replace the list itself: name another file")
    with ExitStack() as stack:
        opened = [opened_table(file, channel=channel, column=arguments.column) for file in files]
        tables = [stack.enter_context(table) for table in opened]
        return asyncio.run(_check(settings, named, tables, arguments))


def _is_same_file(file: str, output: str) -> bool:
    try:
        return Path(output).samefile(file)
    except OSError:  # one of them is not there: whoever opens it says so
        return False


async def _check(settings: Settings, named: list[str], tables: list[RecipientTable], arguments: Namespace) -> int:
    from worker.commands.support.account import require_account  # noqa: PLC0415
    from worker.commands.support.database import opened_database  # noqa: PLC0415
    from worker.contacts.check import check_addresses  # noqa: PLC0415 - costs time that --help has not
    from worker.contacts.policies import Policies  # noqa: PLC0415

    total = FallOut(
        mail_class=MailClass(arguments.mail_class), channel=Channel(arguments.channel), scope=arguments.scope
    )
    async with opened_database(settings) as pool:
        await require_account(pool, settings, arguments.account)
        policies = Policies(settings.policy)
        elsewhere = _Elsewhere(pool, arguments)

        async def ask(addresses: Sequence[str]) -> "CheckAnswer":
            answer = await check_addresses(
                pool,
                addresses,
                mail_class=total.mail_class,
                policies=policies,
                now=datetime.now(UTC),
                account=arguments.account,
                channel=total.channel,
                scope=arguments.scope,
                names=asked_names(arguments),
            )
            await elsewhere.look(answer)
            return answer

        if tables or arguments.output is not None:
            with opened_output(arguments.output) as output:
                await check_stream(
                    ask, named, tables, output, total=total, as_json=arguments.json, names=arguments.names
                )
            tell(total, as_json=arguments.json)
        else:
            answer = await ask(named)
            total.add(answer)
            _print(answer, total, as_json=arguments.json, names=arguments.names)
    sys.stderr.write(elsewhere.hint)
    return ExitCode.NO if total.forbidden else ExitCode.OK


def _print(answer: "CheckAnswer", total: FallOut, *, as_json: bool, names: str | None) -> None:
    if as_json:
        print_json(answer)
        return
    print_table(headings(names), [cells(result, names) for result in answer.results])
    if len(answer.results) > 1:
        may = f"may be {REACHED[total.channel]} ({answer.mail_class})"
        print_line(f"{answer.allowed} {may}, {answer.forbidden} may not")


class _Elsewhere:
    """Whether another account knows an address that this one does not.

    Who names no account may not know that there are several, and would be surprised by this "yes".
    """

    def __init__(self, pool: "Pool", arguments: Namespace) -> None:
        self.hint = ""
        self._pool = pool
        self._channel = Channel(arguments.channel)
        self._is_wanted = arguments.account == _DEFAULT_ACCOUNT

    async def look(self, answer: "CheckAnswer") -> None:
        """Sets the hint when there is one to give."""
        unknown = [result.address for result in answer.results if result.allowed and not result.known]
        if self._is_wanted and unknown and not self.hint:
            self.hint = await _known_elsewhere(self._pool, unknown, self._channel)


async def _known_elsewhere(pool: "Pool", addresses: list[str], channel: Channel) -> str:
    """A hint if another account knows one of the addresses, else ""."""
    from worker.store.contact_lookup import find_elsewhere  # noqa: PLC0415

    spellings = [spelling for address in addresses if (spelling := normalise_recipient(address, channel)) is not None]
    for key in await find_elsewhere(pool, spellings, account=_DEFAULT_ACCOUNT, channel=channel, limit=1):
        return (
            f"bouncekeeper: this answer is about account {_DEFAULT_ACCOUNT}, but {key.address} is known in account"
            f" {key.account}: ask again with --account {key.account}\n"
        )
    return ""


COMMANDS = {"check": Command(_configure, _run)}
