"""The one answer: whatever is asked about a contact, in whatever way, says the same."""

from datetime import datetime

from schemas.vocabulary import FREE_STATUSES, MailClass
from worker.contacts.check import check_addresses
from worker.contacts.explanation import ExplanationAnswer, contact_explanation
from worker.contacts.open_refolds import provisional_facts
from worker.contacts.policies import Policies
from worker.contacts.report import contact_report
from worker.contacts.story_items import StoryItem, StretchView
from worker.policy.facts_encoding import facts_from_row
from worker.policy.rule import Policy
from worker.policy.standing import standing
from worker.store.contact_lookup import find_contact
from worker.store.pool import WriterPool
from worker.store.status_feed import changes_after, number_changes


async def require_one_answer(pool: WriterPool, address: str, configured: Policy, *, now: datetime) -> str | None:
    """Check, report, explanation, history and feed say the same; gives the status, or None of an unknown contact."""
    asked = Policies(configured)  # of another process
    answer = await check_addresses(pool, [address], mail_class=MailClass.MARKETING, policies=asked, now=now)
    (result,) = answer.results
    report = await contact_report(pool, address, policies=asked, now=now)
    explanation = await contact_explanation(pool, address, policies=asked, now=now)
    if report is None or explanation is None:
        assert not result.known
        return None
    assert result.status == report.status == explanation.status
    assert result.allowed is not report.blocks.forbids(MailClass.MARKETING)
    assert report.blocks is explanation.blocks
    assert (result.since, result.until, result.rule) == (report.since, report.until, report.rule)
    assert (report.since, report.until, report.rule) == (explanation.since, explanation.until, explanation.rule)
    assert report.policy == explanation.policy
    if explanation.steps:
        await _require_the_storys_end(pool, address, explanation, asked)
    last = report.history[0] if report.history else None
    if last is None or last.new_status in FREE_STATUSES:
        assert report.status in FREE_STATUSES
    else:
        assert (last.new_status, last.new_blocks, last.until) == (report.status, report.blocks, report.until)
    while await number_changes(pool):
        pass
    told = [change for change in await changes_after(pool, "0-0", limit=1000) if change.address == address]
    assert [change.message_id for change in told] == [line.message_id for line in reversed(report.history)]
    return report.status


async def _require_the_storys_end(
    pool: WriterPool, address: str, explanation: ExplanationAnswer, policies: Policies
) -> None:
    """After its latest step the contact stood as its facts say."""
    row = await find_contact(pool, address, account="default", channel="email")
    assert row is not None
    if await provisional_facts(pool, [row.id]):
        return  # the story tells what came late already
    policy = (await policies.of(pool, row.policy_id)).policy
    latest = explanation.steps[0]
    then = standing(facts_from_row(row), policy, _time_of(latest))
    assert (latest.status, latest.blocks) == (then.status, then.blocks)


def _time_of(item: StoryItem) -> datetime:
    if isinstance(item, StretchView):
        return item.last_at
    told = item.event or item.decision
    assert told is not None
    return told.occurred_at
