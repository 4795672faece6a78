"""`explain`: an address's status, why, since when, by which rule, and the events behind it."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from schemas.address import normalise_recipient
from schemas.vocabulary import Channel
from worker.commands.catalogue import Command
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.one_contact import add_contact_arguments, asked_names, no_address, not_known, report_of
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.explanation import ExplanationAnswer
    from worker.contacts.report import ContactReport
    from worker.contacts.story_items import StoryItem

_NEEDS = ("postgres",)
_SHOWN_CAMPAIGNS = 5
# By channel, then by what is forbidden.
_HEADLINES = {
    "email": {
        "none": "may be mailed",
        "marketing": "must not be sent marketing mail",
        "all": "must not be sent any mail",
    },
    "sms": {
        "none": "may be texted",
        "marketing": "must not be sent marketing text messages",
        "all": "must not be sent any text messages",
    },
}


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Explains one address: its status and what ends it, then its story from the latest event on, each with the server's
own words and its effect under the rules (long stretches of calm events are summed up), then the history of its
status. Exit code 0 if you may send to it, 1 if not or if it is not known.

examples:
  bouncekeeper explain jane@example.org
  bouncekeeper explain jane@example.org --all
  bouncekeeper explain jane@example.org --json | jq .explanation.sentence
"""
    add_contact_arguments(parser)
    parser.add_argument("--all", action="store_true", help="tell the whole story, not only its last steps")
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    address = normalise_recipient(arguments.address, Channel(arguments.channel))
    if address is None:
        return _print_reason(arguments, no_address(arguments))
    story = asyncio.run(_read(settings, address, arguments))
    if isinstance(story, str):
        return _print_reason(arguments, story)
    report, explanation = story
    if arguments.json:
        print_json({"known": True, "contact": report, "explanation": explanation})
    else:
        _print(report, explanation)
    return ExitCode.OK if report.blocks == "none" else ExitCode.NO


def _print_reason(arguments: Namespace, reason: str) -> int:
    if arguments.json:
        print_json({"address": arguments.address, "known": False, "detail": reason})
    else:
        print_line(f"{arguments.address} {reason}")
    return ExitCode.NO


async def _read(
    settings: Settings, address: str, arguments: Namespace
) -> "tuple[ContactReport, ExplanationAnswer] | str":
    """The report and the explanation, or why there are none."""
    from worker.commands.support.database import opened_database  # noqa: PLC0415
    from worker.contacts.explanation import MAX_STEPS, contact_explanation  # noqa: PLC0415
    from worker.contacts.policies import Policies  # noqa: PLC0415 - all of these cost time that --help has not

    now = datetime.now(UTC)
    async with opened_database(settings) as pool:
        report = await report_of(pool, settings, address, arguments, now=now)
        explain = partial(
            contact_explanation,
            pool,
            address,
            policies=Policies(settings.policy),
            now=now,
            account=arguments.account,
            channel=Channel(arguments.channel),
            names=asked_names(arguments),
        )
        explanation = await explain(limit=MAX_STEPS) if arguments.all else await explain()
        while arguments.all and explanation is not None and explanation.next is not None:
            earlier = await explain(limit=MAX_STEPS, before=explanation.next)
            if earlier is None:
                break
            explanation = replace(explanation, steps=explanation.steps + earlier.steps, next=earlier.next)
        if report is not None and explanation is not None:
            return report, explanation
        return await not_known(pool, address, arguments)


def _print(report: "ContactReport", explanation: "ExplanationAnswer") -> None:
    headlines = _HEADLINES[report.channel]
    headline = headlines.get(report.blocks, headlines["all"])
    print_line(f"{report.address}: {headline}", style="bold")
    print_line(f"  {report.sentence}")
    print_line(f"  {report.why}")
    print_line(f"  {report.lifts}")
    if report.name is not None:
        print_line(f"  called {report.name!r} there")
    print_line(
        f"  by policy {report.policy.id}, {report.policy.name}"
        if report.policy.id
        else f"  by policy {report.policy.name}"
    )
    if report.first_mailed_at is None:
        print_line("  never mailed: no ESP has reported a message to it")
    if report.tags:
        print_line(f"  tags: {', '.join(report.tags)}")
    for one in report.siblings:
        print_line(f"  {one.field or 'another address'} of {one.person}: {one.address}, {one.status}")
    for campaign in report.campaigns[:_SHOWN_CAMPAIGNS]:
        called = "" if campaign.name is None else f", called {campaign.name!r} there"
        print_line(f"  campaign {campaign.campaign}: {campaign.value}{called}")
    if explanation.steps:
        print_line()
        print_line("events and decisions, latest first", style="bold")
    for step in explanation.steps:
        _print_item(step)
    if explanation.next is not None:
        print_line("  … and earlier ones: use --all")
    if report.history:
        print_line()
        print_line("history of the status, latest first", style="bold")
        print_table(
            ("recorded", "from", "to", "cause", "rule", "until", "by"),
            [
                (
                    moment(change.recorded_at),
                    change.old_status,
                    change.new_status,
                    change.cause,
                    change.rule,
                    moment(change.until),
                    change.actor,
                )
                for change in report.history
            ],
        )


def _print_item(item: "StoryItem") -> None:
    from worker.contacts.story_items import StretchView  # noqa: PLC0415 - as above

    if isinstance(item, StretchView):
        print_line(f"  {moment(item.last_at)}  {item.sentence}")
        return
    if item.event is not None:
        event = item.event
        reason = "" if event.reason == "none" else f" ({event.reason})"
        print_line(f"  {moment(event.occurred_at)}  {event.kind}{reason}, by {event.source}: {event.vendor_event}")
        if event.diagnostic:
            print_line(f'    the server said: "{event.diagnostic}"')
    elif item.decision is not None:
        print_line(f"  {moment(item.decision.occurred_at)}  {item.decision.kind}, by {item.decision.actor}")
    print_line(f"    {item.sentence}")


COMMANDS = {"explain": Command(_configure, _run)}
