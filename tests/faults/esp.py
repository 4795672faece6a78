"""The ESPs of the drill: they post, and what was not answered 200 they post again, as real ones do."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

import aiohttp
from msgspec import Struct

from tests.faults.workload import Webhook
from tests.waiting import pause

_CONNECTIONS = 32
_DUPLICATE_SHARE = 0.05  # accepted webhooks that are posted once more all the same


class Outcome(Struct, kw_only=True):
    """What the receivers said."""

    accepted: set[int] = set()  # numbers of webhooks that were answered 200
    posts: int = 0
    again: int = 0  # posts after a refusal or a broken connection
    duplicates: int = 0
    unavailable: int = 0  # answers 503
    answered_at: list[float] = []  # when each 200 came, by the monotonic clock


async def post_all(
    webhooks: Sequence[Webhook],
    ports: Sequence[int],
    *,
    seed: int,
    posting_seconds: float,
    advance: Callable[[], None],
) -> Outcome:
    """Posts every webhook until it is accepted, evenly over posting_seconds.

    What is not accepted after four times that is given up: nothing was promised about it.
    """
    chance = random.Random(seed)
    outcome = Outcome()
    started = time.monotonic()
    waiting = iter(range(len(webhooks)))
    timeout = aiohttp.ClientTimeout(total=20)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS * 2)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:

        async def post_some() -> None:
            for number in waiting:
                due = started + posting_seconds * number / len(webhooks)
                await pause(max(0.0, due - time.monotonic()), "this one is not due yet")
                if await accepted(webhooks[number]):
                    outcome.accepted.add(number)
                    if chance.random() < _DUPLICATE_SHARE:
                        outcome.duplicates += 1
                        await _post(session, webhooks[number], chance.choice(ports), outcome)
                advance()

        async def accepted(webhook: Webhook) -> bool:
            pause_seconds = 0.05
            while not await _post(session, webhook, chance.choice(ports), outcome):
                if time.monotonic() > started + 4 * posting_seconds:
                    return False
                outcome.again += 1
                await pause(pause_seconds, "an ESP tries again later")
                pause_seconds = min(pause_seconds * 2, 1.0)
            return True

        async with asyncio.TaskGroup() as group:
            for _ in range(_CONNECTIONS):
                group.create_task(post_some())
    return outcome


async def _post(session: aiohttp.ClientSession, webhook: Webhook, port: int, outcome: Outcome) -> bool:
    outcome.posts += 1
    url = f"http://127.0.0.1:{port}{webhook.path}"
    request = webhook.request
    try:
        async with session.post(url, params=request.query, headers=request.headers, data=request.body) as answer:
            text = await answer.text()
            if answer.status == 503:
                outcome.unavailable += 1
            elif answer.status != 200:
                raise AssertionError(f"{webhook.source} was answered {answer.status}: {text}")
            else:
                outcome.answered_at.append(time.monotonic())
            return answer.status == 200
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
        return False
