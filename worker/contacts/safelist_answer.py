"""The answer to safelist requests: for each address a request, or why there is none."""

from msgspec import Struct

from schemas.decision import DecisionKind
from schemas.safelist import RequestKind, RequestState
from schemas.vocabulary import Channel
from worker.contacts.batch_terms import Applied
from worker.contacts.decision_answer import StillForbidden, still_forbidden
from worker.contacts.safelist_view import RequestView, request_view
from worker.policy.safelist import NOT_SENT_AGAIN, STILL_FORBIDDEN, Impossible, Obstacle
from worker.store.safelist_requests import StoredRequest

NOT_REQUESTED_THEN = Obstacle(
    reason=Impossible.NOT_REQUESTED_THEN,
    sentence="When this request was first answered, none was made for this contact.",
    remedy="To ask now, send it with a new Idempotency-Key.",
)


class RequestOutcome(Struct, frozen=True, kw_only=True):
    """The result for one address: a request, or the reason why there is none."""

    address: str  # as given
    state: RequestState | None  # None: no request was made
    refused: Impossible | None
    sentence: str
    remedy: str | None
    still_forbidden: list[StillForbidden]  # of an approval
    request: RequestView | None


class SafelistAnswer(Struct, frozen=True, kw_only=True):
    """`approved`, `declined`, `requested`, `refused` and `duplicates` add up to `addresses`."""

    act_id: int | None  # None: a dry run, or all were refused
    kind: RequestKind
    account: str
    channel: Channel
    dry_run: bool
    repeated: bool  # the Idempotency-Key was used before, with the same request
    addresses: int
    approved: int
    declined: int
    requested: int
    refused: int
    duplicates: int
    results: list[RequestOutcome]


def outcome_of(
    spelling: str, stored: StoredRequest, applied: Applied, *, sentence: str | None = None
) -> RequestOutcome:
    """The result for a request that was made now, or earlier by the same act."""
    state = RequestState(stored.state)
    still = still_forbidden_after(spelling, applied)
    remedy = {
        RequestState.APPROVED: STILL_FORBIDDEN
        if still
        else NOT_SENT_AGAIN
        if stored.kind == RequestKind.LIFT
        else None,
        RequestState.REQUESTED: "A person decides: the answer is in the contact's report.",
        RequestState.DECLINED: None,
    }[state]
    return RequestOutcome(
        address=spelling,
        state=state,
        refused=None,
        sentence=sentence or stored.decision_note or f"Request {stored.id} waits for its review.",
        remedy=remedy,
        still_forbidden=still,
        request=request_view(stored),
    )


def still_forbidden_after(spelling: str, applied: Applied) -> list[StillForbidden]:
    """Everything that still forbids mail after an approval."""
    return [
        one
        for result in applied.results
        if result.decision.kind is DecisionKind.LIFTED
        for one in still_forbidden(spelling, result)
    ]


def refused_outcome(spelling: str, why: Obstacle) -> RequestOutcome:
    """The result for an address without a request."""
    return RequestOutcome(
        address=spelling,
        state=None,
        refused=why.reason,
        sentence=why.sentence,
        remedy=why.remedy,
        still_forbidden=[],
        request=None,
    )
