"""`decline`: records that people want no commercial mail."""

from argparse import ArgumentParser, Namespace

from schemas.decision_request import DecisionTerms, RequestedKind
from worker.commands.catalogue import Command
from worker.commands.support.deciding import add_decision_flags, add_wish_flags, run_decision, wish_of


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Records that people want no commercial mail, neither bulk nor one-to-one: receipts and notifications still go out. Only
a new opt-in by the person ends it, and nobody of yours can. Exit code 1 if anything was skipped.

examples:
  bouncekeeper decline jane@example.org --reason "she objected by letter (GDPR, Article 21)"
  bouncekeeper decline --file objections.txt --by-contact --way form --reason "the privacy form" --dry-run
"""
    add_wish_flags(parser)
    add_decision_flags(parser)


def _run(arguments: Namespace) -> int:
    terms = DecisionTerms(kind=RequestedKind.DECLINED_COMMERCIAL, **wish_of(arguments))
    return run_decision(arguments, terms, done="recorded")


COMMANDS = {"decline": Command(_configure, _run)}
