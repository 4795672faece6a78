"""An ESP that posts through the published port, and again what was not answered 200."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp

from schemas.vocabulary import Cause, Kind
from tests.deploy.containers.ledger import Ledger
from tests.waiting import pause, until
from worker.samples.postmark import PostmarkSamples
from worker.samples.sample import SampleEvent

_FRONT = "http://127.0.0.1:8025"
_API = "http://127.0.0.1:8026"
_POSTS_PER_SECOND = 40.0
_AT_ONCE = 40
_PATIENCE_SECONDS = 120.0
_ASKED_AT_ONCE = 5_000
_PAUSE_SECONDS = (0.2, 1.0)  # between two tries of one webhook


class Esp:
    """Makes up addresses that nobody else has; each of its webhooks says that one of them does not exist."""

    def __init__(self, sender: PostmarkSamples, source: str, api_token: str) -> None:
        self._sender = sender
        self._source = source
        self._api_token = api_token
        self._next = 0

    async def post_during(self, ledger: Ledger, happening: Callable[[], None], *, at_least: int) -> None:
        """Posts until what happens is over and so many were posted; then waits for the effect of all that was accepted.

        `happening` runs in a thread of its own; if it fails, the ledger says so.
        """
        started = time.monotonic()
        over = asyncio.create_task(asyncio.to_thread(happening))
        connector = aiohttp.TCPConnector(limit=_AT_ONCE * 2, keepalive_timeout=2)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=40)) as client,
            asyncio.TaskGroup() as group,
        ):
            count = 0
            places = asyncio.Semaphore(_AT_ONCE)
            while not over.done() or count < at_least:
                await places.acquire()
                webhook = group.create_task(self._post(client, ledger))
                webhook.add_done_callback(lambda _: places.release())
                count += 1
                due = started + count / _POSTS_PER_SECOND
                await pause(max(0.0, due - time.monotonic()), "the ESP's own pace")
        try:
            await over
        except AssertionError as error:
            ledger.failure = str(error)
        ledger.seconds = time.monotonic() - started
        await self._wait_for_effect(ledger)

    async def _post(self, client: aiohttp.ClientSession, ledger: Ledger) -> None:
        self._next += 1
        address = f"gone-{self._next}@example.org"
        event = SampleEvent(
            address=address,
            kind=Kind.HARD_BOUNCE,
            cause=Cause.MAILBOX_DOES_NOT_EXIST,
            occurred_at=datetime.now(UTC),
            message_id=f"message-{self._next}",
        )
        [request] = self._sender.requests([event], now=datetime.now(UTC))
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < give_up_at:
            try:
                url = f"{_FRONT}/webhooks/{self._source}"
                async with client.post(url, data=request.body, headers=list(request.headers.items())) as answer:
                    text = await answer.text()
                    ledger.answers[answer.status] += 1
                    if answer.status != 200:
                        ledger.reasons[text.strip()[:100]] += 1
                    if answer.status == 200:
                        ledger.accepted.add(address)
                        return
            except aiohttp.ClientConnectorError:
                ledger.refused += 1
            except (aiohttp.ClientError, TimeoutError):
                ledger.cut += 1
            await pause(random.uniform(*_PAUSE_SECONDS), "the ESP sends it again later")

    async def _wait_for_effect(self, ledger: Ledger) -> None:
        headers = {"Authorization": f"Bearer {self._api_token}"}
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=30)) as client:

            async def all_in_effect() -> bool:
                addresses = sorted(ledger.accepted)
                in_effect = 0
                for begin in range(0, len(addresses), _ASKED_AT_ONCE):
                    question = {"addresses": addresses[begin : begin + _ASKED_AT_ONCE]}
                    async with client.post(f"{_API}/v1/check", json=question) as answer:
                        if answer.status == 503:
                            return False
                        in_effect += (await answer.json())["forbidden"]
                ledger.in_effect = in_effect
                return in_effect == len(addresses)

            try:
                not_yet = (aiohttp.ClientError, TimeoutError)
                await until(all_in_effect, "the effect", seconds=_PATIENCE_SECONDS, every_seconds=0.5, not_yet=not_yet)
            except AssertionError:
                return  # the ledger tells what is lost
