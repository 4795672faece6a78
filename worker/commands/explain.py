"""`explain`: an address's status, why, since when, by which rule, and the events behind it."""

import asyncio
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from schemas.address import normalise_address
from worker.commands.catalogue import Command
from worker.commands.exit_code import ExitCode
from worker.commands.output import moment, print_json, print_line, print_table
from worker.commands.setting_flags import add_setting_flags, add_shared_flags, settings_of
from worker.settings_tree import Settings

if TYPE_CHECKING:
    from schemas.feedback_event import FeedbackEvent
    from worker.policy.explain import Explanation
    from worker.policy.facts import Standing
    from worker.store.status_feed import StatusChange

_NEEDS = ("postgres",)


class Story(Struct, frozen=True, kw_only=True):
    """Everything that is told about one contact."""

    address: str
    account: str
    standing: "Standing"
    sentence: str
    lifts: str
    explanation: "Explanation"
    events: "list[FeedbackEvent]"
    changes: "list[StatusChange]"


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
Tells the whole story of one address: its status and what ends it, then each stored event with the server's
own words and what the rules made of it, then the history of its status. Exit code 0 when it may be mailed,
1 when it may not, or is not known.

examples:
  bouncekeeper explain jane@example.org
  bouncekeeper explain jane@example.org --json | jq .standing
"""
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument("--account", default="default", help="(default %(default)s)")
    parser.add_argument(
        "--history", type=int, default=20, metavar="N", help="status changes shown (default %(default)s)"
    )
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    address = normalise_address(arguments.address)
    story = None if address is None else asyncio.run(_read(settings, address, arguments))
    if story is None:
        said = "is no e-mail address" if address is None else "is not known: nobody ever reported anything about it"
        if arguments.json:
            print_json({"address": arguments.address, "known": False, "detail": said})
        else:
            print_line(f"{arguments.address} {said}")
        return ExitCode.NO
    if arguments.json:
        print_json(_document(story))
    else:
        _tell(story)
    return ExitCode.OK if story.standing.blocks == "none" else ExitCode.NO


async def _read(settings: Settings, address: str, arguments: Namespace) -> Story | None:
    from worker.api.contact_facts import facts_of  # noqa: PLC0415 - all of these cost time that --help has not
    from worker.commands.database import opened_database  # noqa: PLC0415
    from worker.policy.explain import explain  # noqa: PLC0415
    from worker.policy.facts_encoding import decode_facts  # noqa: PLC0415
    from worker.policy.sentences import lifts, standing_sentence  # noqa: PLC0415
    from worker.policy.standing import standing  # noqa: PLC0415
    from worker.store.contact_lookup import find_contact, status_history  # noqa: PLC0415
    from worker.store.stored_events import stored_events  # noqa: PLC0415

    now = datetime.now(UTC)
    async with opened_database(settings) as pool:
        row = await find_contact(pool, arguments.account, "email", address)
        if row is None:
            return None
        events = await stored_events(pool, row.id, since=row.base_until)
        changes = await status_history(pool, row.id, limit=arguments.history)
    # The row knows more than the stored events: opens and clicks leave only their time.
    shown = standing(facts_of(row), settings.policy, now)
    return Story(
        address=address,
        account=arguments.account,
        standing=shown,
        sentence=standing_sentence(shown),
        lifts=lifts(shown),
        explanation=explain(events, settings.policy, now, base=decode_facts(row.base)),
        events=events,
        changes=changes,
    )


def _document(story: Story) -> dict[str, Any]:
    details = {event.event_key: event for event in story.events}
    return {
        "address": story.address,
        "account": story.account,
        "known": True,
        "standing": story.standing,
        "sentence": story.sentence,
        "lifts": story.lifts,
        "next_change_at": story.explanation.next_change_at,
        "events": [
            {
                "event_key": step.event_key.hex(),
                "occurred_at": step.occurred_at,
                "kind": step.kind,
                "cause": step.cause,
                "status": step.status,
                "sentence": step.sentence,
                "diagnostic": details[step.event_key].diagnostic,
                "smtp_code": details[step.event_key].smtp_code,
                "enhanced_status": details[step.event_key].enhanced_status,
                "vendor_event": details[step.event_key].vendor_event,
                "source": details[step.event_key].source,
                "delivery_id": details[step.event_key].delivery_id,
                "message_id": step.message_id,
            }
            for step in story.explanation.steps
        ],
        "changes": story.changes,
    }


def _tell(story: Story) -> None:
    forbids = {"none": "may be mailed", "marketing": "no marketing mail"}.get(story.standing.blocks, "no mail at all")
    print_line(f"{story.address}: {forbids}", style="bold")
    print_line(f"  {story.sentence}")
    print_line(f"  {story.lifts}")
    details = {event.event_key: event for event in story.events}
    if story.explanation.steps:
        print_line()
        print_line("events", style="bold")
    for step in story.explanation.steps:
        event = details[step.event_key]
        cause = "" if step.cause == "none" else f" ({step.cause})"
        print_line(f"  {moment(step.occurred_at)}  {step.kind}{cause}, by {event.source}: {event.vendor_event}")
        if event.diagnostic:
            print_line(f'    the server said: "{event.diagnostic}"')
        print_line(f"    {step.sentence}")
    if story.changes:
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
                for change in story.changes
            ],
        )


COMMANDS = {"explain": Command(_configure, _run)}
