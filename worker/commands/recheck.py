"""`recheck`: checks addresses again that were corrected or are doubted, and frees those that a rule frees."""

import asyncio
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from schemas.vocabulary import Channel
from worker.commands.catalogue import Command
from worker.commands.support.act_flags import add_account_flags, add_dry_run_flag
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.named_addresses import add_address_arguments, named_addresses
from worker.commands.support.output import print_json, print_line
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.recheck import RecheckAnswer

_NEEDS = ("postgres", "recheck", "safelist")
_AT_ONCE = 10


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Checks addresses again: whether each is one, whether its domain takes mail now (if recheck.dns allows to ask), and what
is known of it. A contact that was blocked because of its domain is freed if the domain takes mail now. For all others
you are told what is in the way, and whether a safelist request is possible. Exit code 1 if mail to any of them is
forbidden, or one is no address.

examples:
  bouncekeeper recheck jane@example.org
  bouncekeeper recheck --file corrected.txt --recheck-dns true --dry-run
"""
    add_address_arguments(parser)
    add_account_flags(parser)
    add_dry_run_flag(parser)
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    addresses = named_addresses(arguments)
    answers = asyncio.run(_recheck(settings, arguments, list(dict.fromkeys(addresses))))
    if arguments.json:
        print_json({"results": answers})
    else:
        for answer in answers:
            _print(answer)
    return ExitCode.OK if all(map(_may_be_mailed, answers)) else ExitCode.NO


async def _recheck(settings: Settings, arguments: Namespace, addresses: list[str]) -> "list[RecheckAnswer]":
    from datetime import UTC, datetime  # noqa: PLC0415 - all of these cost time that --help has not

    from worker.api.recheck_rules import recheck_rules  # noqa: PLC0415
    from worker.commands.support.account import require_account  # noqa: PLC0415
    from worker.commands.support.database import opened_writer_database  # noqa: PLC0415
    from worker.commands.support.person import log_acts, person_here  # noqa: PLC0415
    from worker.contacts.batch_terms import BatchRules  # noqa: PLC0415
    from worker.contacts.policies import Policies  # noqa: PLC0415
    from worker.contacts.recheck import RecheckQuestion, recheck_contact  # noqa: PLC0415

    log_acts(settings, arguments.command)
    batch = BatchRules(policies=Policies(settings.policy), oldest_kept=datetime.now(UTC))
    rules = recheck_rules(settings.recheck, settings.safelist)
    turns = asyncio.Semaphore(_AT_ONCE)
    async with opened_writer_database(settings) as pool:
        await require_account(pool, settings, arguments.account)

        async def check(address: str) -> "RecheckAnswer":
            question = RecheckQuestion(
                address=address,
                account=arguments.account,
                channel=Channel(arguments.channel),
                principal=person_here(),
                what="command",
                dry_run=arguments.dry_run,
            )
            async with turns:
                return await recheck_contact(pool, question, batch=batch, rules=rules)

        async with asyncio.TaskGroup() as group:
            checks = [group.create_task(check(address)) for address in addresses]
        return [check.result() for check in checks]


def _may_be_mailed(answer: "RecheckAnswer") -> bool:
    if not answer.is_address or answer.domain.state in {"takes_no_mail", "does_not_exist"}:
        return False
    return answer.freed or answer.contact is None or not answer.contact.forbids


def _print(answer: "RecheckAnswer") -> None:
    freed = " Freed." if answer.freed and not answer.dry_run else " It would be freed." if answer.freed else ""
    print_line(f"{answer.address}: {answer.sentence}{freed}")
    if answer.remedy:
        print_line(f"  {answer.remedy}")
    contact = answer.contact
    if contact is not None and contact.forbids:
        print_line(f"  {contact.sentence}")
        print_line(f"  {contact.safelist.sentence}")


COMMANDS = {"recheck": Command(_configure, _run)}
