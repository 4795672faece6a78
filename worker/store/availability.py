"""Whether Postgres does its part for this process, told as a metric all the while."""

import asyncio

from worker.errors import BouncekeeperError
from worker.process import metrics
from worker.process.deadline import answer_within
from worker.process.pause import pause
from worker.store.pool import DATABASE_ERRORS, Executor, Pool, store_errors

_EVERY_SECONDS = 5.0
_ANSWER_SECONDS = 4.0
# A standby answers too, and stores nothing.
_TAKES_WRITES = "SELECT NOT pg_is_in_recovery()"
_ANSWERS = "SELECT true"


async def watch_store(pool: Pool, stop: asyncio.Event, *, role: str, writes: bool) -> None:
    """Keeps the metric of this role up to date until `stop` is set. With `writes` a standby does not count.

    It asks by the pool that the work goes through: a process that gets no connection has no Postgres either.
    """
    while not stop.is_set():
        metrics.STORE_AVAILABLE.labels(role).set(await store_answers(pool, writes=writes))
        await pause(stop, _EVERY_SECONDS)


async def store_answers(executor: Executor, *, writes: bool) -> bool:
    """True if Postgres answers within a few seconds, and can be written to if `writes` asks for that."""
    try:
        return await answer_within(_ANSWER_SECONDS, _ask(executor, _TAKES_WRITES if writes else _ANSWERS))
    except (BouncekeeperError, TimeoutError, *DATABASE_ERRORS):
        return False


async def _ask(executor: Executor, question: str) -> bool:
    with store_errors("asking whether it is there"):
        return bool(await executor.fetchval(question))
