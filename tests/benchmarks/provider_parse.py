"""How fast one core reads webhooks: from the envelope to events, per provider, and next to json.loads alone."""

import json
import time
from datetime import UTC, datetime
from statistics import median

from schemas.envelope import Envelope
from schemas.source import Source
from tests.benchmarks.benchmark import Bench, Outcome
from tests.benchmarks.feedback import BATCH_EVENTS, sample_events
from tests.benchmarks.parcels import envelopes_of
from worker.providers.provider import Provider
from worker.providers.registry import PROVIDERS
from worker.samples.registry import SAMPLE_SENDERS

_BATCHING = frozenset({"sendgrid"})  # posts many events at once


async def measure(bench: Bench) -> Outcome:
    """Informative: no goal is set for it."""
    outcome = Outcome()
    count = bench.size(20_000, 2_000)
    for name, make_sender in SAMPLE_SENDERS.items():
        now = datetime.now(UTC)
        envelopes = envelopes_of(
            make_sender(),
            sample_events(count, seed=3, now=now),
            received_at=now,
            batch_events=BATCH_EVENTS if name in _BATCHING else 1,
        )
        rates, shares = [], []
        for _ in range(bench.rounds):
            events, seconds = _parse(PROVIDERS[name], envelopes)
            json_seconds = _load_json(envelopes)
            rates.append(events / seconds)
            shares.append(json_seconds / seconds)
        sizes = sum(len(envelope.body) for envelope in envelopes) / count
        bench.progress(f"parse · {name} · {median(rates):,.0f} events/s")
        outcome.remark(
            f"parsing {PROVIDERS[name].title}",
            f"{median(rates):,.0f} events/s per core; {median(shares):.2f} of the speed of json.loads alone "
            f"({sizes:.0f} bytes per event)",
        )
    return outcome


def _parse(provider: Provider, envelopes: list[Envelope]) -> tuple[int, float]:
    parse = provider.parse
    source = Source(name="bench", provider=provider.name)
    started = time.perf_counter()
    events = 0
    for envelope in envelopes:
        events += len(parse(envelope, source))
    return events, time.perf_counter() - started


def _load_json(envelopes: list[Envelope]) -> float:
    loads = json.loads
    started = time.perf_counter()
    for envelope in envelopes:
        loads(envelope.body)
    return time.perf_counter() - started
