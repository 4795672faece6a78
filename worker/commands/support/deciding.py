"""Shared by the commands that decide about contacts: `lift`, `block`, `unsubscribe`, `opt-in` and their like."""

import asyncio
import sys
import uuid
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schemas.decision_request import DecisionTerms
from schemas.vocabulary import Channel, Way
from worker.commands.support.act_flags import add_account_flags, add_dry_run_flag, add_idempotency_flag
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.named_addresses import add_address_arguments, named_addresses
from worker.commands.support.output import print_json, print_line, print_table
from worker.commands.support.progress_bar import progress_bar
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.errors import StoreUnavailable
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.decision_answer import DecisionAnswer

_NEEDS = ("postgres",)
_WORTH_A_BAR_CONTACTS = 2_000


def add_decision_flags(parser: ArgumentParser, *, needs_reason: bool = True) -> None:
    """The addresses, the reason, and how it is done."""
    add_address_arguments(parser)
    parser.add_argument("--reason", required=needs_reason, metavar="TEXT", help="why: others read it in the history")
    add_account_flags(parser)
    add_dry_run_flag(parser)
    add_idempotency_flag(parser, does="decides")
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def add_wish_flags(parser: ArgumentParser) -> None:
    """How the person said so."""
    parser.add_argument(
        "--by-contact", action="store_true", help="the person did it, say in a form, and nobody was told to record it"
    )
    parser.add_argument(
        "--way",
        choices=[way.value for way in Way],
        help="how it was said (default: form with --by-contact, else staff)",
    )


def wish_of(arguments: Namespace) -> dict[str, Any]:
    """The terms that `add_wish_flags` asks for, and the reason."""
    way = None if arguments.way is None else Way(arguments.way)
    return {"note": arguments.reason, "by_contact": arguments.by_contact, "way": way}


def time_argument(text: str) -> datetime:
    """The time of a flag; UTC unless it names a zone. Raises ArgumentTypeError."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no time such as 2030-01-31 or 2030-01-31T12:00Z") from error
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)


def run_decision(arguments: Namespace, terms: DecisionTerms, *, done: str) -> int:
    """Decides, prints what came of it, and gives the exit status. `done` is the verb: "lifted"."""
    settings = settings_of(arguments, needs=_NEEDS)
    addresses = named_addresses(arguments)
    key = arguments.idempotency_key or str(uuid.uuid4())
    try:
        answer = asyncio.run(_decide(settings, arguments, terms, addresses, key))
    except (StoreUnavailable, KeyboardInterrupt):
        if not arguments.dry_run:
            sys.stderr.write(f"bouncekeeper: some may be decided; to go on, repeat it with --idempotency-key {key}\n")
        raise
    if arguments.json:
        print_json({**{name: getattr(answer, name) for name in answer.__struct_fields__}, "idempotency_key": key})
    else:
        _print(answer, done)
    return ExitCode.NO if answer.skipped or answer.still_forbidden else ExitCode.OK


async def _decide(
    settings: Settings, arguments: Namespace, terms: DecisionTerms, addresses: list[str], key: str
) -> "DecisionAnswer":
    from worker.commands.support.account import require_account  # noqa: PLC0415 - all of these cost time that --help has not
    from worker.commands.support.database import opened_writer_database  # noqa: PLC0415
    from worker.commands.support.person import log_acts, person_here  # noqa: PLC0415
    from worker.contacts.batch_terms import BatchRules  # noqa: PLC0415
    from worker.contacts.decisions import Question, decide_contacts  # noqa: PLC0415
    from worker.contacts.policies import Policies  # noqa: PLC0415

    log_acts(settings, arguments.command)
    question = Question(
        terms=terms,
        addresses=addresses,
        account=arguments.account,
        channel=Channel(arguments.channel),
        principal=person_here(),
        what="command",
        idempotency_key=key,
        dry_run=arguments.dry_run,
    )
    rules = BatchRules(policies=Policies(settings.policy), oldest_kept=datetime.now(UTC))
    async with opened_writer_database(settings) as pool:
        await require_account(pool, settings, arguments.account)
        with progress_bar("deciding", least=_WORTH_A_BAR_CONTACTS) as progress:
            return await decide_contacts(pool, question, rules=rules, progress=progress)


def _print(answer: "DecisionAnswer", done: str) -> None:
    counts = [f"{'would be ' if answer.dry_run else ''}{done}: {answer.made}"]
    counts += [f"known before: {answer.unchanged}"] if answer.unchanged else []
    counts += [f"skipped: {answer.skipped}"] if answer.skipped else []
    counts += [f"given twice: {answer.duplicates}"] if answer.duplicates else []
    print_line(", ".join(counts))
    if answer.skipped_addresses:
        print_table(
            ("skipped", "why", "instead"),
            [(skip.address, skip.sentence, skip.remedy) for skip in answer.skipped_addresses],
        )
    if answer.still_forbidden:
        print_table(
            ("still forbidden", "why", "instead"),
            [(left.address, left.sentence, left.remedy) for left in answer.still_forbidden],
        )
