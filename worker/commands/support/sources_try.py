"""`sources try`: shows which events a payload becomes, and queues, stores or sends nothing."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from schemas.envelope import Envelope, new_delivery_id
from schemas.source import Source
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.output import moment, print_json, print_line
from worker.commands.support.reply_verdict import print_verdict, verdict_on_event, verdict_on_reply
from worker.commands.support.setting_flags import settings_of
from worker.errors import ImpossibleSetting, SetAside

if TYPE_CHECKING:
    from schemas.feedback_event import FeedbackEvent
    from worker.policy.rule import Policy

DESCRIPTION = """\
Reads a webhook's body as a processor would, and shows each event: its kind, cause and recipient, and its effect
on a contact without other events. For a failure it shows how the server's reply was read: the speaker, the stage,
the subject, and the rule that decided. With --reply it reads only a reply. It queues, stores or sends nothing, and
checks no signature. Exit code 0 if everything was understood, 1 if not.

A rule of your own can correct a wrong verdict: see [classification.rules] in docs/classification.md.

examples:
  bouncekeeper sources try --source sendgrid payload.json
  bouncekeeper sources try --provider mandrill body.txt
  bouncekeeper sources try --provider described --description pigeon.toml - < payload.json
  bouncekeeper sources try --source bounces mail.eml --json
  bouncekeeper sources try --reply "550 5.1.1 <jane@example.org>: user unknown"
  bouncekeeper sources try --reply "550 rejected" --stage mail_from
"""


def configure(parser: ArgumentParser) -> None:
    """The arguments of `sources try`."""
    parser.description = DESCRIPTION
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--source", metavar="NAME", help="reads the body as this configured source")
    which.add_argument("--provider", metavar="NAME", help="reads the body as this provider, without a configuration")
    parser.add_argument("--description", metavar="FILE", help="with --provider described: the vendor's description")
    parser.add_argument("--content-type", metavar="TYPE", help="(default: guessed from the body)")
    parser.add_argument(
        "--header", action="append", default=[], metavar="NAME:VALUE", help="a request header that the provider reads"
    )
    which.add_argument("--reply", metavar="TEXT", help="reads only a server's reply, as a report quotes it")
    parser.add_argument("--status", metavar="CODE", help="with --reply: the report's own Status, such as 5.1.1")
    parser.add_argument(
        "--stage",
        choices=("lookup", "connect", "helo", "auth", "mail_from", "rcpt_to", "data", "after"),
        help="with --reply: the command that was refused, if the text does not say",
    )
    parser.add_argument(
        "payload", metavar="FILE", nargs="?", help="the webhook's body, as it was posted; - reads standard input"
    )


def run(arguments: Namespace) -> int:
    """Shows which events the payload becomes. Raises ImpossibleSetting."""
    from worker.providers.classification.operator_rules import use_operator_rules  # noqa: PLC0415 - slow for --help

    settings = settings_of(arguments, needs=("sources",) if arguments.source else ())
    use_operator_rules(settings.classification)
    if arguments.reply is not None:
        return _try_reply(arguments)
    if arguments.payload is None:
        raise ImpossibleSetting("there is no payload to read: name the file with the body, or - for standard input")
    source = _source(arguments, settings.sources)
    body = _body(arguments.payload)
    now = datetime.now(UTC)
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source=source.name,
        provider=source.provider,
        account=source.account,
        received_at=now,
        content_type=arguments.content_type or _content_type(body),
        headers=_headers(arguments.header),
        body=body,
    )
    try:
        events = _events(envelope, source)
    except SetAside as error:
        return _print_set_aside(str(error), json=arguments.json)
    views = [_view(event, settings.policy) for event in events]
    if arguments.json:
        print_json({"events": views})
    elif not events:
        print_line("understood; there is no event in it")
    else:
        for view in views:
            _print(view)
    return ExitCode.OK if all(event.recognised for event in events) else ExitCode.NO


def _try_reply(arguments: Namespace) -> int:
    from worker.providers.classification.reply import Stage  # noqa: PLC0415 - costs time that --help has not

    stage = Stage(arguments.stage) if arguments.stage else None
    verdict = verdict_on_reply(arguments.reply, status=arguments.status, stage=stage)
    if arguments.json:
        print_json(verdict)
    else:
        print_line(f"{verdict['kind']} ({verdict['cause']}, blame: {verdict['blame']})", style="bold")
        for label, key in (("reply code", "smtp_code"), ("enhanced status", "enhanced_status")):
            if verdict[key]:
                print_line(f"  {label:<18}  {verdict[key]}")
        print_verdict(verdict)
    return ExitCode.NO if verdict["cause"] == "undetermined" else ExitCode.OK


def _source(arguments: Namespace, sources: Sequence[Source]) -> Source:
    from worker.providers.registry import provider_named  # noqa: PLC0415 - costs time that --help has not

    if arguments.source:
        found = next((source for source in sources if source.name == arguments.source), None)
        if found is None:
            names = ", ".join(source.name for source in sources) or "none"
            raise ImpossibleSetting(f"there is no source {arguments.source!r}; there are: {names}")
        return found
    provider = provider_named(arguments.provider)
    options = {"description": _body(arguments.description).decode("utf-8", "replace")} if arguments.description else {}
    return Source(name="try", provider=provider.name, options=options)


def _body(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ImpossibleSetting(f"{name} cannot be read ({error.strerror}): name the file with the body") from error


def _content_type(body: bytes) -> str:
    if body.lstrip()[:1] in {b"{", b"["}:
        return "application/json"
    first_line = body.lstrip().partition(b"\n")[0]
    # A header field or mbox's From_ line opens a mail; a form's first line has its first "=" before any colon.
    is_mail = first_line.startswith(b"From ") or b":" in first_line.partition(b"=")[0]
    return "message/rfc822" if is_mail else "application/x-www-form-urlencoded"


def _headers(pairs: Sequence[str]) -> dict[str, str]:
    headers = {}
    for pair in pairs:
        name, colon, value = pair.partition(":")
        if not colon:
            raise ImpossibleSetting(f"--header {pair!r} has no colon: write it as NAME:VALUE")
        headers[name.strip().lower()] = value.strip()
    return headers


def _events(envelope: Envelope, source: Source) -> "list[FeedbackEvent]":
    from worker.processor.parsing import events_of  # noqa: PLC0415 - costs time that --help has not
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - as above

    return events_of(envelope, PROVIDERS[source.provider].bind(source))


def _view(event: "FeedbackEvent", policy: "Policy") -> dict[str, object]:
    from worker.policy.explain import explain  # noqa: PLC0415 - costs time that --help has not

    # An old payload is judged as if it had just arrived, because late events do not count.
    fresh = msgspec.structs.replace(event, received_at=event.occurred_at)
    alone = explain([fresh], policy, event.occurred_at)
    return {
        "address": event.address,
        "account": event.account,
        "channel": event.channel,
        "provider": event.provider,
        "kind": event.kind,
        "cause": event.cause,
        "blame": event.blame,
        "vendor_event": event.vendor_event,
        "recognised": event.recognised,
        "occurred_at": event.occurred_at,
        "arrival_dated": event.arrival_dated,
        "message_id": event.message_id,
        "smtp_code": event.smtp_code,
        "enhanced_status": event.enhanced_status,
        "diagnostic": event.diagnostic,
        "scope": event.scope,
        "machine": event.machine,
        "tags": event.tags,
        "metadata": event.metadata,
        "campaign": event.campaign,
        "event_key": event.event_key,
        "verdict": verdict_on_event(event),
        "effect": alone.steps[0].sentence if event.address else "it has no recipient, so it changes no contact",
        "status": alone.standing.status if event.address else None,
    }


def _print(view: Mapping[str, object]) -> None:
    cause = "" if view["cause"] == "none" else f" ({view['cause']}, blame: {view['blame']})"
    print_line(f"{view['address'] or 'no recipient'}: {view['kind']}{cause}", style="bold")
    unknown = "" if view["recognised"] else "; UNKNOWN to this version"
    print_line(f"  the vendor's words  {view['vendor_event']}{unknown}")
    when = view["occurred_at"]
    dated = ", the time of arrival, because the vendor gives no usable time" if view["arrival_dated"] else ""
    print_line(f"  occurred at         {moment(when) if isinstance(when, datetime) else when}{dated}")
    for label, key in (
        ("account", "account"),
        ("message", "message_id"),
        ("reply code", "smtp_code"),
        ("enhanced status", "enhanced_status"),
        ("the server said", "diagnostic"),
        ("list", "scope"),
        ("tags", "tags"),
        ("metadata", "metadata"),
        ("campaign", "campaign"),
    ):
        if value := view[key]:
            text = ", ".join(value) if isinstance(value, tuple) else value
            print_line(f"  {label:<18}  {text}")
    if isinstance(view["verdict"], dict):
        print_verdict(view["verdict"], cause=view["cause"])
    if view["machine"]:
        print_line("  opened by           a machine")
    print_line(f"  effect if alone     {view['effect']}")
    if view["status"]:
        print_line(f"  status              {view['status']}")


def _print_set_aside(detail: str, *, json: bool) -> int:
    if json:
        print_json({"events": [], "set_aside": detail})
    else:
        print_line(f"it would be set aside whole, so that you can replay it after a fix: {detail}")
    return ExitCode.NO
