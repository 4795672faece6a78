"""`block`: blocklists contacts by hand."""

from argparse import ArgumentParser, Namespace

from schemas.decision_request import DecisionTerms, RequestedKind
from schemas.vocabulary import Blocks, Cause
from worker.commands.catalogue import Command
from worker.commands.support.deciding import add_decision_flags, run_decision, time_argument


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Forbids mail to contacts, known or not, with the reason in the history: until `lift`, or until a time that you name.
Exit code 1 if anything was skipped.

examples:
  bouncekeeper block jane@example.org --reason "a spam trap, says our ESP"
  bouncekeeper block jane@example.org --reason "on leave" --until 2030-01-31 --forbids marketing
  cut -d, -f1 traps.csv | bouncekeeper block --file - --reason "a list of spam traps" --dry-run
"""
    parser.add_argument(
        "--until", type=time_argument, metavar="TIME", help="ends by itself: 2030-01-31, or 2030-01-31T12:00Z"
    )
    parser.add_argument(
        "--cause",
        choices=[cause.value for cause in Cause if cause is not Cause.TEST],
        default=Cause.NONE.value,
        metavar="CAUSE",
        help="such as mailbox_does_not_exist",
    )
    parser.add_argument(
        "--forbids",
        choices=[blocks.value for blocks in Blocks if blocks is not Blocks.NONE],
        default=Blocks.ALL.value,
        help="which mail (default %(default)s)",
    )
    add_decision_flags(parser)


def _run(arguments: Namespace) -> int:
    terms = DecisionTerms(
        kind=RequestedKind.LISTED,
        note=arguments.reason,
        cause=Cause(arguments.cause),
        blocks=Blocks(arguments.forbids),
        until=arguments.until,
    )
    return run_decision(arguments, terms, done="blocked")


COMMANDS = {"block": Command(_configure, _run)}
