"""`do-not-contact`: records that people want no mail at all."""

from argparse import ArgumentParser, Namespace

from schemas.decision_request import DecisionTerms, RequestedKind
from worker.commands.catalogue import Command
from worker.commands.support.deciding import add_decision_flags, add_wish_flags, run_decision, wish_of


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Records that people want no mail at all, ever: no receipt goes out either. Only a new opt-in by the person ends it, and
nobody of yours can. Exit code 1 if anything was skipped.

examples:
  bouncekeeper do-not-contact jane@example.org --reason "her lawyer wrote"
  bouncekeeper do-not-contact --file never.txt --reason "the list of the former system" --dry-run
"""
    add_wish_flags(parser)
    add_decision_flags(parser)


def _run(arguments: Namespace) -> int:
    terms = DecisionTerms(kind=RequestedKind.DO_NOT_CONTACT, **wish_of(arguments))
    return run_decision(arguments, terms, done="recorded")


COMMANDS = {"do-not-contact": Command(_configure, _run)}
