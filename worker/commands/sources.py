"""`sources`: the configured ESPs, where they post, and whether they work."""

from argparse import ArgumentParser, Namespace

from schemas.source import Source
from worker.commands.catalogue import Command
from worker.commands.support import sources_test, sources_try
from worker.commands.support.actions import Actions
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.listeners import base_url
from worker.commands.support.output import print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.providers.mail.imap_options import can_be_posted_to, imap_mailbox
from worker.settings.tree import Settings

_NEEDS = ("receiver", "sources")


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
The configured sources. `list` shows each with the URL that its ESP posts to, or its mailbox. `test` checks each one
from its URL to a contact's status. `try` shows which events a payload becomes, and stores or sends nothing.

examples:
  bouncekeeper sources list
  bouncekeeper sources test sendgrid --url https://mail.example.org
  bouncekeeper sources try --source sendgrid payload.json
"""
    actions = Actions(parser)
    listing = actions.add("list", "each source, its accounts, its URL or mailbox")
    testing = actions.add(
        "test", "posts a forged webhook, which must be refused, and a signed one, and follows it to the status"
    )
    sources_test.configure(testing)
    trying = actions.add("try", "shows which events a payload becomes")
    sources_try.configure(trying)
    for action in (listing, testing, trying):
        add_shared_flags(action)
        add_setting_flags(action, ("receiver",) if action is not trying else ())


def _run(arguments: Namespace) -> int:
    match arguments.action:
        case "test":
            return sources_test.run(arguments)
        case "try":
            return sources_try.run(arguments)
    return _list(settings_of(arguments, needs=_NEEDS), arguments)


def _list(settings: Settings, arguments: Namespace) -> int:
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - costs time that --help has not

    url = base_url(settings.receiver.host, settings.receiver.port)
    mailboxes = {source.name: mailbox.place for source in settings.sources if (mailbox := imap_mailbox(source))}
    rows = [
        {
            "name": source.name,
            "provider": PROVIDERS[source.provider].title,
            "account": source.account,
            "account_from": source.account_from or None,
            "authentication": _authentication(source, PROVIDERS[source.provider].proof),
            "mailbox": mailboxes.get(source.name),
            "url": f"{url}/webhooks/{source.name}" if can_be_posted_to(source) else None,
            "campaign_from": source.campaign_from or None,  # in JSON alone: the table is wide enough
        }
        for source in settings.sources
    ]
    if arguments.json:
        print_json({"sources": rows})
    elif rows:
        headings = ("source", "provider", "account", "account from", "authentication", "mailbox", "posts to")
        print_table(headings, [tuple(row.values())[: len(headings)] for row in rows])
    else:
        print_line("no source is configured: add a [sources.NAME] table to the configuration file")
    return ExitCode.OK


def _authentication(source: Source, proof: str) -> str:
    if source.authentication == "none":
        return "OPEN: anybody may post"
    if not can_be_posted_to(source):
        return "fetched: nobody can post"
    ways = [source.authentication or proof]
    if source.secrets:
        ways.append(f"{len(source.secrets)} secret{'s' if len(source.secrets) > 1 else ''}")
    if source.allowed_addresses:
        ways.append(f"from {', '.join(source.allowed_addresses)}")
    return "; ".join(ways)  # the provider's words have commas


COMMANDS = {"sources": Command(_configure, _run)}
