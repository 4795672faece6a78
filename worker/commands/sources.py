"""`sources`: the configured ESPs, where they post, and whether they work."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from schemas.source import Source
from worker.commands.catalogue import Command
from worker.commands.exit_code import ExitCode
from worker.commands.output import print_json, print_line, print_table
from worker.commands.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.commands.welcome import base_url
from worker.settings_tree import Settings

_NEEDS = ("receiver", "sources")
_TIMEOUT_SECONDS = 15.0


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
`list` shows each source with the URL its ESP posts to. `test` proves that the URL leads to this receiver and
that a forged webhook is turned away: it posts an unsigned one to the running receiver, which must refuse it.

examples:
  bouncekeeper sources list
  bouncekeeper sources test
  bouncekeeper sources test sendgrid --url https://mail.example.org
"""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="each source and its URL")
    testing = actions.add_parser("test", help="posts a forged webhook to each, which must be refused")
    testing.add_argument("names", nargs="*", metavar="SOURCE", help="only these")
    testing.add_argument("--url", help="how the ESPs reach the receiver (default: where it listens)")
    for action in (listing, testing):
        add_shared_flags(action)
        add_setting_flags(action, ("receiver",))


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    return _list(settings, arguments) if arguments.action == "list" else _test(settings, arguments)


def _list(settings: Settings, arguments: Namespace) -> int:
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - costs time that --help has not

    url = base_url(settings.receiver.host, settings.receiver.port)
    rows = [
        {
            "name": source.name,
            "provider": PROVIDERS[source.provider].title,
            "account": source.account,
            "authentication": _authentication(source),
            "url": f"{url}/webhooks/{source.name}",
        }
        for source in settings.sources
    ]
    if arguments.json:
        print_json({"sources": rows})
    elif rows:
        print_table(
            ("source", "provider", "account", "authentication", "posts to"), [tuple(row.values()) for row in rows]
        )
    else:
        print_line("no source is configured: add a [sources.NAME] table to the configuration file")
    return ExitCode.OK


def _authentication(source: Source) -> str:
    if source.authentication == "none":
        return "OPEN: anybody may post"
    ways = [source.authentication or "the provider's own"]
    if source.secrets:
        ways.append(f"{len(source.secrets)} secret{'s' if len(source.secrets) > 1 else ''}")
    if source.allowed_addresses:
        ways.append(f"from {', '.join(source.allowed_addresses)}")
    return ", ".join(ways)


def _test(settings: Settings, arguments: Namespace) -> int:
    known = {source.name: source for source in settings.sources}
    if unknown := [name for name in arguments.names if name not in known]:
        detail = f"there is no source {', '.join(unknown)}; there are: {', '.join(known) or 'none'}"
        print_json({"sources": [], "detail": detail}) if arguments.json else print_line(detail)
        return ExitCode.NO
    chosen = [known[name] for name in arguments.names] if arguments.names else list(settings.sources)
    url = (arguments.url or base_url(settings.receiver.host, settings.receiver.port)).rstrip("/")
    outcomes = asyncio.run(_post_forgeries(url, chosen))
    if arguments.json:
        print_json({"url": url, "sources": outcomes})
    else:
        print_table(
            ("source", "well?", "what happened"),
            [(outcome["name"], "yes" if outcome["well"] else "NO", outcome["detail"]) for outcome in outcomes],
        )
    if any(outcome["http_status"] == 0 for outcome in outcomes):
        return ExitCode.UNAVAILABLE
    return ExitCode.OK if all(outcome["well"] for outcome in outcomes) else ExitCode.NO


async def _post_forgeries(url: str, sources: Sequence[Source]) -> list[dict[str, object]]:
    import aiohttp  # noqa: PLC0415 - costs time that --help has not

    outcomes: list[dict[str, object]] = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)) as session:
        for source in sources:
            target = f"{url}/webhooks/{source.name}"
            if source.authentication == "none":
                # An open source would take the forgery in; it is only asked whether it is there.
                outcomes.append(
                    {
                        "name": source.name,
                        "well": False,
                        "http_status": None,
                        "detail": 'open: anybody may post; give it a secret and take authentication = "none" out',
                    }
                )
                continue
            try:
                async with session.post(target, data=b"{}", headers={"content-type": "application/json"}) as answer:
                    status = answer.status
            except (aiohttp.ClientError, OSError) as error:
                detail = f"{target} cannot be reached ({error}): start the receiver, or give --url"
                outcomes.append({"name": source.name, "well": False, "http_status": 0, "detail": detail})
                continue
            outcomes.append({"name": source.name, "http_status": status, **_judge(status, target)})
    return outcomes


def _judge(status: int, target: str) -> dict[str, object]:
    if status in {400, 401, 403, 406}:
        return {"well": True, "detail": f"{target} refuses a forged webhook ({status})"}
    if status in {404, 405}:
        return {
            "well": False,
            "detail": f"{target} answers {status}: another program, or a receiver without this source",
        }
    if status < 300:  # noqa: PLR2004 - the 2xx class
        return {"well": False, "detail": f"{target} took a forged webhook ({status}): it is not this receiver"}
    return {"well": False, "detail": f"{target} answers {status}: see the receiver's log"}


COMMANDS = {"sources": Command(_configure, _run)}
