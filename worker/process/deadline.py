"""An answer in time, or none."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

# Cancelled and not ended yet: the event loop itself would forget them.
_abandoned: set[asyncio.Task[Any]] = set()


async def answer_within(seconds: float, question: Coroutine[Any, Any, T]) -> T:
    """The answer to the question. Raises TimeoutError once the time is over.

    asyncio.timeout would also wait until the cancelled question has cleaned up. A question to a server that hangs
    cannot do so before the server answers: this one is cancelled and left to itself.
    """
    task = asyncio.create_task(question)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if done:
            return task.result()
        raise TimeoutError
    finally:
        if task.done():
            _forget(task)  # we may have been cancelled in the same turn of the loop in which it failed
        else:
            task.cancel()
            _abandoned.add(task)
            task.add_done_callback(_forget)


def _forget(task: asyncio.Task[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # nobody waits for it any more
