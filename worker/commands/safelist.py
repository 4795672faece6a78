"""`safelist`: requests to have contacts back, or to block them, and what is decided about them."""

import asyncio
import sys
import uuid
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from schemas.safelist import DeclineReason, Medium, PersonsWish, RequestKind, RequestState
from schemas.vocabulary import Channel
from worker.commands.catalogue import Command
from worker.commands.support.act_flags import add_account_flags, add_dry_run_flag, add_idempotency_flag
from worker.commands.support.actions import Actions
from worker.commands.support.deciding import time_argument
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.named_addresses import add_address_arguments, named_addresses
from worker.commands.support.output import moment, print_json, print_line, print_table
from worker.commands.support.setting_flags import add_setting_flags, add_shared_flags, id_argument, settings_of
from worker.errors import StoreUnavailable, WrongUsage
from worker.settings.tree import Settings

if TYPE_CHECKING:
    from worker.contacts.safelist_answer import SafelistAnswer
    from worker.contacts.safelist_review import ReviewAnswer
    from worker.contacts.safelist_view import RequestView
    from worker.store.pool import WriterPool

_NEEDS = ("postgres", "safelist")
_PAGE = 200


def _configure(parser: ArgumentParser) -> None:
    parser.description = """\
A contact that bounced or complained is asked back by a request. Rules decide about it at once, or a person does: it
waits in the list until it is approved or declined. A complaint needs the record of the person's wish: who asked for
mail again, when, and how. Exit code 1 if nothing was requested or approved.

examples:
  bouncekeeper safelist request jane@example.org --reason "her mailbox has room again"
  bouncekeeper safelist request jane@example.org --reason "a mistake" --who "Jane Doe" --when 2030-01-31 --how phone
  bouncekeeper safelist request trap@example.org --kind block --reason "a spam trap"
  bouncekeeper safelist list --status requested
  bouncekeeper safelist approve 7 --note "heard the call"
  bouncekeeper safelist decline 7 --reason previous_failures
"""
    actions = Actions(parser)
    _configure_request(actions.add("request", "asks for contacts to be mailed again, or to be blocked"))
    listing = actions.add("list", "the requests, oldest first")
    listing.add_argument("--status", choices=[state.value for state in RequestState], help="those in this state alone")
    listing.add_argument("--account", help="those of this account alone")
    approving = actions.add("approve", "approves a request: what it asks for is in effect then")
    declining = actions.add("decline", "declines a request")
    declining.add_argument(
        "--reason", choices=[reason.value for reason in DeclineReason], required=True, help="others read it"
    )
    for action in (approving, declining):
        action.add_argument("id", type=id_argument, metavar="ID", help="as `safelist list` shows it")
        action.add_argument("--note", metavar="TEXT", help="in your words: others read it in the history")
        action.add_argument("--dry-run", action="store_true", help="says what would happen and changes nothing")
    for action in (listing, approving, declining):
        add_shared_flags(action)
        add_setting_flags(action, _NEEDS)


def _configure_request(parser: ArgumentParser) -> None:
    add_address_arguments(parser)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why: whoever decides reads it")
    parser.add_argument(
        "--kind",
        choices=[kind.value for kind in RequestKind],
        default=RequestKind.LIFT.value,
        help="lift: to be mailed again; block: to be mailed no more (default %(default)s)",
    )
    parser.add_argument("--who", metavar="NAME", help="after a complaint: who asked for mail again")
    parser.add_argument("--when", type=time_argument, metavar="TIME", help="when: 2030-01-31, or 2030-01-31T12:00Z")
    parser.add_argument("--how", choices=[medium.value for medium in Medium], help="in which way")
    parser.add_argument("--words", default="", metavar="TEXT", help="what was said")
    add_account_flags(parser)
    add_dry_run_flag(parser)
    add_idempotency_flag(parser, does="requests")
    add_shared_flags(parser)
    add_setting_flags(parser, _NEEDS)


def _run(arguments: Namespace) -> int:
    settings = settings_of(arguments, needs=_NEEDS)
    actions = {"request": _request, "list": _list, "approve": _review, "decline": _review}
    return asyncio.run(_with_database(settings, arguments, actions[arguments.action]))


async def _with_database(settings: Settings, arguments: Namespace, action: Any) -> int:
    from worker.commands.support.database import opened_writer_database  # noqa: PLC0415 - --help has no time for it
    from worker.commands.support.person import log_acts  # noqa: PLC0415

    log_acts(settings, "safelist")
    async with opened_writer_database(settings) as pool:
        status: int = await action(pool, settings, arguments)
        return status


async def _request(pool: "WriterPool", settings: Settings, arguments: Namespace) -> int:
    from datetime import UTC, datetime  # noqa: PLC0415 - all of these cost time that --help has not

    from worker.commands.support.account import require_account  # noqa: PLC0415
    from worker.commands.support.person import person_here  # noqa: PLC0415
    from worker.contacts.batch_terms import BatchRules  # noqa: PLC0415
    from worker.contacts.policies import Policies  # noqa: PLC0415
    from worker.contacts.safelist_account import account_facts  # noqa: PLC0415
    from worker.contacts.safelist_facts import SafelistQuestion  # noqa: PLC0415
    from worker.contacts.safelist_requests import request_contacts  # noqa: PLC0415
    from worker.settings.safelist import configured_rules  # noqa: PLC0415

    now = datetime.now(UTC)
    addresses = named_addresses(arguments)
    wish = _wish(arguments)
    key = arguments.idempotency_key or str(uuid.uuid4())
    await require_account(pool, settings, arguments.account)
    question = SafelistQuestion(
        kind=RequestKind(arguments.kind),
        note=arguments.reason,
        wish=wish,
        addresses=addresses,
        account=arguments.account,
        channel=Channel(arguments.channel),
        principal=person_here(),
        what="command",
        account_facts=await account_facts(pool, arguments.account, now=now),
        idempotency_key=key,
        dry_run=arguments.dry_run,
    )
    batch = BatchRules(policies=Policies(settings.policy), oldest_kept=now)
    try:
        answer = await request_contacts(pool, question, batch=batch, rules=configured_rules(settings.safelist))
    except (StoreUnavailable, asyncio.CancelledError):
        if not arguments.dry_run:
            sys.stderr.write(f"bouncekeeper: some may be requested; to go on, repeat it with --idempotency-key {key}\n")
        raise
    if arguments.json:
        print_json({**{name: getattr(answer, name) for name in answer.__struct_fields__}, "idempotency_key": key})
    else:
        _print_answer(answer)
    return ExitCode.OK if answer.refused == answer.declined == 0 else ExitCode.NO


def _wish(arguments: Namespace) -> PersonsWish | None:
    given = [arguments.who, arguments.when, arguments.how]
    if not any(given):
        return None
    if not all(given):
        raise WrongUsage("a person's wish is who, when and how: give --who, --when and --how")
    return PersonsWish(who=arguments.who, when=arguments.when, how=Medium(arguments.how), words=arguments.words)


async def _list(pool: "WriterPool", settings: Settings, arguments: Namespace) -> int:
    from worker.commands.support.account import require_account  # noqa: PLC0415 - all of these cost time too
    from worker.contacts.safelist_view import request_view  # noqa: PLC0415 - costs time that --help has not
    from worker.store.safelist_requests import list_requests  # noqa: PLC0415

    if arguments.account is not None:
        await require_account(pool, settings, arguments.account)
    views: list[RequestView] = []
    while True:
        after = views[-1].id or 0 if views else 0
        rows = await list_requests(pool, account=arguments.account, state=arguments.status, after=after, limit=_PAGE)
        views += [request_view(row) for row in rows]
        if len(rows) < _PAGE:
            break
    if arguments.json:
        print_json({"requests": views})
    elif views:
        print_table(
            ("request", "kind", "state", "account", "address", "status", "asked for", "by", "why", "decided by"),
            [
                (
                    view.id,
                    view.kind,
                    view.state,
                    view.account,
                    view.address,
                    view.status,
                    moment(view.requested_at),
                    view.requested_by,
                    view.note,
                    view.decided_by,
                )
                for view in views
            ],
        )
    else:
        print_line("there is no such request")
    return ExitCode.OK


async def _review(pool: "WriterPool", settings: Settings, arguments: Namespace) -> int:
    from datetime import UTC, datetime  # noqa: PLC0415 - all of these cost time that --help has not

    from worker.commands.support.person import person_here  # noqa: PLC0415
    from worker.contacts.batch_terms import BatchRules  # noqa: PLC0415
    from worker.contacts.policies import Policies  # noqa: PLC0415
    from worker.contacts.safelist_review import Review, review_request  # noqa: PLC0415

    review = Review(
        request_id=arguments.id,
        account=None,
        principal=person_here(),
        what="command",
        decline=DeclineReason(arguments.reason) if arguments.action == "decline" else None,
        note=arguments.note,
        dry_run=arguments.dry_run,
    )
    batch = BatchRules(policies=Policies(settings.policy), oldest_kept=datetime.now(UTC))
    answer: ReviewAnswer = await review_request(pool, review, batch=batch)
    if arguments.json:
        print_json(answer)
        return ExitCode.OK
    print_line(answer.sentence)
    if answer.remedy:
        print_line(answer.remedy)
    for left in answer.still_forbidden:
        print_line(f"Still forbidden: {', '.join(left.forbids) or 'nothing by us'}. {left.sentence} {left.remedy}")
    return ExitCode.OK


def _print_answer(answer: "SafelistAnswer") -> None:
    for result in answer.results:
        number = "" if result.request is None or result.request.id is None else f" (request {result.request.id})"
        state = "refused" if result.state is None else result.state.value
        would = "would be " if answer.dry_run else ""
        print_line(f"{result.address}: {would}{state}{number}. {result.sentence}")
        if result.remedy:
            print_line(f"  {result.remedy}")
        for left in result.still_forbidden:
            print_line(
                f"  Still forbidden: {', '.join(left.forbids) or 'nothing by us'}. {left.sentence} {left.remedy}"
            )


COMMANDS = {"safelist": Command(_configure, _run)}
