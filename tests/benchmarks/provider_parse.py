"""How fast one core reads webhooks, from the envelope to events: of every provider, and next to json.loads alone."""

import gc
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from statistics import median

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.source import Source
from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.feedback import BATCH_EVENTS, sample_events
from tests.benchmarks.parcels import envelopes_of
from worker.processor.service import GARBAGE_THRESHOLDS
from worker.providers.provider import Provider
from worker.providers.registry import PROVIDERS
from worker.samples.registry import SAMPLE_SENDERS

_GOAL = Goal(at_most=3)


class _Figures(Struct, kw_only=True):
    """One provider's, in microseconds per event and round."""

    provider: Provider
    parse: list[float]
    json: list[float] | None  # None where the body is no JSON
    bytes_per_event: float
    events_per_webhook: float

    @property
    def has_goal(self) -> bool:
        """True where batches of JSON are parsed; a mail inside of JSON is another thing, and one event a webhook."""
        return self.json is not None and self.events_per_webhook > BATCH_EVENTS / 2

    def measurement(self) -> Measurement:
        """The line of the table."""
        return Measurement(
            what=f"parsing {self.provider.title}, {BATCH_EVENTS} events a webhook",
            against="json.loads of the same bytes",
            unit=" µs",
            ours=self.parse,
            baseline=self.json or [],
            goal=_GOAL,
        )

    def told(self) -> str:
        """The line below the table."""
        rate = f"{1e6 / median(self.parse):,.0f} events/s per core"
        size = f"{self.bytes_per_event:.0f} bytes per event"
        if self.json is None:
            return f"{rate} ({size}, no JSON)"
        if self.has_goal:
            return f"{rate} ({size}, in batches: see the table)"
        ratio = median(ours / theirs for ours, theirs in zip(self.parse, self.json, strict=True))
        return f"{rate} ({size}); {ratio:.1f} times as long as json.loads alone"


async def measure(bench: Bench) -> Outcome:
    """The goal holds for vendors that post batches of JSON; the others' figures are for information."""
    outcome = Outcome()
    all_figures = []
    with _collecting_as_a_processor_does():
        for name in SAMPLE_SENDERS:
            figures = _measure_provider(bench, name)
            all_figures.append(figures)
            bench.progress(f"parse · {name} · {median(figures.parse):.1f} µs per event")
            outcome.remark(f"parsing {figures.provider.title}", figures.told())
    outcome.measurements += [figures.measurement() for figures in all_figures if figures.has_goal]
    met = [figures.provider.title for figures in all_figures if figures.has_goal and figures.measurement().met]
    outcome.remark(
        f"parsing batches of JSON within {_GOAL.at_most:g} times the time of json.loads",
        f"{', '.join(met) or 'none'}: {len(met)} of the {len(outcome.measurements)} vendors that post them",
    )
    return outcome


def _measure_provider(bench: Bench, name: str) -> _Figures:
    now, sender, provider = datetime.now(UTC), SAMPLE_SENDERS[name](), PROVIDERS[name]
    envelopes = envelopes_of(
        sender,
        sample_events(bench.size(4_000, 300), seed=3, now=now),
        received_at=now,
        batch_events=BATCH_EVENTS if provider.batches else 1,
    )
    source = sender.source("bench")
    events, _ = _parse(provider, envelopes, source)
    is_json = all(_is_json(envelope.body) for envelope in envelopes)
    parse, loads = [], []
    for _ in range(bench.rounds):
        parse.append(1e6 * _parse(provider, envelopes, source)[1] / events)
        if is_json:
            loads.append(1e6 * _load_json(envelopes) / events)
    return _Figures(
        provider=provider,
        parse=parse,
        json=loads if is_json else None,
        bytes_per_event=sum(len(envelope.body) for envelope in envelopes) / events,
        events_per_webhook=events / len(envelopes),
    )


@contextmanager
def _collecting_as_a_processor_does() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _parse(provider: Provider, envelopes: list[Envelope], source: Source) -> tuple[int, float]:
    parse = provider.bind(source).parse
    started = time.perf_counter()
    events = 0
    for envelope in envelopes:
        events += len(parse(envelope))
    return events, time.perf_counter() - started


def _load_json(envelopes: list[Envelope]) -> float:
    loads = json.loads
    started = time.perf_counter()
    for envelope in envelopes:
        loads(envelope.body)
    return time.perf_counter() - started
