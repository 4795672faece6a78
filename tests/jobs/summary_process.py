"""Makes and sends summaries in a process that a test may kill: `python -m tests.jobs.summary_process DSN PORT NOW`."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from tests.jobs.summaries import settings_for
from worker.jobs.summary_sender import SummarySender
from worker.store.writer_pool import open_writer_pool


async def main(dsn: str, port: str, now: str) -> None:
    """Looks once. Its clock begins at `now`."""
    begun = datetime.now(UTC)
    at = datetime.fromisoformat(now)
    pool = await open_writer_pool(dsn, connections=2, command_timeout_seconds=30)
    sender = SummarySender(
        pool,
        settings_for(int(port)),
        lease=timedelta(minutes=2),
        clock=lambda: at + (datetime.now(UTC) - begun),
    )
    await sender.work_off(asyncio.Event())
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
