"""Sends status changes to applications by signed webhooks: in order, at least once, tried for days."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from schemas.endpoint import Endpoint
from schemas.outgoing import StatusChanged
from schemas.trace_context import TraceContext
from worker.errors import TryAgainLater
from worker.process import metrics
from worker.process.backoff import Backoff
from worker.process.logs import Reminder, get_logger
from worker.process.pause import pause
from worker.processor.announcement_trace import announcing, traces_of
from worker.processor.endpoint_client import Answer
from worker.store.endpoint_states import EndpointState, endpoint_state, follower_name, note_delivery, note_failure
from worker.store.feed_followers import Follower, Portion, ensure_follower, next_changes
from worker.store.pool import Pool
from worker.store.status_feed import number_changes
from worker.store.turns import Turns
from worker.tracing.tracer import Attributes, Kind

_log = get_logger()
_CHANGES_AT_ONCE = 20  # few, so that a fresh change does not wait long behind bulk work
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(minutes=5)
_LONGEST_DATABASE_WAIT_SECONDS = 10.0
_encode = msgspec.json.Encoder().encode


class Client(Protocol):
    """The part of worker.processor.endpoint_client.EndpointClient that a sender needs."""

    async def post(
        self, endpoint: Endpoint, message_id: str, body: bytes, *, trace: TraceContext | None = None
    ) -> Answer:
        """Whether the application has taken the message. Raises nothing, whatever happens."""
        ...


class EndpointSender:
    """Sends to one endpoint while it is this process's turn.

    A change is tried again until the application takes it, and no later one is sent before: the application receives
    all changes in one order. Its place in the feed is stored after each change.
    """

    def __init__(
        self, endpoint: Endpoint, *, pool: Pool, turns: Turns, client: Client, give_up_after: timedelta
    ) -> None:
        self._endpoint = endpoint
        self._name = follower_name(endpoint.name)
        self._pool = pool
        self._turns = turns
        self._client = client
        self._give_up_after = give_up_after

    async def run(self, *, every_seconds: float, stop: asyncio.Event) -> None:
        """Sends until `stop` is set. Waits if the database is away."""
        backoff = Backoff(first_seconds=every_seconds * 2, longest_seconds=_LONGEST_DATABASE_WAIT_SECONDS)
        reminder = Reminder()
        while not stop.is_set():
            wait_seconds = every_seconds
            try:
                await self.send_waiting(stop)
                reminder.over()
                backoff.succeeded()
            except TryAgainLater as error:
                wait_seconds = backoff.failed()
                if reminder.due(type(error).__name__):
                    _log.warning("task.failed", task=self._name, reason=str(error), wait_seconds=wait_seconds)
            await pause(stop, wait_seconds)

    async def send_waiting(self, stop: asyncio.Event) -> int:
        """Sends until nothing waits, an attempt fails, or `stop` is set. Gives the number of changes that were taken.

        Raises StoreUnavailable.
        """
        accepted = 0
        if not await self._turns.take(self._name):
            return accepted
        while not stop.is_set():
            state = await self._state()
            if state is None or not _is_due(state):
                break
            await number_changes(self._pool)
            portion = await next_changes(self._pool, state.place, limit=_CHANGES_AT_ONCE)
            if portion.end == state.place:
                break
            count, goes_on = await self._send(portion, state, stop)
            accepted += count
            if not goes_on:
                break
        return accepted

    async def _state(self) -> EndpointState | None:
        state = await endpoint_state(self._pool, self._endpoint.name)
        if state is None:
            await ensure_follower(self._pool, self._name)
            state = await endpoint_state(self._pool, self._endpoint.name)
        return state

    async def _send(self, portion: Portion, state: EndpointState, stop: asyncio.Event) -> tuple[int, bool]:
        """The number of changes that were taken, and whether to go on."""
        accepted, place = 0, state.place
        steps = [step for step in portion.steps if self._endpoint.wants(step.change.new_status)]
        traces = await traces_of(self._pool, [step.change for step in steps])
        for step in steps:
            if stop.is_set() or not self._turns.mine(self._name):
                return accepted, False
            answer = await self._post(step.change, traces)
            if answer.failure:
                await self._note_failure(state, answer)
                return accepted, False
            accepted += 1
            metrics.ENDPOINT_ATTEMPTS.labels(self._endpoint.name, "taken").inc()
            if state.failing_since is not None:
                _log.info("endpoint.recovered", endpoint=self._endpoint.name, attempts=state.attempts + 1)
            if not await self._move(place, step.after):
                return accepted, False
            place = step.after
            state = msgspec.structs.replace(state, place=place, failing_since=None, attempts=0)
        return accepted, await self._move(place, portion.end)

    async def _post(self, change: StatusChanged, traces: Mapping[UUID, TraceContext]) -> Answer:
        message_id = str(change.message_id)
        with announcing(traces, [change], self._span_of_post) as contexts:
            return await self._client.post(self._endpoint, message_id, _encode(change), trace=contexts.get(message_id))

    def _span_of_post(self, change: StatusChanged) -> tuple[str, Kind, Attributes]:
        # Not the URL, which may hold a token.
        return (
            "POST",
            Kind.CLIENT,
            {
                "http.request.method": "POST",
                "server.address": urlsplit(self._endpoint.url).hostname or "",
                "bouncekeeper.endpoint": self._endpoint.name,
                "bouncekeeper.new_status": str(change.new_status),
                "bouncekeeper.cause": str(change.cause),
            },
        )

    async def _move(self, before: Follower, after: Follower) -> bool:
        return self._turns.mine(self._name) and (
            before == after or await note_delivery(self._pool, before=before, after=after)
        )

    async def _note_failure(self, state: EndpointState, answer: Answer) -> None:
        now = datetime.now(UTC)
        wait = max(_backoff(state.attempts), answer.retry_after or timedelta())
        failing_since = state.failing_since or now
        disable = answer.gone or now - failing_since > self._give_up_after
        await note_failure(
            self._pool, self._name, now=now, next_attempt_at=now + wait, failure=answer.failure, disable=disable
        )
        metrics.ENDPOINT_ATTEMPTS.labels(self._endpoint.name, "failed").inc()
        if disable:
            _log.error(
                "endpoint.disabled",
                endpoint=self._endpoint.name,
                reason=answer.failure,
                failing_since=failing_since.isoformat(),
                remedy=f"mend the application, then `bouncekeeper endpoints enable {self._endpoint.name}`",
            )
        elif _is_worth_a_line(state.attempts):
            _log.warning(
                "endpoint.failed",
                endpoint=self._endpoint.name,
                reason=answer.failure,
                attempts=state.attempts + 1,
                wait_seconds=round(wait.total_seconds(), 1),
            )


def _is_due(state: EndpointState) -> bool:
    if state.disabled_at is not None:
        return False
    return state.next_attempt_at is None or state.next_attempt_at <= datetime.now(UTC)


def _backoff(attempts: int) -> timedelta:
    """The wait after so many failures in a row: it doubles up to a limit, and varies at random."""
    wait: timedelta = min(_FIRST_WAIT * 2 ** min(attempts, 20), _LONGEST_WAIT)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


def _is_worth_a_line(attempts: int) -> bool:
    """True for the first failures and then about once an hour."""
    return attempts < 3 or attempts % 12 == 0  # noqa: PLR2004 - as the docstring says
