"""`remove`: takes tags away from contacts, and lets people leave them."""

import asyncio
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from schemas.address import normalise_recipient
from schemas.removal import Leaving, Removal
from schemas.vocabulary import Channel
from worker.commands.catalogue import Command
from worker.commands.support.act_flags import add_account_flags, add_dry_run_flag
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.named_addresses import add_address_arguments, named_addresses
from worker.commands.support.output import print_json, print_line
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import RequestRefused, WrongUsage
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.removals import RemovalAnswer

_NEEDS = ("postgres",)


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Removes what `add` has stored with contacts: tags, and addresses of people. It forbids and allows
nothing, and the contact stays. What is not there is passed over. Exit code 1 if an address is not known.

examples:
  bouncekeeper remove jane@example.org --tag shop
  bouncekeeper remove jane@example.org --person 4711 --reason "she sold the company"
  bouncekeeper remove --file members.txt --tag member --dry-run
"""
    add_address_arguments(parser)
    parser.add_argument("--tag", action="append", default=[], metavar="TAG", dest="tags", help="a tag; repeatable")
    parser.add_argument("--person", metavar="ID", help="whose addresses they are no longer")
    parser.add_argument("--field", metavar="NAME", help="only as this of the person's addresses: email_1")
    parser.add_argument("--reason", metavar="TEXT", help="why: it is kept with the act")
    add_account_flags(parser)
    add_dry_run_flag(parser)
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    if not arguments.tags and arguments.person is None:
        raise WrongUsage("nothing is named to be taken away: give --tag or --person")
    if arguments.field is not None and arguments.person is None:
        raise WrongUsage("--field without --person: name whose address it is")
    people = () if arguments.person is None else (Leaving(person=arguments.person, field=arguments.field),)
    removal = Removal(tags=tuple(arguments.tags), people=people, note=arguments.reason, dry_run=arguments.dry_run)
    addresses = list(dict.fromkeys(named_addresses(arguments)))
    answers, unknown = asyncio.run(_remove(settings, arguments, removal, addresses))
    if arguments.json:
        print_json({"results": answers, "unknown": unknown})
    else:
        _print(answers, unknown, dry_run=arguments.dry_run)
    return ExitCode.NO if unknown else ExitCode.OK


async def _remove(
    settings: Settings, arguments: Namespace, removal: Removal, addresses: list[str]
) -> "tuple[list[RemovalAnswer], list[str]]":
    """What came of the addresses that are known, and the others."""
    from worker.commands.support.account import require_account  # noqa: PLC0415 - all of these cost time that --help has not
    from worker.commands.support.database import opened_writer_database  # noqa: PLC0415
    from worker.commands.support.person import log_acts, person_here  # noqa: PLC0415
    from worker.contacts.removals import UNKNOWN_CONTACT, RemovalQuestion, remove_belongings  # noqa: PLC0415

    log_acts(settings, arguments.command)
    channel = Channel(arguments.channel)
    answers: list[RemovalAnswer] = []
    unknown: list[str] = []
    async with opened_writer_database(settings) as pool:
        await require_account(pool, settings, arguments.account)
        for spelling in addresses:
            address = normalise_recipient(spelling, channel)
            if address is None:
                unknown.append(spelling)
                continue
            question = RemovalQuestion(
                removal=removal,
                address=address,
                account=arguments.account,
                channel=channel,
                principal=person_here(),
                what="command",
            )
            try:
                answers.append(await remove_belongings(pool, question))
            except RequestRefused as error:
                if error.kind != UNKNOWN_CONTACT:
                    raise
                unknown.append(spelling)
    return answers, unknown


def _print(answers: "list[RemovalAnswer]", unknown: list[str], *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for answer in answers:
        tags = [f"tag {tag}" for tag in answer.tags]
        people = [f"person {one.person}" + (f" ({one.field})" if one.field else "") for one in answer.people]
        gone = ", ".join([*tags, *people])
        print_line(
            f"{answer.address}: {would}removed: {gone}" if gone else f"{answer.address}: nothing of it was there"
        )
    for spelling in unknown:
        print_line(f"{spelling}: not known")


COMMANDS = {"remove": Command(_configure, _run)}
