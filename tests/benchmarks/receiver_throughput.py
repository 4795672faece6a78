"""What durability costs the receiver: webhooks answered 2xx per second, with and without storing them.

All variants are the same aiohttp application in a process of its own, fed by the same load generator over the same
64 connections with the same requests. The webhooks are Postmark's: its basic authentication is the cheapest to
check, so that as little as possible hides the cost of storing.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from schemas.source import Source
from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.feedback import padded, sample_events, signed_requests
from tests.benchmarks.load import require_all_accepted, send, write_requests
from tests.benchmarks.servers import Server, our_command, stop_all, write_config
from tests.benchmarks.services import drain_webhooks
from worker.samples.postmark import PostmarkSamples
from worker.samples.sample import SampleEvent

BODY_BYTES = 700
_SOURCE = "postmark"
_BARE = Path(__file__).with_name("bare_receiver.py")


async def measure(bench: Bench) -> Outcome:
    """Ours on a quorum queue, against three variants of itself."""
    count = bench.size(60_000, 10_000)
    sender = PostmarkSamples()
    source = sender.source(_SOURCE)
    bench.progress(f"receiver: making {count:,} requests")
    events = [_sized(event, sender) for event in sample_events(count, seed=2)]
    requests = write_requests(
        bench.folder / "receiver.requests", signed_requests(sender, events), f"/webhooks/{_SOURCE}"
    )
    variants = _Variants(bench, source, requests, count)
    try:
        await variants.start()
        await variants.warm_up()
        figures = await bench.in_turns(
            "receiver",
            ("ours, durable", variants.durable),
            ("discarding parcels", variants.discarding),
            ("not even gathering", variants.bare),
            ("a publish each", variants.single),
        )
        durable, discarding, bare, single = figures
        what = "receiver, durable 2xx per second"
        outcome = Outcome(
            measurements=[
                Measurement(
                    what=what,
                    against="the same aiohttp app answering 200 without storing anything",
                    unit="/s",
                    ours=durable,
                    baseline=bare,
                    goal=Goal(at_least=0.8),
                ),
                # Stricter than asked: gathering webhooks for a shared confirm also lets many answers leave in one
                # turn of the loop, and makes even an app that stores nothing faster. What storing alone costs is
                # seen against an app that gathers as well.
                Measurement(
                    what=what,
                    against="the same app gathering parcels for a queue that discards them",
                    unit="/s",
                    ours=durable,
                    baseline=discarding,
                ),
                Measurement(
                    what=what,
                    against="one publish with confirm per request",
                    unit="/s",
                    ours=durable,
                    baseline=single,
                    goal=Goal(at_least=3),
                ),
            ]
        )
        for server in variants.servers:
            outcome.remark(f"peak memory of {server.name}", f"{server.peak_memory_mib():.0f} MiB")
    finally:
        await stop_all(variants.servers)
    return outcome


class _Variants:
    """Four receivers that differ in one thing each."""

    def __init__(self, bench: Bench, source: Source, requests: Path, count: int) -> None:
        self._bench = bench
        self._source = source
        self._requests = requests
        self._count = count
        self._queue_url = ""
        self.servers: list[Server] = []

    async def start(self) -> None:
        dsn = await self._bench.services.database("bench_receiver")
        self._queue_url = (await self._bench.services.rabbitmq()).url
        # One envelope in a parcel, and every connection's under way at the same time.
        alone = {"receiver": {"group_max_envelopes": 1, "groups_in_flight": 64}}
        for name, sections in (
            ("receiver", None),
            ("receiver-bare", None),
            ("receiver-discarding", None),
            ("receiver-single", alone),
        ):
            config = self._bench.folder / f"{name}.toml"
            port = write_config(
                config,
                sources=[self._source],
                postgres_url=dsn,
                queue_url=self._queue_url,
                sections=sections,
            )
            if name in ("receiver-bare", "receiver-discarding"):
                command = [sys.executable, "-m", "tests.benchmarks.bare_receiver", str(config)]
                command += ["--discard"] if name == "receiver-discarding" else []
            else:
                command = our_command("receiver", config)
            self.servers.append(await Server.start(name, command, folder=self._bench.folder, ports=[port]))

    async def warm_up(self) -> None:
        for server in self.servers:
            await send(self._requests, server.ports, seconds=1.0, cycle=True)

    async def durable(self) -> float:
        return await self._stored(self.servers[0])

    async def bare(self) -> float:
        return await self._run(self.servers[1])

    async def discarding(self) -> float:
        return await self._run(self.servers[2])

    async def single(self) -> float:
        return await self._stored(self.servers[3])

    async def _stored(self, server: Server) -> float:
        await drain_webhooks(self._queue_url)
        rate = await self._run(server)
        if (stored := await drain_webhooks(self._queue_url)) != self._count:
            raise RuntimeError(
                f"{server.name}: {stored} webhooks are in the queue, and {self._count} were accepted; "
                "the rest may be parked in Postgres, because the broker took too long"
            )
        return rate

    async def _run(self, server: Server) -> float:
        report = await send(self._requests, server.ports)
        require_all_accepted(report, server.name)
        if report.accepted != self._count:
            raise RuntimeError(f"{server.name}: {report.accepted} of {self._count} requests were answered in time")
        return report.per_second


def _sized(event: SampleEvent, sender: PostmarkSamples) -> SampleEvent:
    """The event with so much metadata that its webhook has 700 bytes; some kinds have more by themselves."""
    bare = len(sender.requests([event], now=datetime.now(UTC))[0].body)
    return padded(event, max(0, BODY_BYTES - bare))
