"""Commits a batch of events: tries again while Postgres is unavailable, and splits the batch if one event spoils it."""

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from msgspec import Struct, structs

from schemas.entry import LASTING_KINDS
from schemas.feedback_event import FeedbackEvent
from schemas.trace_context import TraceContext
from worker.contacts.accounts import KnownAccounts
from worker.contacts.applying import Applied, BatchRules, apply_events
from worker.errors import AlreadyStored, BouncekeeperError, MonthClosed, StoreUnavailable, WriteRefused
from worker.process.backoff import Backoff
from worker.process.logs import get_logger
from worker.processor.parsing import ParsedDelivery, ParsedParcels, used_token
from worker.providers.bound_sources import BoundSources
from worker.store.dead_letters import SetAsideDelivery, put_aside
from worker.store.delivery_traces import keep_traces
from worker.store.event_rows import EventEncoder
from worker.store.partitions import make_partitions, month_of, retired_months
from worker.store.pool import DATABASE_ERRORS, Connection, WriterPool
from worker.store.replay_tokens import claim_tokens
from worker.store.sessions import session, transaction
from worker.store.writer_pool import refused_writes, writing

_log = get_logger()

_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 1.0
# During a restart or a fail-over of Postgres we keep the parcels and wait. If it takes longer, they go back.
_PATIENCE_SECONDS = 5.0
_MOST_LOOKS_AT_MONTHS = 3

UNKNOWN_ACCOUNT = "unknown_account"

_Result = TypeVar("_Result")

_REPLAYED = (
    "its one-time token was used for another event before: somebody has seen a webhook of this source and forged this"
    " one. Renew the source's signing key, and discard it"
)


class RefusedEvent(Struct, frozen=True, kw_only=True):
    """An event that Postgres refuses because of its content."""

    event: FeedbackEvent
    detail: str  # a sentence for the operator


class Committed(Struct, kw_only=True):
    """The result of a batch."""

    applied: list[Applied] = []
    refused: list[RefusedEvent] = []
    attempts: int = 0


class BatchWriter:
    """Commits batches; one instance serves any number of tasks."""

    def __init__(
        self,
        pool: WriterPool,
        rules: BatchRules,
        stop: asyncio.Event | None = None,
        *,
        accounts: KnownAccounts | None = None,
    ) -> None:
        """Once `stop` is set, stops waiting for Postgres."""
        self._pool = pool
        self.rules = rules
        self._accounts = accounts or KnownAccounts()
        self._encoder = EventEncoder()
        self._stop = stop or asyncio.Event()

    async def commit(
        self, events: Sequence[FeedbackEvent], *, traces: Mapping[UUID, TraceContext] | None = None
    ) -> Committed:
        """All events are in the database when this returns, except the refused ones.

        `traces` are those of the deliveries that are traced: they are kept for whoever announces the changes.

        Usually this takes one transaction. After deadlocks and serialization failures it is repeated at once; if
        Postgres is away, this waits, but not for long. An event that Postgres refuses because of its content, or that
        a bug of ours fails on, is found by halving the batch. Raises StoreUnavailable if nothing can be stored now;
        events that were committed before are recognised when they come again.
        """
        committed = Committed()
        work = [events]
        while work:
            part = work.pop()
            try:
                await self._commit_until_done(part, committed, traces or {})
            except WriteRefused as error:
                reason = f"Postgres refuses an event of it ({error})"
            except (BouncekeeperError, *DATABASE_ERRORS):
                raise
            except Exception as error:  # noqa: BLE001 - a bug of ours must not stop each processor with this batch
                reason = f"an event of it cannot be applied ({type(error).__name__})"
                if len(part) == 1:
                    _log.exception("event.failed", delivery_id=str(part[0].delivery_id))
            else:
                continue
            if len(part) > 1:
                middle = len(part) // 2
                work += [part[middle:], part[:middle]]
            else:
                detail = f"{reason}: this is a bug, please report it; replay after the fix"
                committed.refused.append(RefusedEvent(event=part[0], detail=detail))
        return committed

    async def refuse_replays(self, parsed: ParsedParcels) -> None:
        """Sets deliveries in `parsed` aside whose one-time token was used for another webhook before.

        A receiver knows only the tokens that it has seen; this knows those of all receivers. Raises StoreUnavailable.
        """
        tokens = [(delivery, token) for delivery in parsed.deliveries if (token := used_token(delivery.envelope))]
        if not tokens:
            return

        async def claim(connection: Connection) -> list[bool]:
            return await claim_tokens(connection, [token for _, token in tokens])

        claims = await self._patiently("claiming one-time tokens", claim)
        replays = [delivery for (delivery, _), is_first_use in zip(tokens, claims, strict=True) if not is_first_use]
        if replays:
            parsed.set_aside += [
                SetAsideDelivery(envelope=delivery.envelope, reason="replayed_token", detail=_REPLAYED)
                for delivery in replays
            ]
            ids = {id(delivery) for delivery in replays}
            parsed.deliveries = [delivery for delivery in parsed.deliveries if id(delivery) not in ids]

    async def refuse_unknown_accounts(self, parsed: ParsedParcels, sources: BoundSources) -> None:
        """Creates the accounts that `parsed` names, if their sources may create accounts.

        Removes the events of all other unknown accounts and sets their whole deliveries aside. Raises
        StoreUnavailable.
        """
        unsure = self._accounts.not_found(event.account for one in parsed.deliveries for event in one.events)
        if not unsure:
            return
        makers: dict[str, str | None] = dict.fromkeys(unsure)
        for delivery in parsed.deliveries:
            for account in unsure.intersection(event.account for event in delivery.events):
                makers[account] = makers[account] or _maker(delivery, sources)
        patience = _Patience(self._stop)
        while True:
            try:
                unknown = await self._accounts.make_missing(self._pool, makers, now=datetime.now(UTC))
            except StoreUnavailable as error:
                await patience.wait(error, 1)
            else:
                break
        if unknown:
            _take_out(parsed, unknown)

    async def set_aside(self, deliveries: Sequence[SetAsideDelivery]) -> None:
        """The deliveries are in dead_letters when this returns. Raises StoreUnavailable."""
        if not deliveries:
            return

        async def put(connection: Connection) -> None:
            await put_aside(connection, deliveries, at=datetime.now(UTC))

        await self._patiently("setting deliveries aside", put)

    async def _patiently(self, doing: str, work: Callable[[Connection], Awaitable[_Result]]) -> _Result:
        """Does the work in a transaction of its own; tries again for a while if Postgres is away."""
        patience = _Patience(self._stop)
        while True:
            try:
                async with transaction(self._pool, doing) as connection:
                    return await work(connection)
            except StoreUnavailable as error:
                await patience.wait(error, 1)

    async def _commit_until_done(
        self, events: Sequence[FeedbackEvent], committed: Committed, traces: Mapping[UUID, TraceContext]
    ) -> None:
        trust_watermarks, months_looked_at = True, 0
        retired: frozenset[datetime] = frozenset()
        patience = _Patience(self._stop)
        while events:
            committed.attempts += 1
            try:
                await self._encoder.learn(self._pool, events)
                if months_looked_at:
                    retired = await self._look_at_months(events)
                applied = await self._commit_once(
                    events, trust_watermarks=trust_watermarks, retired_months=retired, traces=traces
                )
                committed.applied.append(applied)
                events = applied.leftover
            except AlreadyStored:
                if not trust_watermarks:
                    raise
                trust_watermarks = False  # see apply_events
            except MonthClosed:
                # A month has no partition yet, or a process with a shorter retention is retiring it.
                if months_looked_at == _MOST_LOOKS_AT_MONTHS:
                    raise
                months_looked_at += 1
            except StoreUnavailable as error:
                await patience.wait(error, committed.attempts)

    async def _commit_once(
        self,
        events: Sequence[FeedbackEvent],
        *,
        trust_watermarks: bool,
        retired_months: frozenset[datetime],
        traces: Mapping[UUID, TraceContext],
    ) -> Applied:
        now = datetime.now(UTC)
        with refused_writes():
            async with writing(self._pool) as connection:
                applied = await apply_events(
                    connection,
                    events,
                    rules=self.rules,
                    now=now,
                    trust_watermarks=trust_watermarks,
                    retired_months=retired_months,
                    encoder=self._encoder,
                )
                if traces and (kept := _of_changes(applied, traces)):
                    await keep_traces(connection, kept, now=now)
                return applied

    async def _look_at_months(self, events: Sequence[FeedbackEvent]) -> frozenset[datetime]:
        """Makes the partitions that calm events of these months need; gives the months that accept none any more."""
        months = {
            month_of(event.occurred_at)
            for event in events
            if event.kind not in LASTING_KINDS and event.occurred_at >= self.rules.oldest_kept
        }
        async with session(self._pool, "looking at the months of a batch") as connection:
            for month in await make_partitions(connection, months):
                _log.info("partition.made", month=f"{month:%Y-%m}")
            return frozenset(await retired_months(connection))


def _of_changes(applied: Applied, traces: Mapping[UUID, TraceContext]) -> dict[UUID, TraceContext]:
    """The traces of those deliveries that have changed a status."""
    changed = {change.delivery_id for change in applied.changes}
    return {delivery_id: trace for delivery_id, trace in traces.items() if delivery_id in changed}


def _maker(delivery: ParsedDelivery, sources: BoundSources) -> str | None:
    """The name of the delivery's source; None if the source may not create accounts."""
    bound = sources.of(delivery.envelope)
    return bound.source.name if bound is not None and bound.source.makes_accounts else None


def _take_out(parsed: ParsedParcels, unknown: frozenset[str]) -> None:
    """Sets deliveries that name these accounts aside, whole: a replay skips the events that are applied now."""
    remaining = []
    for delivery in parsed.deliveries:
        unknown_here = {event.account for event in delivery.events}.intersection(unknown)
        if not unknown_here:
            remaining.append(delivery)
            continue
        name, *others = sorted(unknown_here)
        more = f" and {len(others)} other accounts that do not exist" if others else ", which does not exist"
        detail = (
            f"it names the account {name!r}{more}, and its source may not create accounts: add it with `bouncekeeper"
            f" accounts add {shlex.quote(name)}`, then replay"
        )
        parsed.set_aside.append(delivery.set_aside(reason=UNKNOWN_ACCOUNT, detail=detail))
        events = [event for event in delivery.events if event.account not in unknown]
        parsed.event_count -= len(delivery.events) - len(events)
        if events:
            remaining.append(structs.replace(delivery, events=events))
    parsed.deliveries = remaining


class _Patience:
    """Waits for Postgres for a limited time while we keep the parcels."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._backoff = Backoff(first_seconds=_FIRST_WAIT_SECONDS, longest_seconds=_LONGEST_WAIT_SECONDS)
        self._ends_at: float | None = None

    async def wait(self, error: StoreUnavailable, attempt: int) -> None:
        """Returns when the work may be tried again; raises the error once the time is over."""
        if self._ends_at is None:
            self._ends_at = time.monotonic() + _PATIENCE_SECONDS
        if self._stop.is_set() or time.monotonic() > self._ends_at:
            raise error
        _log.warning("batch.retried", attempt=attempt, reason=str(error), wait_seconds=round(self._backoff.seconds, 3))
        await self._backoff.wait(self._stop)
