"""The demo's result: how many contacts have which status, and some of them in full."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from schemas.vocabulary import STATUS_GRAVITY, Kind, MailClass, Status
from worker.commands.support.database import opened_database
from worker.commands.support.demo_sending import Sent
from worker.commands.support.output import print_line, print_table
from worker.contacts.check import CheckAnswer, check_addresses
from worker.contacts.explanation import ExplanationAnswer, contact_explanation
from worker.contacts.policies import Policies
from worker.contacts.story_items import StepView, StoryItem
from worker.errors import StoreUnavailable
from worker.queue.opening import open_depth_reader
from worker.settings.tree import Settings
from worker.store.pool import Pool

_SETTLED_SECONDS = 1.5
_TIMEOUT_SECONDS = 180.0
_EXAMPLES_PER_STATUS = 1
_REFUSALS = frozenset({Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.BLOCKED})


class DemoResult(Struct, frozen=True, kw_only=True):
    """The statuses of the demo's contacts, and some explanations."""

    sent: Sent
    contacts: int
    statuses: dict[str, int]
    may_be_mailed: int  # marketing
    may_be_mailed_transactional: int
    examples: list[ExplanationAnswer]


async def wait_for_result(settings: Settings, addresses: Sequence[str], sent: Sent, *, quiet: bool) -> DemoResult:
    """Waits until all webhooks have taken effect. Raises StoreUnavailable if that takes too long."""
    if not quiet:
        print_line("waiting until all webhooks have taken effect …")
    policies = Policies(settings.policy)
    async with opened_database(settings) as pool:
        answer = await _settled(pool, settings, addresses)
        transactional = await _check(pool, settings, addresses, MailClass.TRANSACTIONAL)
        examples = [
            explanation
            for address in _interesting(answer)
            if (explanation := await contact_explanation(pool, address, policies=policies, now=answer.checked_at))
        ]
    return DemoResult(
        sent=sent,
        contacts=len(addresses),
        statuses=dict(Counter(result.status or "" for result in answer.results)),
        may_be_mailed=answer.allowed,
        may_be_mailed_transactional=transactional.allowed,
        examples=examples,
    )


async def _settled(pool: Pool, settings: Settings, addresses: Sequence[str]) -> CheckAnswer:
    """The answer once every contact is known, the queue is empty and nothing has changed for a while."""
    reader = await open_depth_reader(settings)
    try:
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        last, since = None, time.monotonic()
        while time.monotonic() < deadline:
            answer = await _check(pool, settings, addresses, MailClass.MARKETING)
            statuses = [result.status for result in answer.results]
            if statuses != last or await reader.depth() or not all(result.known for result in answer.results):
                last, since = statuses, time.monotonic()
            elif time.monotonic() - since > _SETTLED_SECONDS:
                return answer
            await asyncio.sleep(0.3)
    finally:
        await reader.close()
    raise StoreUnavailable(
        "the webhooks were accepted but have not taken effect yet: check that a processor runs, and its log"
    )


async def _check(pool: Pool, settings: Settings, addresses: Sequence[str], mail_class: MailClass) -> CheckAnswer:
    return await check_addresses(
        pool, addresses, mail_class=mail_class, policies=Policies(settings.policy), now=datetime.now(UTC)
    )


def _interesting(answer: CheckAnswer) -> list[str]:
    by_status: dict[str, list[str]] = {}
    for result in answer.results:
        if result.reason is not None or result.status in {Status.UNSUBSCRIBED, Status.COMPLAINED}:
            by_status.setdefault(result.status or "", []).append(result.address)
    gravest_first = sorted(by_status, key=lambda status: -STATUS_GRAVITY[Status(status)])
    return [address for status in gravest_first for address in by_status[status][:_EXAMPLES_PER_STATUS]]


def _refusal(item: StoryItem) -> str | None:
    """The server's own words, if the item is a refusal."""
    event = item.event if isinstance(item, StepView) else None
    return event.diagnostic if event is not None and event.kind in _REFUSALS else None


def print_result(result: DemoResult, folder: Path) -> None:
    """Prints the result for people."""
    rate = result.sent.webhooks / max(result.sent.seconds, 0.001)
    print_line()
    print_line(
        f"{result.sent.webhooks} webhooks were sent in {result.sent.seconds:.1f} s ({rate:.0f}/s); "
        f"{result.contacts} contacts:"
    )
    rows = sorted(result.statuses.items(), key=lambda row: -STATUS_GRAVITY[Status(row[0])])
    print_table(("status", "contacts"), rows)
    print_line(f"{result.may_be_mailed} may get the next newsletter, {result.contacts - result.may_be_mailed} may not;")
    print_line(f"{result.may_be_mailed_transactional} may get a receipt or a password reset.")
    for example in result.examples:
        print_line()
        print_line(f"{example.address}", style="bold")
        print_line(f"  {example.sentence}")
        reply = next(filter(None, map(_refusal, example.steps)), None)
        if reply:
            print_line(f'  the server said: "{reply}"')
        print_line(f"  {example.lifts}")
    print_line()
    print_line("Look around: `bouncekeeper up --demo` keeps this instance running; then, in another terminal,")
    if result.examples:
        print_line(f"  bouncekeeper explain {result.examples[0].address} --config {folder / 'bouncekeeper.toml'}")
