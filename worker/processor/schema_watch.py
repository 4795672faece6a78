"""If its tables or rights vanish or another server takes over, a processor disconnects, and begins anew when it can."""

import asyncio
from collections.abc import Awaitable, Callable

from worker.errors import DatabaseReplaced, MissingRight, SchemaOutOfDate, StoreUnavailable, TryAgainLater
from worker.process.backoff import Backoff
from worker.process.logs import get_logger
from worker.process.pause import pause
from worker.store.held_rights import HeldRights
from worker.store.readiness import schema_is_whole

_log = get_logger()
_LOOK_EVERY_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 10.0


async def work_while_schema_lasts(
    dsn: str, work: Callable[[], Awaitable[None]], stop: asyncio.Event, rights: HeldRights
) -> None:
    """Does the work until `stop` is set. While the tables are gone, only checks whether they are back.

    Tables are gone while somebody restores a backup; writing a table or a row would disturb that. The parcels of the
    work go back to the queue and come again. The same happens if another server has taken the database over: what the
    work remembers of it may be wrong. A lost right is waited for as well, if `rights` knows that it was there; no
    parcels are taken meanwhile, because each that goes back counts as lent once more. If the work cannot begin, because
    Postgres is away or takes no writes, it is tried again. Raises any other error that ends the work.
    """
    backoff = Backoff(first_seconds=0.2, longest_seconds=_LONGEST_WAIT_SECONDS)
    while not stop.is_set():
        try:
            await work()
        except StoreUnavailable as error:  # once it has begun, its tasks wait for Postgres themselves
            _log.warning("task.failed", task="start", reason=str(error), wait_seconds=backoff.seconds)
            await backoff.wait(stop)
        except (SchemaOutOfDate, DatabaseReplaced, MissingRight, BaseExceptionGroup) as error:
            gone = _gone(error)
            if gone is None:
                raise
            backoff.succeeded()
            if isinstance(gone, MissingRight):
                await rights.wait_for_return(gone, stop)
                continue
            if isinstance(gone, DatabaseReplaced):
                _log.warning("database.replaced", reason=str(gone))
            else:
                _log.error("schema.vanished", reason=str(gone))
            await _until_whole(dsn, stop)


async def _until_whole(dsn: str, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await pause(stop, _LOOK_EVERY_SECONDS)
        if await schema_is_whole(dsn):
            _log.info("schema.returned")
            return


def _gone(error: BaseException) -> SchemaOutOfDate | DatabaseReplaced | MissingRight | None:
    """The error that says that the database is not what it was; None if the work ended for another reason as well."""
    if isinstance(error, (SchemaOutOfDate, DatabaseReplaced, MissingRight)):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    gone = None
    for inner in error.exceptions:
        inner_gone = _gone(inner)
        if inner_gone is None and not isinstance(inner, TryAgainLater):
            return None
        gone = gone or inner_gone
    return gone
