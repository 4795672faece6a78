"""The feed of status changes, with an optional wait for the next change."""

import asyncio

from msgspec import Struct

from schemas.outgoing import StatusChanged
from worker.api.load import RequestLoad
from worker.store.pool import Executor
from worker.store.status_feed import changes_after

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_WAIT_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.5
_BYTES_A_CHANGE = 1_500  # as a row, as a record and as JSON


class ChangesAnswer(Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/status-changes`."""

    changes: list[StatusChanged]
    next: str  # the `after` of the next request: the last change's cursor, or this request's own


async def read_changes(
    executor: Executor,
    *,
    account: str | None,
    after: str,
    limit: int,
    wait_seconds: float,
    stopping: asyncio.Event,
    load: RequestLoad,
) -> ChangesAnswer:
    """Up to `limit` changes after the cursor, of one account or of all.

    If there are none yet, waits up to wait_seconds for the first.

    Raises RequestRefused if `after` is not a cursor, CursorGone if this database lacks its change,
    Overloaded, StoreUnavailable.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_seconds
    while True:
        await load.hold_answer(limit * _BYTES_A_CHANGE)
        changes = await changes_after(executor, after, limit=limit, account=account)
        remaining = deadline - loop.time()
        if changes or remaining <= 0 or stopping.is_set():
            return ChangesAnswer(changes=changes, next=changes[-1].cursor if changes else after)
        load.drop_answer()  # a waiting request holds no memory
        try:
            async with asyncio.timeout(min(_LOOK_EVERY_SECONDS, remaining)):
                await stopping.wait()
        except TimeoutError:
            continue
