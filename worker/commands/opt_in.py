"""`opt-in`: records that people agreed to mail, with what shows it."""

from argparse import ArgumentParser, Namespace

from schemas.decision import ConsentProof, Strength
from schemas.decision_request import DecisionTerms, RequestedKind
from worker.commands.catalogue import Command
from worker.commands.support.deciding import add_decision_flags, run_decision, time_argument
from worker.commands.support.list_argument import list_argument
from worker.errors import WrongUsage


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Records that people agreed to mail, with what shows it. With --by-contact they did it themselves, say in a form: that
ends unsubscribes, declined commercial mail and do-not-contact, of everything or of --scope. With --double they have
confirmed it from the mailbox: that also ends a complaint, and blocks whose `lifted_by` names confirmed_optin. Without
--by-contact it is your record: it only makes an unknown permission known. Exit code 1 if anything was skipped or is
still forbidden.

examples:
  bouncekeeper opt-in jane@example.org --source "shop, checkout" --by-contact --double --ip 203.0.113.7
  bouncekeeper opt-in jane@example.org --source "fair 2030" --form "paper card 17" --collected-at 2030-01-31
  bouncekeeper opt-in --file members.txt --source "the club's own list" --scope newsletter --dry-run
"""
    parser.add_argument(
        "--source", required=True, metavar="TEXT", help="where they agreed: a site, a campaign, a paper"
    )
    parser.add_argument("--form", default="", metavar="TEXT", help="the form, and its version")
    parser.add_argument("--ip", default="", metavar="ADDRESS", help="from which it was filled in")
    parser.add_argument(
        "--collected-at", type=time_argument, metavar="TIME", help="when they agreed: 2030-01-31, or 2030-01-31T12:00Z"
    )
    parser.add_argument("--scope", type=list_argument, metavar="LIST", help="one list or group; without it, everything")
    parser.add_argument("--by-contact", action="store_true", help="the person did it, and nobody of ours records it")
    parser.add_argument("--double", action="store_true", help="the person has confirmed it from the mailbox")
    add_decision_flags(parser, needs_reason=False)


def _run(arguments: Namespace) -> int:
    if arguments.double and not arguments.by_contact:
        raise WrongUsage("--double without --by-contact: only the person can confirm from the mailbox; name both")
    strength = Strength.SINGLE if arguments.by_contact else Strength.STAFF
    terms = DecisionTerms(
        kind=RequestedKind.OPTED_IN,
        note=arguments.reason,
        scope=arguments.scope,
        by_contact=arguments.by_contact,
        strength=Strength.DOUBLE if arguments.double else strength,
        proof=ConsentProof(
            source=arguments.source,
            collected_at=arguments.collected_at,
            form=arguments.form,
            ip_address=arguments.ip,
        ),
    )
    return run_decision(arguments, terms, done="opted in")


COMMANDS = {"opt-in": Command(_configure, _run)}
