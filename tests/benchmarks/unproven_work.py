"""What a stranger's request costs before it is refused: of every provider, at the worst, next to a wrong signature's.

The baseline is what no receiver is spared that checks signatures: the same bytes decompressed, and hashed once.
"""

import gzip
import hmac
import os
import statistics
import time
import tracemalloc
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from schemas.source import Source
from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome
from tests.benchmarks.feedback import sample_events
from tests.faults.attack_bodies import unproven
from worker.providers.provider import Provider
from worker.providers.registry import PROVIDERS
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest
from worker.receiver.content_coding import MAX_RATIO, decompress
from worker.samples.registry import SAMPLE_SENDERS
from worker.settings.tree import ReceiverSettings

_GOAL = Goal(at_most=5)
_BASELINE = "decompression and one HMAC-SHA256 of the same bytes"
_LARGEST_BODY_BYTES = ReceiverSettings().max_decompressed_bytes
_HEAD_TRIES = 200
_KEY = b"a key of nobody's"


class _Attack(Struct, frozen=True, kw_only=True):
    """One request on the wire."""

    what: str
    head: WebhookRequest
    wire: bytes
    body_bytes: int


class _Target(Struct, frozen=True, kw_only=True):
    """One provider with a source that strangers post to."""

    provider: Provider
    source: Source

    def refuse(self, attack: _Attack, *, now: datetime) -> None:
        """As the receiver does it: decompressed and checked."""
        body = decompress(attack.wire, "gzip", max_bytes=_LARGEST_BODY_BYTES)
        assert isinstance(body, bytes), body
        request = msgspec.structs.replace(attack.head, body=body)
        self.provider.bind(self.source).authenticate(request, now=now, certificates={})

    def refuses_head(self, request: WebhookRequest, *, now: datetime) -> bool:
        """True when the body is not even read."""
        head = msgspec.structs.replace(request, body=b"")
        return isinstance(self.provider.bind(self.source).refuse_head(head, now=now), Refused)


async def measure(bench: Bench) -> Outcome:
    """A line for each provider whose requests are proved by their bodies, a remark for each of the others."""
    outcome, by_head, now = Outcome(), [], datetime.now(UTC)
    for name in SAMPLE_SENDERS:
        sender, stranger = SAMPLE_SENDERS[name](), SAMPLE_SENDERS[name]()
        source = stranger.source("bench")
        [request, *_] = sender.requests(sample_events(1, seed=5, now=now), now=now)
        target = _Target(provider=PROVIDERS[name], source=source)
        if target.refuses_head(request, now=now):
            by_head.append((target.provider.title, _head_seconds(target, request, now)))
            continue
        _measure_provider(bench, outcome, target, request, now)
    names = ", ".join(title for title, _ in sorted(by_head))
    slowest = max((seconds for _, seconds in by_head), default=0.0)
    outcome.remark(
        f"refused by their head, without a byte of the body ({len(by_head)})",
        f"{names}: {1e6 * slowest:.0f} µs at most",
    )
    return outcome


def _measure_provider(bench: Bench, outcome: Outcome, target: _Target, request: WebhookRequest, now: datetime) -> None:
    most = target.provider.bind(target.source).unproven_bytes
    size = min(most or _LARGEST_BODY_BYTES, _LARGEST_BODY_BYTES, bench.size(_LARGEST_BODY_BYTES, 1_000_000))
    worst, worst_seconds, most_bytes = None, 0.0, 0
    for what, content_type, body in unproven(request, size - _padding_bytes(size)):
        attack = _attack(what, content_type, body, request, size)
        seconds = _seconds(target, attack, now)
        most_bytes = max(most_bytes, _peak_bytes(target, attack, now))
        if worst is None or seconds > worst_seconds:
            worst, worst_seconds = attack, seconds
    assert worst is not None
    ours, baseline = [], []
    for _ in range(bench.rounds):
        ours.append(1e3 * _seconds(target, worst, now))
        baseline.append(1e3 * _baseline_seconds(worst))
    outcome.measurements.append(
        Measurement(
            what=f"refusing {target.provider.title}: {worst.what}",
            against=_BASELINE,
            unit=" ms",
            ours=ours,
            baseline=baseline,
            goal=_GOAL,
        )
    )
    told = (
        f"{statistics.median(ours):.0f} ms of CPU and {most_bytes / 1e6:.0f} MB at the worst, for a body of "
        f"{worst.body_bytes / 1e6:.1f} MB from {len(worst.wire) / 1e3:.0f} kB on the wire"
    )
    outcome.remark(f"before the proof, {target.provider.title}", told)
    bench.progress(f"unproven · {target.provider.name} · {told}")


def _padding_bytes(size: int) -> int:
    """What does not shrink, so that the rest may expand as far as the limits allow."""
    return size * 2 // MAX_RATIO


def _attack(what: str, content_type: str, body: bytes, request: WebhookRequest, size: int) -> _Attack:
    """The body, followed by white space that hardly shrinks: what is read before it has been read by then."""
    blanks = bytes(b" \t\r\n"[byte % 4] for byte in os.urandom(_padding_bytes(size)))
    padded = body + blanks if content_type == "application/json" else body
    return _Attack(
        what=what,
        head=msgspec.structs.replace(request, body=b"", headers={**request.headers, "content-type": content_type}),
        wire=_folded(padded),
        body_bytes=len(padded),
    )


def _folded(body: bytes) -> bytes:
    """Compressed, but never so far that it is refused for that."""
    for level in (1, 0):
        wire = gzip.compress(body, level)
        if len(body) <= MAX_RATIO * len(wire):
            return wire
    raise AssertionError("level 0 does not compress")


def _seconds(target: _Target, attack: _Attack, now: datetime) -> float:
    started = time.thread_time()
    target.refuse(attack, now=now)
    return time.thread_time() - started


def _baseline_seconds(attack: _Attack) -> float:
    started = time.thread_time()
    body = decompress(attack.wire, "gzip", max_bytes=_LARGEST_BODY_BYTES)
    assert isinstance(body, bytes), body
    hmac.digest(_KEY, body, "sha256")
    return time.thread_time() - started


def _head_seconds(target: _Target, request: WebhookRequest, now: datetime) -> float:
    started = time.thread_time()
    for _ in range(_HEAD_TRIES):
        target.refuses_head(request, now=now)
    return (time.thread_time() - started) / _HEAD_TRIES


def _peak_bytes(target: _Target, attack: _Attack, now: datetime) -> int:
    tracemalloc.start()
    try:
        target.refuse(attack, now=now)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
