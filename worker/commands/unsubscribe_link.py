"""`unsubscribe-link`: makes the link and the header fields for one-click unsubscribes."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator

import msgspec

from schemas.address import normalise_recipient
from schemas.vocabulary import Channel
from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.list_argument import list_argument
from worker.commands.support.named_addresses import holds_no_address
from worker.commands.support.output import print_line, print_to_copy
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import ImpossibleSetting

_NEEDS = ("unsubscribe",)
_DEFAULT_ACCOUNT = "default"
_REMEDY = "docs/unsubscribe.md tells how"


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Makes unsubscribe links: for each address the link, and the two header fields for its mail (RFC 8058). They depend
only on the first of unsubscribe.secrets and on what is named here; nothing is stored or sent, and no database is
asked. With --list the link is about that list, without it about all of them.

- reads addresses from standard input, one per line. With --json there is one line of JSON for each.

Exit code 1 if a text is not an address, or if the link would be too long for a header line; 2 if standard input
holds no address.

examples:
  bouncekeeper unsubscribe-link jane@example.org --list newsletter
  bouncekeeper unsubscribe-link jane@example.org --list newsletter --account shop-7 --campaign spring
  cut -d, -f1 recipients.csv | bouncekeeper unsubscribe-link - --list newsletter --json
"""
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS", help="the mail's recipient; - reads them from stdin")
    parser.add_argument("--list", type=list_argument, metavar="NAME", help="the list that the opt-out is limited to")
    parser.add_argument("--account", default=_DEFAULT_ACCOUNT, help="whose contact it is (default %(default)s)")
    parser.add_argument(
        "--message-id", default="", metavar="ID", help="your own id of the message, shown with the event"
    )
    parser.add_argument("--campaign", default="", metavar="ID", help="your own id of the campaign")
    parser.add_argument(
        "--channel",
        choices=[channel.value for channel in Channel],
        default=Channel.EMAIL.value,
        help="how the person is reached (default %(default)s)",
    )
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    from worker.providers.vendors.unsubscribe_page.made_link import make_link  # noqa: PLC0415 - as below
    from worker.providers.vendors.unsubscribe_page.unsubscribe_token import (  # noqa: PLC0415 - --help has no time for it
        UnsubscribeKeys,
        UnsubscribeLink,
    )

    settings = settings_of(arguments, needs=_NEEDS).unsubscribe
    for name, value in (("unsubscribe.secrets", settings.secrets), ("unsubscribe.url", settings.url)):
        if not value:
            raise ImpossibleSetting(f"{name} is missing, without which there is no unsubscribe link: {_REMEDY}")
    keys, channel = UnsubscribeKeys(settings.secrets), Channel(arguments.channel)
    well = True
    for index, address in enumerate(_read_addresses(arguments)):
        link = UnsubscribeLink(
            address=address,
            list=arguments.list or "",
            account="" if arguments.account == _DEFAULT_ACCOUNT else arguments.account,
            channel=channel,
            message_id=arguments.message_id,
            campaign=arguments.campaign,
        )
        made, problem = None, "this is not an address"
        if normalise_recipient(address, channel) is not None:
            made, problem = make_link(keys, link, base_url=settings.url), "the link is too long for a header line"
        well = well and made is not None
        if arguments.json:
            print_to_copy(msgspec.json.encode(made or {"address": address, "problem": problem}).decode())
        elif made is None:
            print_line(f"{address}: {problem}", style="bold red")
        else:
            _print(address, made.headers, first=index == 0)
    return ExitCode.OK if well else ExitCode.NO


def _read_addresses(arguments: Namespace) -> Iterator[str]:
    for word in arguments.addresses:
        addresses = map(str.strip, sys.stdin if word == "-" else (word,))
        found = False
        for address in filter(None, addresses):
            found = True
            yield address
        if not found:
            raise holds_no_address("standard input" if word == "-" else "an empty word")


def _print(address: str, headers: dict[str, str], *, first: bool) -> None:
    if not first:
        print_line()
    print_line(address, style="bold")
    for name, value in headers.items():
        print_to_copy(f"{name}: {value}")


COMMANDS = {"unsubscribe-link": Command(_configure, _run)}
