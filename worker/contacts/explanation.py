"""Why a contact stands as it does: its stored events folded again, each with what it did."""

from datetime import datetime

from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Channel, Status
from worker.contacts.report import EventView, event_view
from worker.policy.explain import Explanation, Step, explain
from worker.policy.facts_encoding import decode_facts
from worker.policy.rule import Policy
from worker.store.contact_lookup import find_contact
from worker.store.pool import Executor
from worker.store.stored_events import stored_events


class StepView(Struct, frozen=True, kw_only=True):
    """One event and what it did."""

    event: EventView
    outcome: str
    not_counted: str | None  # why it did not count
    rule: str | None
    status: Status  # right after the event
    blocks: Blocks
    sentence: str


class ExplanationAnswer(Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/contacts/{address}/explanation`."""

    address: str
    account: str
    channel: str
    at: datetime
    status: Status
    blocks: Blocks
    reason: Cause | None
    since: datetime | None
    until: datetime | None
    rule: str | None
    next_change_at: datetime | None  # the standing changes by time alone then
    sentence: str
    lifts: str
    events_before: datetime | None  # earlier events were dropped by a former version; only their effect is known
    steps: list[StepView]  # oldest first


async def contact_explanation(
    executor: Executor,
    address: str,
    *,
    policy: Policy,
    now: datetime,
    account: str = "default",
    channel: Channel = Channel.EMAIL,
) -> ExplanationAnswer | None:
    """The whole story of a contact up to `now`, or None when nothing was ever reported about it.

    The address is normalised. Raises StoreUnavailable.
    """
    row = await find_contact(executor, account, channel, address)
    if row is None:
        return None
    # What occurred before base_until is in the base, even where its partition still stands.
    events = await stored_events(executor, row.id, since=row.base_until)
    # A clock that runs behind the receiver's must not leave out the newest event, which the status rests on.
    at = max(now, events[-1].occurred_at) if events else now
    told = explain(events, policy, at, decode_facts(row.base))
    shown = told.standing
    return ExplanationAnswer(
        address=row.address,
        account=row.account,
        channel=row.channel,
        at=told.at,
        status=shown.status,
        blocks=shown.blocks,
        reason=None if shown.cause is Cause.NONE else shown.cause,
        since=shown.since,
        until=shown.until,
        rule=shown.rule,
        next_change_at=told.next_change_at,
        sentence=told.sentence,
        lifts=told.lifts,
        events_before=row.base_until,
        steps=_steps(told, events),
    )


def _steps(told: Explanation, events: list[FeedbackEvent]) -> list[StepView]:
    by_key = {event.event_key: event for event in events}
    return [_step(step, by_key[step.event_key]) for step in told.steps]


def _step(step: Step, event: FeedbackEvent) -> StepView:
    return StepView(
        event=event_view(event),
        outcome=step.effect.outcome,
        not_counted=step.effect.reason,
        rule=step.effect.rule,
        status=step.status,
        blocks=step.blocks,
        sentence=step.sentence,
    )
