"""Decisions: one act, applied contact by contact by the code that applies events.

The act is stored first, then its decisions, in transactions of bounded size. A repeated request with an idempotency key
continues the same act: the decisions that it has made already are recognised by their keys, at whatever time they were
made. Once the act has ended, a repeat changes nothing.
"""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import fields, replace

from schemas.address import normalise_recipient
from schemas.decision import Decision, decision_key
from schemas.decision_request import DecisionTerms
from schemas.vocabulary import Channel
from worker.contacts.act_start import act_of, begin_act, known_act, store_act
from worker.contacts.applying import apply_decisions
from worker.contacts.batch_terms import Applied, BatchRules
from worker.contacts.decision_answer import (
    DecisionAnswer,
    SkippedAddress,
    StillForbidden,
    invalid_address,
    not_decided_then,
    skip_of,
    still_forbidden,
)
from worker.contacts.decision_report import report_decisions
from worker.contacts.decision_result import DecisionResult
from worker.contacts.decision_terms import request_hash, require_timely_terms, sound_terms
from worker.contacts.principal import Principal
from worker.contacts.profile import Profile, store_profiles
from worker.errors import Deadlocked, RequestRefused
from worker.process.logs import get_logger
from worker.store.acts import Act, StoredAct, claimed_act, finish_act, lock_unfinished_act
from worker.store.pool import WriterConnection, WriterPool
from worker.store.writer_pool import Writer, rehearsing, writer_session, writing

_log = get_logger()

CONTACTS_AT_ONCE = 500
_BULK = 100  # decisions of a larger act are announced behind fresh changes
_TRIES = 5
_DECISION_FIELDS = frozenset(field.name for field in fields(Decision))
_NO_ACT = 0

Progress = Callable[[int, int], None]  # how many addresses are done, and of how many


class Question(Struct, frozen=True, kw_only=True):
    """What to decide, about whom, and who asks for it."""

    terms: DecisionTerms
    addresses: Sequence[str]  # as given
    account: str
    channel: Channel
    principal: Principal
    what: str  # the sort of act: call, command
    idempotency_key: str | None = None
    dry_run: bool = False
    profiles: Mapping[str, Profile] = {}  # by normalised address; of contacts that are added


async def decide_contacts(
    pool: WriterPool, question: Question, *, rules: BatchRules, progress: Progress | None = None
) -> DecisionAnswer:
    """Every decision that the answer counts as made is in effect, once, when this returns.

    After a crash or an error, repeat the request with the same idempotency key. Raises RequestRefused for terms that
    make no sense and for an idempotency key that was used for another request, and StoreUnavailable.
    """
    question = replace(question, terms=sound_terms(question.terms))
    started = time.monotonic()
    given, skipped = _spellings(question)
    act, repeated = await _begin(pool, question, given)
    is_finished = act is not None and act.finished_at is not None
    addresses = list(given)
    async with _alone(pool, act, several=len(addresses) > CONTACTS_AT_ONCE) as writer:
        run = _Run(writer, question, rules, act_id=_NO_ACT if act is None else act.id, writes=not is_finished)
        run.skipped += skipped
        for place in range(0, len(addresses), CONTACTS_AT_ONCE):
            some = addresses[place : place + CONTACTS_AT_ONCE]
            done = place + len(some)
            await run.decide({address: given[address] for address in some}, is_last=done == len(addresses))
            if progress is not None:
                progress(done, len(addresses))
    if act is not None and not addresses:
        await finish_act(pool, act.id, at=datetime.now(UTC))
    answer = DecisionAnswer(
        act_id=None if act is None else act.id,
        kind=question.terms.kind,
        account=question.account,
        channel=question.channel,
        dry_run=question.dry_run,
        repeated=repeated,
        addresses=len(question.addresses),
        made=run.made,
        unchanged=run.unchanged,
        skipped=len(run.skipped),
        duplicates=len(question.addresses) - len(given) - len(skipped),
        skipped_addresses=run.skipped,
        still_forbidden=run.still_forbidden,
    )
    if act is not None:
        _log_end(question, answer, seconds=time.monotonic() - started)
    return answer


@asynccontextmanager
async def _alone(pool: WriterPool, act: StoredAct | None, *, several: bool) -> AsyncIterator[Writer]:
    """The writer for the act. An act of several transactions has a session of its own, and excludes other requests.

    Otherwise two requests with one key could take turns, and differ about entries that arrive in between. Raises
    RequestRefused if another request works on the act.
    """
    key = None if act is None else act.idempotency_key
    if act is None or key is None or not several or act.finished_at is not None:
        yield pool
        return
    async with (
        writer_session(pool, "deciding about contacts") as connection,
        claimed_act(connection, act.id) as is_claimed,
    ):
        if not is_claimed:
            raise RequestRefused(
                "idempotency-key-in-use",
                f"Another request with the idempotency key {key[:40]!r} is being carried out.",
                remedy="Wait for its answer; or send this one again after a few seconds, and it is answered the same.",
                http_status=409,
            )
        yield connection


def _spellings(question: Question) -> tuple[dict[str, str], list[SkippedAddress]]:
    """The addresses, normalised, each with its first spelling; and the texts that are not addresses."""
    given: dict[str, str] = {}
    invalid = []
    for spelling in question.addresses:
        address = normalise_recipient(spelling, question.channel)
        if address is None:
            invalid.append(invalid_address(spelling, question.channel))
        else:
            given.setdefault(address, spelling)
    return given, invalid


async def _begin(pool: WriterPool, question: Question, given: dict[str, str]) -> tuple[StoredAct | None, bool]:
    """The act, and whether it began before; None for a dry run, unless an act with this key began before."""
    terms, principal, now = question.terms, question.principal, datetime.now(UTC)
    asked = request_hash(terms, given, account=question.account, channel=question.channel, profiles=question.profiles)
    key = question.idempotency_key
    if (known := await known_act(pool, principal, key, asked)) is not None:
        return known, True
    require_timely_terms(terms, now)
    if question.dry_run:
        return None, False
    return await begin_act(pool, _act(question, asked, now), principal, asked)


def _act(question: Question, asked: bytes | None, now: datetime) -> Act:
    return act_of(
        question.principal,
        account=question.account,
        what=question.what,
        idempotency_key=None if asked is None else question.idempotency_key,
        request_hash=asked,
        note=question.terms.note,
        at=now,
    )


class _Run:
    """The decisions of one act, some contacts at a time."""

    def __init__(self, writer: Writer, question: Question, rules: BatchRules, *, act_id: int, writes: bool) -> None:
        self.made = 0
        self.unchanged = 0
        self.skipped: list[SkippedAddress] = []
        self.still_forbidden: list[StillForbidden] = []
        self._writer = writer
        self._question = question
        self._rules = rules
        self._act_id = act_id
        self._is_over = not writes  # the act has ended: a repeat is answered, but decides nothing
        self._writes = writes and not question.dry_run

    async def decide(self, given: dict[str, str], *, is_last: bool) -> None:
        """Decides about these addresses, which map to their spellings. Ends the act after the last ones."""
        waiting = [self._decision(address) for address in given]
        while waiting:
            applied = await self._apply(waiting, is_last=is_last)
            waiting = applied.leftover_decisions
            for result in applied.results:
                self._count(given[result.decision.address], result)
            if self._writes:
                # Contacts are added by the million: for many at once, the line at the end of their act is enough.
                is_bulk = bool(self._question.profiles) and len(self._question.addresses) > _BULK
                report_decisions(applied, with_lines=not is_bulk)

    async def _apply(self, decisions: Sequence[Decision], *, is_last: bool) -> Applied:
        for further_tries in reversed(range(_TRIES)):
            try:
                if self._writes and (applied := await self._write(decisions, is_last=is_last)) is not None:
                    return applied
                return await self._rehearse(decisions)
            except Deadlocked:
                if not further_tries:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _write(self, decisions: Sequence[Decision], *, is_last: bool) -> Applied | None:
        """The result; None if another request with the same key has ended the act meanwhile.

        A caller who does not wait for the answer may ask again while the first request is at work. The act ends with
        its last decision, so neither request changes what the other one has answered.
        """
        async with writing(self._writer, "deciding about contacts") as connection:
            if not await lock_unfinished_act(connection, self._act_id):
                self._is_over, self._writes = True, False
                return None
            applied = await self._apply_to(connection, decisions)
            if is_last and not applied.leftover_decisions:
                await finish_act(connection, self._act_id, at=datetime.now(UTC))
        return applied

    async def _rehearse(self, decisions: Sequence[Decision]) -> Applied:
        async with rehearsing(self._writer, "deciding about contacts") as connection:
            if self._act_id == _NO_ACT:  # a dry run: its act is rolled back with the rest
                act_id = await store_act(connection, _act(self._question, None, datetime.now(UTC)))
                decisions = [replace(decision, act_id=act_id) for decision in decisions]
            return await self._apply_to(connection, decisions)

    async def _apply_to(self, connection: WriterConnection, decisions: Sequence[Decision]) -> Applied:
        is_bulk = len(self._question.addresses) > _BULK
        now = datetime.now(UTC)
        applied = await apply_decisions(connection, decisions, rules=self._rules, now=now, bulk=is_bulk)
        if profiles := self._question.profiles:
            await store_profiles(connection, applied.results, profiles, act_id=decisions[0].act_id, now=now)
        return applied

    def _decision(self, address: str) -> Decision:
        question, terms, now = self._question, self._question.terms, datetime.now(UTC)
        asked = {
            name: getattr(terms, name)
            for name in terms.__struct_fields__
            if name in _DECISION_FIELDS and name not in {"kind", "account", "channel"}
        }
        kind = terms.kind.decision_kind
        if (profile := question.profiles.get(address)) is not None:
            asked["permission"] = profile.permission
        return Decision(
            event_key=decision_key(
                self._act_id, account=question.account, channel=question.channel, address=address, kind=kind
            ),
            act_id=self._act_id,
            account=question.account,
            address=address,
            channel=question.channel,
            kind=kind,
            occurred_at=now,  # dated finally under the lock
            received_at=now,
            role=question.principal.role,
            actor=question.principal.name,
            **asked,
        )

    def _count(self, spelling: str, result: DecisionResult) -> None:
        if (skip := skip_of(spelling, result)) is not None:
            self.skipped.append(skip)
        elif not result.is_stored:
            self.unchanged += 1
        elif self._is_over and result.effect is not None:
            self.skipped.append(not_decided_then(spelling))
        else:
            self.made += 1
            self.still_forbidden += still_forbidden(spelling, result)


def _log_end(question: Question, answer: DecisionAnswer, *, seconds: float) -> None:
    _log.info(
        "act.finished",
        act_id=answer.act_id,
        what=question.what,
        kind=answer.kind,
        account=answer.account,
        actor=question.principal.name,
        made=answer.made,
        unchanged=answer.unchanged,
        skipped=answer.skipped,
        repeated=answer.repeated,
        seconds=round(seconds, 3),
    )
