"""A safelist question and the facts for it, for the rules and for the person who reviews the request."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from schemas.feedback_event import FeedbackEvent
from schemas.safelist import PersonsWish, RequestKind, RequestState
from schemas.vocabulary import Cause, Channel
from worker.contacts.principal import Principal
from worker.contacts.safelist_decision import RULES_NAME
from worker.policy.dimension import Standing
from worker.policy.event_order import BOUNCE_KINDS
from worker.policy.rule import LiftBy
from worker.policy.safelist import Reputation, RequestFacts, Ruling, Verdict
from worker.store.contact_rows import ContactKey
from worker.store.pool import WriterConnection
from worker.store.safelist_requests import NewRequest
from worker.store.stored_entries import latest_entries

_LATEST = 50


class AccountFacts(Struct, frozen=True, kw_only=True):
    """The facts about the account for the rules."""

    since: datetime | None  # None: only the configuration names it so far
    reputation: Reputation


class SafelistQuestion(Struct, frozen=True, kw_only=True):
    """What somebody asks for, about which contacts, and who asks."""

    kind: RequestKind
    note: str
    wish: PersonsWish | None
    addresses: Sequence[str]  # as given
    account: str
    channel: Channel
    principal: Principal
    what: str  # the sort of act: call, command
    account_facts: AccountFacts
    idempotency_key: str | None = None
    dry_run: bool = False


def liftable(several: Sequence[Standing]) -> list[Standing]:
    """The standings that an operator may end."""
    return [one for one in several if LiftBy.ADMIN in one.lift_by]


async def last_failure(connection: WriterConnection, contact_id: int) -> FeedbackEvent | None:
    """The contact's last bounce among its latest entries, or None."""
    for entry in await latest_entries(connection, contact_id, limit=_LATEST):
        if isinstance(entry, FeedbackEvent) and entry.kind in BOUNCE_KINDS:
            return entry
    return None


def new_request(
    question: SafelistQuestion,
    key: ContactKey,
    verdict: Verdict,
    *,
    facts: RequestFacts,
    about: Sequence[Standing],
    failure: FeedbackEvent | None,
    act_id: int,
) -> NewRequest:
    """The row of a request after the rules have judged it. If they approve it, the decision follows."""
    is_declined = verdict.ruling is Ruling.DECLINE
    wish: dict[str, Any] | None = None if question.wish is None else msgspec.to_builtins(question.wish)
    return NewRequest(
        account=key.account,
        channel=key.channel,
        address=key.address,
        kind=question.kind.value,
        state=(RequestState.DECLINED if is_declined else RequestState.REQUESTED).value,
        status=facts.standing.status.value,
        cause=facts.standing.cause.value,
        about=sorted({one.name for one in about}),
        last_answer=None if failure is None else _answer_text(failure),
        note=question.note,
        wish=wish,
        requested_at=facts.at,
        requested_by=question.principal.name,
        request_act_id=act_id,
        rule=verdict.rule,
        decided_at=facts.at if is_declined else None,
        decided_by=RULES_NAME if is_declined else None,
        decline_reason=None if verdict.reason is None else verdict.reason.value,
        decision_note=verdict.sentence if is_declined else None,
        act_id=None,
    )


def _answer_text(failure: FeedbackEvent) -> str | None:
    codes = [str(failure.smtp_code)] if failure.smtp_code is not None else []
    codes += [failure.enhanced_status] if failure.enhanced_status is not None else []
    return failure.diagnostic or " ".join(codes) or (None if failure.cause is Cause.NONE else failure.cause.value)
