"""From webhook to committed status at half load: what a sender waits for on an ordinary day."""

from array import array
from pathlib import Path

import asyncpg

from tests.benchmarks.feedback import message_id
from tests.benchmarks.load import require_all_accepted, send
from tests.benchmarks.load_generator import LoadReport
from tests.benchmarks.pipeline import wait_for_commits
from tests.benchmarks.services import empty_tables
from tests.benchmarks.stored_rows import OUR_ROWS

_COMMITTED = f"""
    SELECT message_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM {OUR_ROWS} e
"""  # noqa: S608 - a constant


async def latencies_text(
    requests: Path, ports: list[int], *, dsn: str, rate: float, events_per_request: int, count: int
) -> str:
    """Percentiles, from the moment a request was due to the commit of its events, and to its answer.

    Requests are due at fixed times whatever happens (open loop), so a stall is felt by all that were due meanwhile.
    """
    await empty_tables(dsn)
    times = requests.with_suffix(".times")
    report = await send(requests, ports, rate=rate, times=times, seconds=600.0)
    require_all_accepted(report, "at half load")
    await wait_for_commits(dsn, count, "at half load")
    due_at = array("d")
    due_at.frombytes(times.read_bytes())
    due_by_message = {message_id(number): due_at[number // events_per_request] for number in range(count)}
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(_COMMITTED)
    finally:
        await connection.close()
    latencies = sorted(committed_at - due_by_message[message] for message, committed_at in rows)
    return _text(latencies, report, rate=rate, events_per_request=events_per_request)


def _text(latencies: list[float], report: LoadReport, *, rate: float, events_per_request: int) -> str:
    p50 = latencies[len(latencies) // 2] * 1000
    p99 = latencies[int(len(latencies) * 0.99)] * 1000
    return (
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms at {rate * events_per_request:,.0f} events/s; "
        f"answered 2xx after p50 {report.p50_seconds * 1000:.1f} ms, p99 {report.p99_seconds * 1000:.1f} ms"
    )
