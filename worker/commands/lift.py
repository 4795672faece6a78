"""`lift`: ends what forbids mail to contacts, as far as an operator may."""

from argparse import ArgumentParser, Namespace

from schemas.decision_request import DecisionTerms, RequestedKind
from worker.commands.catalogue import Command
from worker.commands.support.deciding import add_decision_flags, run_decision


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Ends blocks, strikes and complaints that began before now, with the reason in the history. What happens later counts
again. Opt-outs are not lifted: only the person ends them. What cannot be lifted is skipped, and you are told what can
be done instead. Exit code 1 if anything was skipped or is still forbidden.

examples:
  bouncekeeper lift jane@example.org --reason "she called: the mailbox works again"
  bouncekeeper lift --file addresses.txt --reason "a bad day of our ESP" --dry-run
"""
    add_decision_flags(parser)


def _run(arguments: Namespace) -> int:
    return run_decision(arguments, DecisionTerms(kind=RequestedKind.LIFTED, note=arguments.reason), done="lifted")


COMMANDS = {"lift": Command(_configure, _run)}
