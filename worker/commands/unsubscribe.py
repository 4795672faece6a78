"""`unsubscribe`: takes contacts off marketing mail, as they asked or for a reason of ours."""

from argparse import ArgumentParser, Namespace

from schemas.decision_request import DecisionTerms, RequestedKind
from worker.commands.catalogue import Command
from worker.commands.support.deciding import add_decision_flags, add_wish_flags, run_decision, wish_of
from worker.commands.support.list_argument import list_argument
from worker.errors import WrongUsage


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Records that people asked for no more marketing mail, or for no more of one list. Only a new opt-in by the person ends
it. With --by-us it is your own decision: that also ends by `lift`. Exit code 1 if anything was skipped.

examples:
  bouncekeeper unsubscribe jane@example.org --reason "she wrote to support"
  bouncekeeper unsubscribe jane@example.org --scope newsletter --by-contact --way form --reason "preference centre"
  bouncekeeper unsubscribe --file bought.txt --by-us --reason "a bought list" --dry-run
"""
    parser.add_argument(
        "--scope", type=list_argument, metavar="LIST", help="one list or group; without it, all marketing mail"
    )
    parser.add_argument("--by-us", action="store_true", help="it is our decision and not the person's")
    add_wish_flags(parser)
    add_decision_flags(parser)


def _run(arguments: Namespace) -> int:
    if arguments.by_us:
        if arguments.by_contact or arguments.way is not None:
            raise WrongUsage("--by-us is no wish of the person: leave --by-contact and --way out")
        ours = DecisionTerms(kind=RequestedKind.UNSUBSCRIBED_BY_US, scope=arguments.scope, note=arguments.reason)
        return run_decision(arguments, ours, done="unsubscribed by us")
    terms = DecisionTerms(kind=RequestedKind.UNSUBSCRIBED, scope=arguments.scope, **wish_of(arguments))
    return run_decision(arguments, terms, done="unsubscribed")


COMMANDS = {"unsubscribe": Command(_configure, _run)}
