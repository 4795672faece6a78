"""Safelist requests as the API and the commands show them, and whether a contact can have one now."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from schemas.safelist import ABOUT_THE_ACCOUNT, DeclineReason, PersonsWish, RequestKind, RequestState
from schemas.vocabulary import Cause, Status
from worker.contacts.safelist_decision import RULES_NAME
from worker.policy.dimension import Standing
from worker.policy.safelist import AttemptLimits, Earlier, RuleDecline, obstacle
from worker.store.safelist_requests import StoredRequest

SHOWN_REQUESTS = 20


class RequestView(Struct, frozen=True, kw_only=True):
    """One request: who asked for what and why, and who decided what."""

    id: int | None  # None: a dry run
    account: str
    channel: str
    address: str
    kind: RequestKind
    state: RequestState
    status: Status  # of the contact, at the time of the request
    reason: Cause | None  # of that status
    last_answer: str | None  # at that time: the server's words for the last failure
    note: str  # the requester's
    wish: PersonsWish | None
    requested_at: datetime
    requested_by: str
    rule: str  # the rule that decided at once, or sent it to review
    decided_at: datetime | None
    decided_by: str | None
    decline_reason: DeclineReason | None
    decision_note: str | None
    act_id: int | None  # of the decision


class SafelistView(Struct, frozen=True, kw_only=True):
    """Whether a safelist request is possible now, and all earlier ones."""

    possible: bool
    sentence: str
    remedy: str | None
    wish_needed: bool  # the person complained: a request needs the record of the person's wish
    attempts: int
    most_attempts: int
    requests: tuple[RequestView, ...]  # latest first


def request_view(stored: StoredRequest) -> RequestView:
    """The request for display."""
    return RequestView(
        id=stored.id,
        account=stored.account,
        channel=stored.channel,
        address=stored.address,
        kind=RequestKind(stored.kind),
        state=RequestState(stored.state),
        status=Status(stored.status),
        reason=None if stored.cause == Cause.NONE else Cause(stored.cause),
        last_answer=stored.last_answer,
        note=stored.note,
        wish=None if stored.wish is None else msgspec.convert(stored.wish, PersonsWish),
        requested_at=stored.requested_at,
        requested_by=stored.requested_by,
        rule=stored.rule,
        decided_at=stored.decided_at,
        decided_by=stored.decided_by,
        decline_reason=None if stored.decline_reason is None else DeclineReason(stored.decline_reason),
        decision_note=stored.decision_note,
        act_id=stored.act_id,
    )


def earlier_requests(stored: Iterable[StoredRequest]) -> Earlier:
    """The summary of a contact's requests, latest first."""
    several = list(stored)
    lifts = [one for one in several if one.kind == RequestKind.LIFT and one.decline_reason not in ABOUT_THE_ACCOUNT]
    complaints = sum(one.status == Status.COMPLAINED for one in lifts)
    return Earlier(
        open_id=next((one.id for one in several if one.state == RequestState.REQUESTED), None),
        last_decline=_decline_by_rules(several[0]) if several else None,
        bounce_attempts=len(lifts) - complaints,
        complaint_attempts=complaints,
        approved=sum(one.state == RequestState.APPROVED for one in lifts),
    )


def _decline_by_rules(last: StoredRequest) -> RuleDecline | None:
    if last.decided_by != RULES_NAME or last.decided_at is None or last.decline_reason not in ABOUT_THE_ACCOUNT:
        return None
    return RuleDecline(id=last.id, rule=last.rule, at=last.decided_at)


def safelist_view(standing: Standing, stored: Sequence[StoredRequest], limits: AttemptLimits) -> SafelistView:
    """The view for a contact with this standing and these requests, latest first."""
    earlier = earlier_requests(stored)
    why_not = obstacle(standing, earlier, limits)
    complained = standing.status is Status.COMPLAINED
    return SafelistView(
        possible=why_not is None,
        sentence="A safelist request is possible." if why_not is None else why_not.sentence,
        remedy=None if why_not is None else why_not.remedy,
        wish_needed=why_not is None and complained,
        attempts=earlier.attempts(standing.status),
        most_attempts=limits.of(standing.status),
        requests=tuple(request_view(one) for one in stored[:SHOWN_REQUESTS]),
    )
