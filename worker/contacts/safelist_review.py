"""A person approves or declines a request. An approval and its effect are one transaction."""

from datetime import UTC, datetime
from http import HTTPStatus

from msgspec import Struct
from msgspec.structs import replace

from schemas.decision import Origin
from schemas.safelist import DeclineReason, RequestKind, RequestState
from worker.contacts.act_start import act_of, store_act
from worker.contacts.batch_terms import Applied, BatchRules
from worker.contacts.decision_answer import StillForbidden
from worker.contacts.decision_report import report_decisions
from worker.contacts.locked_contact import locked_contact
from worker.contacts.principal import Principal
from worker.contacts.safelist_answer import still_forbidden_after
from worker.contacts.safelist_decision import approval
from worker.contacts.safelist_terms import require_note
from worker.contacts.safelist_view import RequestView, request_view
from worker.contacts.single_decision import carry_out, in_one_transaction
from worker.errors import RequestRefused
from worker.policy.safelist import NOT_SENT_AGAIN, STILL_FORBIDDEN
from worker.process import metrics
from worker.process.logs import contact_field, get_logger
from worker.store.acts import finish_act
from worker.store.pool import WriterConnection, WriterPool
from worker.store.safelist_requests import StoredRequest, decide_stored_request, request_by_id, take_turn

_log = get_logger()


class Review(Struct, frozen=True, kw_only=True):
    """A person's decision about a request."""

    request_id: int
    account: str | None  # the account that the request must be of; None: any
    principal: Principal
    what: str  # the sort of act: call, command
    decline: DeclineReason | None = None  # None: it is approved
    note: str | None = None
    dry_run: bool = False

    @property
    def state(self) -> RequestState:
        """The state of the request after the decision."""
        return RequestState.APPROVED if self.decline is None else RequestState.DECLINED


class ReviewAnswer(Struct, frozen=True, kw_only=True):
    """The request after the decision."""

    dry_run: bool
    repeated: bool  # it was decided the same way before: nothing has changed
    sentence: str
    remedy: str | None
    still_forbidden: list[StillForbidden]
    request: RequestView


async def review_request(pool: WriterPool, review: Review, *, batch: BatchRules) -> ReviewAnswer:
    """The request is decided when this returns, and an approval is in effect.

    Raises RequestRefused if there is no such request, if it was decided otherwise, or if something forbids mail to the
    contact now that did not when it was requested; and StoreUnavailable.
    """
    require_note("note", review.note, needed=review.decline is DeclineReason.OTHER)
    answer, applied = await in_one_transaction(
        pool,
        "deciding about a safelist request",
        lambda connection: _decide(connection, review, batch),
        dry_run=review.dry_run,
    )
    if not review.dry_run and not answer.repeated:
        metrics.SAFELIST_REQUESTS.labels(answer.request.kind.value, answer.request.state.value).inc()
        _log_decision(answer.request)
        report_decisions(applied)
    return answer


async def _decide(connection: WriterConnection, review: Review, batch: BatchRules) -> tuple[ReviewAnswer, Applied]:
    before = await request_by_id(connection, review.request_id)
    if before is None or review.account not in {None, before.account}:
        raise _unknown(review)
    await take_turn(connection, before.key)
    request = (
        await request_by_id(connection, review.request_id) or before
    )  # read again, because it is our turn only now
    if request.state != RequestState.REQUESTED:
        if request.state == review.state and request.decline_reason == review.decline:
            return _answer(review, request, Applied(), repeated=True), Applied()
        raise _decided_already(request)
    now = datetime.now(UTC)
    if review.decline is None:
        return await _approve(connection, review, request, batch, now)
    act_id = await _act(connection, review, request, "decline", now)
    declined = await _decided(connection, review, request, act_id, now)
    return _answer(review, declined, Applied()), Applied()


async def _act(connection: WriterConnection, review: Review, request: StoredRequest, verb: str, now: datetime) -> int:
    act = act_of(
        review.principal,
        account=request.account,
        what=review.what,
        idempotency_key=None,
        request_hash=None,
        note=review.note,
        at=now,
        subject=f"safelist {verb} {request.id}",
    )
    act_id = await store_act(connection, act)
    await finish_act(connection, act_id, at=now)
    return act_id


async def _decided(
    connection: WriterConnection, review: Review, request: StoredRequest, act_id: int, now: datetime
) -> StoredRequest:
    return await decide_stored_request(
        connection,
        request.id,
        state=review.state.value,
        at=now,
        by=review.principal.name,
        reason=None if review.decline is None else review.decline.value,
        note=review.note,
        act_id=act_id,
    )


async def _approve(
    connection: WriterConnection, review: Review, request: StoredRequest, batch: BatchRules, now: datetime
) -> tuple[ReviewAnswer, Applied]:
    contact = await locked_contact(connection, request.key, policies=batch.policies, now=now)
    if request.kind == RequestKind.LIFT:
        since = sorted({one.name for one in contact.forbidding(now)} - set(request.about))
        if since:
            raise _changed_since(request, since)
    principal = review.principal
    act_id = await _act(connection, review, request, "approve", now)
    decision = approval(
        request,
        act_id=act_id,
        by=principal.name,
        role=principal.role,
        origin=Origin.PERSON,
        note=review.note,
        now=now,
    )
    applied = await carry_out(connection, decision, rules=batch, now=now)
    approved = await _decided(connection, review, request, act_id, now)
    return _answer(review, approved, applied), applied


def _answer(review: Review, request: StoredRequest, applied: Applied, *, repeated: bool = False) -> ReviewAnswer:
    view = request_view(request)
    left = still_forbidden_after(request.address, applied)
    sentence, remedy = _decided_before(request) if repeated else _decided_now(review, request, is_free=not left)
    return ReviewAnswer(
        dry_run=review.dry_run,
        repeated=repeated,
        sentence=sentence,
        remedy=remedy,
        still_forbidden=left,
        request=replace(view, act_id=None) if review.dry_run else view,
    )


def _decided_now(review: Review, request: StoredRequest, *, is_free: bool) -> tuple[str, str | None]:
    """What has happened, or would happen, and what to do."""
    named = f"Request {request.id} {'would be' if review.dry_run else 'is'}"
    if review.decline is not None:
        return f"{named} declined: {review.decline.value}.", None
    if not is_free:
        return f"{named} approved, and something else still forbids mail.", STILL_FORBIDDEN
    if request.kind == RequestKind.BLOCK:
        return f"{named} approved: the contact is blocked.", None
    return f"{named} approved: the contact is freed.", NOT_SENT_AGAIN


def _decided_before(request: StoredRequest) -> tuple[str, str | None]:
    """A repeat changes nothing, and does not know where the contact stands by now."""
    reason = f" ({request.decline_reason})" if request.decline_reason else ""
    sentence = f"Request {request.id} was {request.state}{reason} by {request.decided_by} before: nothing has changed."
    return sentence, "The contact's report says where it stands now."


def _unknown(review: Review) -> RequestRefused:
    of = "" if review.account is None else f" of account {review.account!r}"
    # Whose token is for one account alone can name no other one, and learns nothing of them.
    elsewhere = review.account is not None and review.principal.account is None
    return RequestRefused(
        "unknown-safelist-request",
        f"There is no safelist request {review.request_id}{of}.",
        remedy=f"Look for it in the list of requests{', and name its account' if elsewhere else ''}.",
        http_status=HTTPStatus.NOT_FOUND,
    )


def _decided_already(request: StoredRequest) -> RequestRefused:
    reason = f" ({request.decline_reason})" if request.decline_reason else ""
    return RequestRefused(
        "decided-already",
        f"Request {request.id} was {request.state}{reason} by {request.decided_by} before.",
        remedy="Make a new request, or decide about the contact itself.",
        http_status=HTTPStatus.CONFLICT,
    )


def _changed_since(request: StoredRequest, names: list[str]) -> RequestRefused:
    return RequestRefused(
        "contact-changed",
        f"Since request {request.id} was made, something else forbids mail: {', '.join(names)}.",
        remedy="Decline this request, look at the contact's report, and have a new one made if that is right.",
        http_status=HTTPStatus.CONFLICT,
    )


def _log_decision(view: RequestView) -> None:
    _log.info(
        "safelist.decided",
        request_id=view.id,
        contact=contact_field(view.address),
        account=view.account,
        channel=view.channel,
        kind=view.kind.value,
        state=view.state.value,
        reason=view.decline_reason,
        actor=view.decided_by,
        act_id=view.act_id,
    )
