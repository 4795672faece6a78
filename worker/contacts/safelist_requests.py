"""Makes requests to mail contacts again, or to block them. The rules judge each request, which is stored with that.

One contact, one transaction. Meanwhile nobody else asks or decides about the contact, and its row is locked before it
is read: an event that arrives meanwhile waits, and counts after this decision. A request and the decision that the
rules approve take effect together, or not at all.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from schemas.address import normalise_recipient
from schemas.decision import Origin, Role
from schemas.feedback_event import FeedbackEvent
from schemas.safelist import RequestKind, RequestState
from worker.contacts.act_start import act_of, begin_act, known_act, store_act
from worker.contacts.batch_terms import Applied, BatchRules
from worker.contacts.decision_answer import invalid_address
from worker.contacts.decision_report import report_decisions
from worker.contacts.locked_contact import KnownContact, locked_contact
from worker.contacts.safelist_answer import (
    NOT_REQUESTED_THEN,
    RequestOutcome,
    SafelistAnswer,
    outcome_of,
    refused_outcome,
)
from worker.contacts.safelist_decision import RULES_NAME, approval
from worker.contacts.safelist_facts import (
    SafelistQuestion,
    last_failure,
    liftable,
    new_request,
)
from worker.contacts.safelist_terms import asked_hash, require_sound_request
from worker.contacts.safelist_view import RequestView, earlier_requests
from worker.contacts.single_decision import carry_out, in_one_transaction
from worker.policy.dimension import Standing
from worker.policy.safelist import (
    Earlier,
    Impossible,
    Obstacle,
    RequestFacts,
    Ruling,
    SafelistRules,
    Verdict,
    block_obstacle,
    judge,
    lately_declined,
    obstacle,
    wish_obstacle,
)
from worker.policy.standing import standing
from worker.process import metrics
from worker.process.logs import contact_field, get_logger
from worker.store.acts import StoredAct, finish_act, forget_idle_act, lock_unfinished_act
from worker.store.contact_rows import ContactKey
from worker.store.pool import WriterConnection, WriterPool
from worker.store.safelist_requests import (
    StoredRequest,
    decide_stored_request,
    insert_request,
    request_of_act,
    requests_of_contact,
    take_turn,
)
from worker.store.writer_pool import writing

_log = get_logger()

_BULK = 100


async def request_contacts(
    pool: WriterPool, question: SafelistQuestion, *, batch: BatchRules, rules: SafelistRules
) -> SafelistAnswer:
    """Every request that the answer names is stored when this returns, and every approval is in effect.

    After a crash or an error, repeat it with the same idempotency key. Raises RequestRefused for an impossible request
    and for an idempotency key that was used for another request, and StoreUnavailable.
    """
    now = datetime.now(UTC)
    require_sound_request(question.kind, question.note, question.wish, addresses=len(question.addresses), now=now)
    given: dict[str, str] = {}
    results = []
    for spelling in question.addresses:
        address = normalise_recipient(spelling, question.channel)
        if address is None:
            skip = invalid_address(spelling, question.channel)
            reason = Impossible.INVALID_ADDRESS
            results.append(
                refused_outcome(spelling, Obstacle(reason=reason, sentence=skip.sentence, remedy=skip.remedy))
            )
        else:
            given.setdefault(address, spelling)
    act, repeated = await _begin(pool, question, given, now)
    run = _Run(pool, question, batch, rules, act)
    results += [await run.ask(address, spelling) for address, spelling in given.items()]
    if act is not None:
        act = await _end(pool, act, results)
    counts = {state: sum(one.state is state for one in results) for state in RequestState}
    return SafelistAnswer(
        act_id=None if act is None else act.id,
        kind=question.kind,
        account=question.account,
        channel=question.channel,
        dry_run=question.dry_run,
        repeated=repeated,
        addresses=len(question.addresses),
        approved=counts[RequestState.APPROVED],
        declined=counts[RequestState.DECLINED],
        requested=counts[RequestState.REQUESTED],
        refused=sum(one.state is None for one in results),
        duplicates=len(question.addresses) - len(results),
        results=results,
    )


async def _begin(
    pool: WriterPool, question: SafelistQuestion, given: dict[str, str], now: datetime
) -> tuple[StoredAct | None, bool]:
    """The act, and whether it began before; None for a dry run, unless an act with this key began before."""
    request_hash = asked_hash(
        question.kind, question.note, question.wish, given, account=question.account, channel=question.channel
    )
    if (earlier := await known_act(pool, question.principal, question.idempotency_key, request_hash)) is not None:
        return earlier, True
    if question.dry_run:
        return None, False
    act = act_of(
        question.principal,
        account=question.account,
        what=question.what,
        idempotency_key=question.idempotency_key,
        request_hash=request_hash,
        note=question.note,
        at=now,
        subject="safelist request",
    )
    return await begin_act(pool, act, question.principal, request_hash)


async def _end(pool: WriterPool, act: StoredAct, results: Sequence[RequestOutcome]) -> StoredAct | None:
    """The finished act; None if it made no request.

    A caller who may only ask must not fill a table with refused requests, so such an act is not kept. If it is sent
    again with its key, it is judged again.
    """
    if all(one.request is None for one in results):
        async with writing(pool, "forgetting an act") as connection:
            if await forget_idle_act(connection, act.id):
                return None
    await finish_act(pool, act.id, at=datetime.now(UTC))
    return act


class _Run:
    """The requests of one act, one contact at a time."""

    def __init__(
        self,
        pool: WriterPool,
        question: SafelistQuestion,
        batch: BatchRules,
        rules: SafelistRules,
        act: StoredAct | None,
    ) -> None:
        self._pool, self._question, self._batch, self._rules = pool, question, batch, rules
        self._act = act

    async def ask(self, address: str, spelling: str) -> RequestOutcome:
        """The result for this address. It is committed when this returns, unless it is a dry run."""
        dry_run = self._question.dry_run
        outcome, applied = await in_one_transaction(
            self._pool,
            "asking for a contact",
            lambda connection: self._ask(connection, address, spelling),
            dry_run=dry_run,
        )
        if dry_run:
            return outcome if outcome.request is None else replace(outcome, request=_unnumbered(outcome))
        if applied is None and outcome.request is None:
            metrics.SAFELIST_REQUESTS.labels(self._question.kind.value, "refused").inc()
        if applied is not None:
            _count(outcome)
            _log_request(outcome, act_id=None if self._act is None else self._act.id)
            report_decisions(applied)
        return outcome

    async def _ask(
        self, connection: WriterConnection, address: str, spelling: str
    ) -> tuple[RequestOutcome, Applied | None]:
        """The result for the address, and the applied decision; None if no request was made now."""
        question, now = self._question, datetime.now(UTC)
        key = ContactKey(address=address, account=question.account, channel=question.channel.value)
        is_over = self._act is not None and not await lock_unfinished_act(connection, self._act.id)
        await take_turn(connection, key)
        if self._act is not None:
            request = await request_of_act(connection, self._act.id, address)
            if request is not None:
                return outcome_of(spelling, request, Applied()), None
        if is_over:
            return refused_outcome(spelling, NOT_REQUESTED_THEN), None
        act_id = await self._act_id(connection, now)
        contact = await locked_contact(connection, key, policies=self._batch.policies, now=now)
        judgement = await self._judged(connection, key, contact, now)
        if isinstance(judgement, Obstacle):
            return refused_outcome(spelling, judgement), None
        verdict, facts, failure = judgement
        about = contact.forbidding(now)
        stored = await insert_request(
            connection, new_request(question, key, verdict, facts=facts, about=about, failure=failure, act_id=act_id)
        )
        applied = Applied()
        if verdict.ruling is Ruling.APPROVE:
            decision = approval(
                stored, act_id=act_id, by=RULES_NAME, role=Role.OPERATOR, origin=Origin.RULE, note=None, now=now
            )
            bulk = len(question.addresses) > _BULK
            applied = await carry_out(connection, decision, rules=self._batch, now=now, bulk=bulk)
            stored = await _approved(connection, stored, verdict, act_id, now)
        return outcome_of(spelling, stored, applied, sentence=verdict.sentence), applied

    async def _act_id(self, connection: WriterConnection, now: datetime) -> int:
        if self._act is not None:
            return self._act.id
        question = self._question
        rehearsed = act_of(
            question.principal,
            account=question.account,
            what=question.what,
            idempotency_key=None,
            request_hash=None,
            note=question.note,
            at=now,
        )
        return await store_act(connection, rehearsed)

    async def _judged(
        self, connection: WriterConnection, key: ContactKey, contact: KnownContact, now: datetime
    ) -> Obstacle | tuple[Verdict, RequestFacts, FeedbackEvent | None]:
        """The verdict of the rules and its facts, or why there can be no request."""
        question = self._question
        earlier = earlier_requests(await requests_of_contact(connection, key))
        shown = standing(contact.facts, contact.policy, now)
        several = liftable(contact.forbidding(now))
        if (why := self._obstacle(shown, several, earlier)) is not None:
            return why
        failure = None if contact.id is None else await last_failure(connection, contact.id)
        account = question.account_facts
        facts = RequestFacts(
            kind=question.kind,
            standing=shown,
            several=several,
            last_cause=None if failure is None else failure.cause,
            account_age=None if account.since is None else now - account.since,
            reputation=account.reputation,
            approved_before=earlier.approved,
            at=now,
        )
        verdict = judge(facts, self._rules)
        return lately_declined(verdict, earlier, now) or (verdict, facts, failure)

    def _obstacle(self, shown: Standing, several: Sequence[Standing], earlier: Earlier) -> Obstacle | None:
        if self._question.kind is RequestKind.BLOCK:
            return block_obstacle(several, earlier)
        return obstacle(shown, earlier, self._rules.limits) or wish_obstacle(shown, self._question.wish)


async def _approved(
    connection: WriterConnection, stored: StoredRequest, verdict: Verdict, act_id: int, now: datetime
) -> StoredRequest:
    return await decide_stored_request(
        connection,
        stored.id,
        state=RequestState.APPROVED.value,
        at=now,
        by=RULES_NAME,
        reason=None,
        note=verdict.sentence,
        act_id=act_id,
    )


def _unnumbered(outcome: RequestOutcome) -> RequestView | None:
    """The request of a dry run, without the ids of the request and the act, which do not exist."""
    view = outcome.request
    return None if view is None else replace(view, id=None, act_id=None)


def _count(outcome: RequestOutcome) -> None:
    view = outcome.request
    if view is None:
        return
    metrics.SAFELIST_REQUESTS.labels(view.kind.value, "opened").inc()
    if view.state is not RequestState.REQUESTED:
        metrics.SAFELIST_REQUESTS.labels(view.kind.value, view.state.value).inc()


def _log_request(outcome: RequestOutcome, *, act_id: int | None) -> None:
    view = outcome.request
    if view is None:
        return
    _log.info(
        "safelist.requested",
        request_id=view.id,
        contact=contact_field(view.address),
        account=view.account,
        channel=view.channel,
        kind=view.kind.value,
        state=view.state.value,
        rule=view.rule,
        actor=view.requested_by,
        act_id=act_id,
    )
