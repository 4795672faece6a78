"""Those who decide in the drill: applications that call the API, and people at the command line.

An answer is 2xx, or the JSON of a command with exit code 0 or 1. Without one, a call is sent again under the same
idempotency key. Callers cut some requests off and send them again, perhaps to another process, while the first one may
be at work. Some commands are killed. Some answered calls are sent once more, at once or when everything is over.
"""

import asyncio
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct

from schemas.decision_request import RequestedKind
from tests.faults.decision_workload import DecisionCall, Way
from tests.faults.topology import Topology
from tests.waiting import pause
from worker.commands.support.exit_code import ExitCode
from worker.local_services.process import signal_child

_CALLERS = 8
_PEOPLE = 2
_REPEATED_SHARE = 0.1  # of the answered calls, at once; and as many at the end
_CUT_OFF_SHARE = 0.2
_LONGEST_UNTIL_CUT_OFF_SECONDS = 0.1
_KILLED_SHARE = 0.4  # of the commands
_LONGEST_UNTIL_KILLED_SECONDS = 1.5
_ANSWERED = frozenset({ExitCode.OK, ExitCode.NO})
_KILLED = -9
_AT_WORK = b"is being carried out"  # the refusal of a large call while the same one is at work


class SkippedContact(Struct, frozen=True, kw_only=True):
    """An address about which nothing was decided."""

    address: str


class Answer(Struct, frozen=True, kw_only=True):
    """What the verdict reads of an answer."""

    act_id: int
    repeated: bool
    addresses: int
    made: int
    unchanged: int
    skipped_addresses: list[SkippedContact]


class DecisionOutcome(Struct, kw_only=True):
    """What the callers were answered."""

    answers: dict[int, list[Answer]] = {}  # all answers to each call, by its number
    sent: int = 0  # requests and commands
    again: int = 0  # after a refusal, a broken connection, or a killed command
    cut_off: int = 0  # by the caller
    killed_commands: int = 0
    repeats: int = 0  # of answered calls
    answered_at: list[float] = []  # when each answer of the API came, by the monotonic clock


class Deciders:
    """Send every call until it is answered."""

    def __init__(self, topology: Topology, calls: Sequence[DecisionCall], *, tokens: Sequence[str], seed: int) -> None:
        self.outcome = DecisionOutcome()
        self._topology = topology
        self._calls = calls
        self._tokens = tokens
        self._seed = seed
        self._chance = random.Random(seed)

    def anew(self) -> "Deciders":
        """The same calls, as if nothing had been answered yet."""
        return Deciders(self._topology, self._calls, tokens=self._tokens, seed=self._seed)

    async def decide_all(self, *, seconds: float, advance: Callable[[], None]) -> None:
        """Sends every call, evenly over these seconds. One that is not answered after four times that is given up."""
        started = time.monotonic()

        async def decide_some(numbers: Iterator[int], session: aiohttp.ClientSession) -> None:
            for number in numbers:
                due = started + seconds * number / len(self._calls)
                await pause(max(0.0, due - time.monotonic()), "this one is not due yet")
                if await self._is_answered(session, number, give_up_at=started + 4 * seconds):
                    await self._perhaps_repeat(session, number)
                advance()

        commands = iter([number for number, call in enumerate(self._calls) if call.way is Way.COMMAND])
        requests = iter([number for number, call in enumerate(self._calls) if call.way is not Way.COMMAND])
        async with self._session() as session, asyncio.TaskGroup() as group:
            for _ in range(_CALLERS):
                group.create_task(decide_some(requests, session))
            for _ in range(_PEOPLE):
                group.create_task(decide_some(commands, session))

    async def repeat_some(self) -> None:
        """Sends some of the answered calls once more, long after they were answered."""
        async with self._session() as session:
            for number in sorted(self.outcome.answers):
                await self._perhaps_repeat(session, number)

    async def _is_answered(self, session: aiohttp.ClientSession, number: int, *, give_up_at: float) -> bool:
        """False if the call is given up: nothing was promised about it."""
        pause_seconds = 0.05
        while not await self._send(session, number):
            if time.monotonic() > give_up_at:
                return False
            self.outcome.again += 1
            await pause(self._chance.uniform(0, pause_seconds), "the caller tries again later, or nearly at once")
            pause_seconds = min(pause_seconds * 2, 1.0)
        return True

    async def _perhaps_repeat(self, session: aiohttp.ClientSession, number: int) -> None:
        if self._chance.random() < _REPEATED_SHARE:
            self.outcome.repeats += 1
            await self._send(session, number)

    async def _send(self, session: aiohttp.ClientSession, number: int) -> bool:
        """True if the call was answered; the answer is kept."""
        call = self._calls[number]
        self.outcome.sent += 1
        if call.way is Way.COMMAND:
            body = await self._run(call)
        else:
            # An idempotency key is its token's: a call keeps the token.
            body = await self._post(session, call, token=self._tokens[number % len(self._tokens)])
        if body is None:
            return False
        self.outcome.answers.setdefault(number, []).append(msgspec.json.decode(body, type=Answer))
        return True

    async def _post(self, session: aiohttp.ClientSession, call: DecisionCall, *, token: str) -> bytes | None:
        port = self._chance.choice(self._topology.api_ports)
        path, body = "/v1/decisions", {"kind": call.kind, **call.terms}
        if call.way is Way.ONE:
            path = f"/v1/contacts/{quote(call.addresses[0])}/decisions"
        else:
            body["addresses"] = call.addresses
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": call.key}
        seconds = 20.0
        if is_cut_off := self._chance.random() < _CUT_OFF_SHARE:
            seconds = self._chance.uniform(0.001, _LONGEST_UNTIL_CUT_OFF_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                async with session.post(f"http://127.0.0.1:{port}{path}", json=body, headers=headers) as answer:
                    content = await answer.read()
        except TimeoutError:
            self.outcome.cut_off += is_cut_off
            return None
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
            return None
        if answer.status == HTTPStatus.CONFLICT and _AT_WORK in content:
            return None
        if answer.status not in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}:
            raise AssertionError(f"{path} was answered {answer.status}: {content.decode()}")
        if answer.status == HTTPStatus.OK:
            self.outcome.answered_at.append(time.monotonic())
        return content if answer.status == HTTPStatus.OK else None

    async def _run(self, call: DecisionCall) -> bytes | None:
        words = ["lift"]
        if call.kind is RequestedKind.LISTED:
            words = ["block", "--forbids", call.terms["blocks"]]
            words += ["--until", call.terms["until"]] if "until" in call.terms else []
        words += [*call.addresses, "--reason", call.terms["note"], "--idempotency-key", call.key, "--json"]
        process = await self._topology.run(*words)
        reading = asyncio.create_task(process.communicate())
        if self._chance.random() < _KILLED_SHARE:
            seconds = self._chance.uniform(0.1, _LONGEST_UNTIL_KILLED_SECONDS)
            await asyncio.wait([reading], timeout=seconds)
            if not reading.done():
                signal_child(process, signal.SIGKILL)
                self.outcome.killed_commands += 1
        output, errors = await reading
        if process.returncode == ExitCode.NO and _AT_WORK in errors:
            return None
        if process.returncode not in {*_ANSWERED, ExitCode.UNAVAILABLE, _KILLED}:
            raise AssertionError(f"{call.key}: {words[0]} ended with {process.returncode}: {errors.decode()}")
        return output if process.returncode in _ANSWERED else None

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=2 * _CALLERS))
