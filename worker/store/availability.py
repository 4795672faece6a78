"""Whether Postgres does its part for this process, told as a metric all the while."""

import asyncio

from worker.errors import BouncekeeperError, StopTheProcess
from worker.process import metrics
from worker.process.deadline import answer_within
from worker.process.logs import Reminder, get_logger
from worker.process.pause import pause
from worker.store.pool import DATABASE_ERRORS, Executor, Pool, store_errors

_log = get_logger()

_EVERY_SECONDS = 5.0
_ANSWER_SECONDS = 4.0
# A standby answers too, and stores nothing.
_TAKES_WRITES = "SELECT NOT pg_is_in_recovery()"
_ANSWERS = "SELECT true"


async def watch_store(pool: Pool, stop: asyncio.Event, *, role: str, writes: bool) -> None:
    """Keeps the metric of this role up to date until `stop` is set. With `writes` a standby does not count.

    It asks by the pool that the work goes through: a process that gets no connection has no Postgres either.
    """
    reminder = Reminder()
    while not stop.is_set():
        metrics.STORE_AVAILABLE.labels(role).set(await _answers(pool, reminder, writes=writes))
        await pause(stop, _EVERY_SECONDS)


async def _answers(pool: Pool, reminder: Reminder, *, writes: bool) -> bool:
    """As store_answers. If a person must act before Postgres answers, logs that."""
    try:
        answers = await _ask_in_time(pool, writes=writes)
    except StopTheProcess as error:
        if reminder.due(str(error)):
            _log.error("postgres.rejected", reason=str(error))
        return False
    reminder.over()
    return answers


async def store_answers(executor: Executor, *, writes: bool) -> bool:
    """True if Postgres answers within a few seconds, and can be written to if `writes` asks for that."""
    try:
        return await _ask_in_time(executor, writes=writes)
    except StopTheProcess:
        return False


async def _ask_in_time(executor: Executor, *, writes: bool) -> bool:
    try:
        return await answer_within(_ANSWER_SECONDS, _ask(executor, _TAKES_WRITES if writes else _ANSWERS))
    except StopTheProcess:
        raise
    except (BouncekeeperError, TimeoutError, *DATABASE_ERRORS):
        return False


async def _ask(executor: Executor, question: str) -> bool:
    with store_errors("asking whether it is there"):
        return bool(await executor.fetchval(question))
