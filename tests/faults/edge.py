"""The edge: strangers do to a receiver's and an API's port what strangers do, and a genuine caller must not notice."""

import asyncio
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self

import aiohttp
import msgspec
from msgspec import Struct

from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from tests.faults.attack import ATTACKS, AttackReport
from tests.faults.drill import DrillOptions, DrillResult
from tests.faults.genuine_caller import Ask, Figures, ask_all_the_while
from tests.waiting import pause, until
from worker.local_services.postgres import EmbeddedPostgres
from worker.local_services.process import ServiceProcess, free_port
from worker.samples.mailgun import MailgunSamples
from worker.samples.sample import SampleEvent
from worker.settings.sources import write_source

_P99_SECONDS = 1.0  # the promise
_DESCRIPTORS = 1024  # what a service gets on many systems
_ATTACKERS_ADDRESS = "127.0.0.1"
# On Linux all of 127.0.0.0/8 is this machine.
_ANOTHER_ADDRESS = "127.0.0.2" if sys.platform == "linux" else _ATTACKERS_ADDRESS
_TOKEN = "a-long-token-for-the-drill-alone"
_ADDRESS = "jane@example.org"
_SOURCE = "main"
_NO_ATTACK = "no attack"
_READY_SECONDS = 60.0


class Size(Struct, frozen=True, kw_only=True):
    """How much of it: all, or what a test suite has the time for."""

    seconds: float
    descriptors: int
    connections: int  # of an attack, at most
    attacks: dict[str, tuple[str, ...]]  # by port


_FULL = Size(
    seconds=15, descriptors=_DESCRIPTORS, connections=10_000, attacks=dict.fromkeys(("receiver", "API"), tuple(ATTACKS))
)
_QUICK = Size(
    seconds=1.5,
    descriptors=256,
    connections=300,
    attacks={
        "receiver": ("tiny chunks", "idle connections", "half-open requests", "slow heads", "pipelined junk"),
        "API": ("tiny chunks", "idle connections"),
    },
)


class Row(Struct, frozen=True, kw_only=True):
    """What became of genuine callers during one attack."""

    port: str  # whose
    attack: str
    genuine: Figures
    beside: Figures  # a genuine caller whose address is the attackers' own
    report: AttackReport | None

    def __str__(self) -> str:
        line = f"{self.port:<8}  {self.attack:<18}  genuine: {self.genuine}"
        if self.report is None:
            return line
        answers = ", ".join(f"{status or 'closed'} {count}x" for status, count in sorted(self.report.answers.items()))
        return (
            f"{line} · at the attackers' address: {self.beside} · "
            f"attackers: {self.report.connections} connections ({answers or 'none closed'})"
        )

    @property
    def broken(self) -> str:
        """What was not kept of the promise, "" when it was."""
        if self.genuine.failed or self.genuine.p99_seconds >= _P99_SECONDS:
            return f"{self.port}, {self.attack}: {self.genuine}"
        return ""


async def drill(options: DrillOptions) -> DrillResult:
    """All attacks on both ports, each for fifteen seconds; a few small ones in the size of the test suite."""
    size = _QUICK if options.quick else _FULL
    rows = await run_attacks(msgspec.structs.replace(size, seconds=options.seconds or size.seconds))
    return DrillResult(lines=[str(row) for row in rows], broken=[row.broken for row in rows if row.broken])


async def run_attacks(size: Size) -> list[Row]:
    """Starts Postgres, a receiver and an API with few descriptors, and lets each attack run beside genuine callers."""
    # Its signature stands in the body: the receiver must read what strangers send, and cannot tell them by their heads.
    sender = MailgunSamples()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bouncekeeper-drill-") as name:
        folder = Path(name)
        async with await EmbeddedPostgres.start(folder / "postgres") as postgres, _Edge(folder, postgres) as edge:
            await edge.start(sender.source(_SOURCE), descriptors=size.descriptors)
            for target in (
                _Target("receiver", edge.receiver_port, f"/webhooks/{_SOURCE}", _webhooks(sender, edge.receiver_port)),
                _Target("API", edge.api_port, "/v1/check", _checks(edge.api_port)),
            ):
                for attack in (_NO_ATTACK, *size.attacks[target.name]):
                    rows.append(await _row(target, attack, size))
                    print(rows[-1], file=sys.stderr, flush=True)
    return rows


class _Target(NamedTuple):
    name: str
    port: int
    path: str
    ask: Ask


async def _row(target: _Target, attack: str, size: Size) -> Row:
    attacker = None if attack == _NO_ATTACK else await _start_attack(attack, target, size)
    await pause(0.5, "the attack gets under way")
    genuine, beside = await asyncio.gather(
        ask_all_the_while(target.ask, size.seconds, address=_ANOTHER_ADDRESS),
        ask_all_the_while(target.ask, size.seconds, address=_ATTACKERS_ADDRESS),
    )
    report = None
    if attacker is not None:
        output, _ = await attacker.communicate()
        report = msgspec.json.decode(output, type=AttackReport)
    return Row(port=target.name, attack=attack, genuine=genuine, beside=beside, report=report)


async def _start_attack(name: str, target: _Target, size: Size) -> asyncio.subprocess.Process:
    connections = min(ATTACKS[name][1], size.connections)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.attack", name, "--port", str(target.port), "--path", target.path),
        *("--seconds", str(size.seconds + 1), "--connections", str(connections)),
        stdout=asyncio.subprocess.PIPE,
    )


def _webhooks(sender: MailgunSamples, port: int) -> Ask:
    async def ask(session: aiohttp.ClientSession) -> bool:
        event = SampleEvent(
            address=_ADDRESS,
            kind=Kind.HARD_BOUNCE,
            cause=Cause.MAILBOX_DOES_NOT_EXIST,
            occurred_at=datetime.now(UTC),
            message_id="message",
        )
        [webhook] = sender.requests([event], now=datetime.now(UTC))
        url = f"http://127.0.0.1:{port}/webhooks/{_SOURCE}"
        async with session.post(url, data=webhook.body, headers=dict(webhook.headers)) as answer:
            return answer.status == 200

    return ask


def _checks(port: int) -> Ask:
    async def ask(session: aiohttp.ClientSession) -> bool:
        url, headers = f"http://127.0.0.1:{port}/v1/check", {"Authorization": f"Bearer {_TOKEN}"}
        async with session.post(url, json={"addresses": [_ADDRESS]}, headers=headers) as answer:
            return answer.status == 200

    return ask


class _Edge:
    """A receiver and an API as processes, with as few descriptors as many systems give."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres) -> None:
        self.receiver_port, self.api_port = free_port(), free_port()
        self._folder = folder
        self._postgres = postgres
        self._processes: list[ServiceProcess] = []

    async def start(self, source: Source, *, descriptors: int) -> None:
        """Migrates, starts both, and waits until they are ready."""
        config = self._folder / "bouncekeeper.toml"
        config.write_text(write_source(source))
        environment = {
            **os.environ,
            "BOUNCEKEEPER_POSTGRES_URL": self._postgres.dsn,
            "BOUNCEKEEPER_QUEUE_ADAPTER": "postgres",
            "BOUNCEKEEPER_DATA_DIRECTORY": str(self._folder),
            "BOUNCEKEEPER_RECEIVER_PORT": str(self.receiver_port),
            "BOUNCEKEEPER_API_PORT": str(self.api_port),
            "BOUNCEKEEPER_API_TOKENS": _TOKEN,
        }
        migrating = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "worker", "migrate", "--config", str(config)), env=environment
        )
        assert await migrating.wait() == 0
        for command in ("receiver", "api"):
            program = f'ulimit -n {descriptors} && exec "$0" -m worker {command} --config "$1"'
            self._processes.append(
                ServiceProcess.start(
                    ["/bin/sh", "-c", program, sys.executable, str(config)],
                    log_path=self._folder / f"{command}.log",
                    working_directory=Path.cwd(),
                    environment=environment,
                )
            )
        async with aiohttp.ClientSession() as session:
            for port in (self.receiver_port, self.api_port):
                await until(partial(_is_ready, session, port), f"port {port} to be ready", seconds=_READY_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            process.send(signal.SIGTERM)
        for process in self._processes:
            if not await process.wait(timeout_seconds=40):
                process.send(signal.SIGKILL)


async def _is_ready(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
