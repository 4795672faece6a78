"""How tests wait: for a state, with a deadline and a message. No other module of the tests sleeps.

`until` and `stays` are for coroutines, `wait_until` and `stays_meanwhile` for code that blocks. `pause` and
`wait_seconds` are for the few times where the seconds themselves are what is tried, and take the reason.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

_EVERY_SECONDS = 0.02  # what is over sooner than that, such as a stage of a start, is asked for more often
_PATIENCE_SECONDS = 30.0

T = TypeVar("T")
NotYet = type[Exception] | tuple[type[Exception], ...]
Show = Callable[[], object]


@overload
async def until(
    condition: Callable[[], Awaitable[T]],
    what: str,
    *,
    seconds: float = ...,
    every_seconds: float = ...,
    not_yet: NotYet = ...,
    show: Show | None = ...,
) -> T: ...


@overload
async def until(
    condition: Callable[[], T],
    what: str,
    *,
    seconds: float = ...,
    every_seconds: float = ...,
    not_yet: NotYet = ...,
    show: Show | None = ...,
) -> T: ...


async def until(
    condition: Callable[[], Any],
    what: str,
    *,
    seconds: float = _PATIENCE_SECONDS,
    every_seconds: float = _EVERY_SECONDS,
    not_yet: NotYet = (),
    show: Show | None = None,
) -> Any:
    """The first answer of `condition` that is true; it is asked again and again, and may be a coroutine function.

    An exception of the kinds `not_yet` counts as "no". Any other one goes to the caller at once: a condition that
    can never become true any more asserts so.
    Raises AssertionError after `seconds`, also when `condition` itself hangs. It names `what`, which completes
    "waited for …", and what `show` answers.
    """
    try:
        async with asyncio.timeout(seconds) as deadline:
            while True:
                try:
                    answer = await _asked(condition)
                except not_yet:
                    pass
                else:
                    if answer:
                        return answer
                await asyncio.sleep(every_seconds)
    except TimeoutError:
        if not deadline.expired():
            raise
    raise AssertionError(_in_vain(what, seconds, show))


def wait_until(
    condition: Callable[[], T],
    what: str,
    *,
    seconds: float = _PATIENCE_SECONDS,
    every_seconds: float = _EVERY_SECONDS,
    not_yet: NotYet = (),
    show: Show | None = None,
) -> T:
    """The same for code that blocks, which cannot be called off: `condition` has to come back by itself."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := condition():
                return answer
        except not_yet:
            pass
        if time.monotonic() > deadline:
            raise AssertionError(_in_vain(what, seconds, show))
        time.sleep(every_seconds)


async def stays(condition: Callable[[], Awaitable[bool] | bool], what: str, *, seconds: float) -> None:
    """Returns after `seconds` all through which `condition` was true: nothing has happened.

    Raises AssertionError as soon as it is not. `what` completes "no longer so: …".
    """
    ends = time.monotonic() + seconds
    while True:
        assert await _asked(condition), f"no longer so: {what}"
        if time.monotonic() > ends:
            return
        await asyncio.sleep(min(_EVERY_SECONDS, seconds))


def stays_meanwhile(condition: Callable[[], bool], what: str, *, seconds: float) -> None:
    """The same for code that blocks."""
    ends = time.monotonic() + seconds
    while True:
        assert condition(), f"no longer so: {what}"
        if time.monotonic() > ends:
            return
        time.sleep(min(_EVERY_SECONDS, seconds))


async def pause(seconds: float, why: str) -> None:
    """Lets `seconds` pass that are themselves what is tried: the pace of a slow sender, the moment of a kill."""
    assert why
    await asyncio.sleep(seconds)


def wait_seconds(seconds: float, why: str) -> None:
    """The same for code that blocks."""
    assert why
    time.sleep(seconds)


async def _asked(condition: Callable[[], Any]) -> Any:
    answer = condition()
    return await answer if inspect.isawaitable(answer) else answer


def _in_vain(what: str, seconds: float, show: Show | None) -> str:
    found = f"\n{show()}" if show is not None else ""
    return f"waited {seconds:g} s for {what}, in vain{found}"
