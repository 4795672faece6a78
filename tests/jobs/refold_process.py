"""Takes the steps of re-folds in a process that a test may kill: `python -m tests.jobs.refold_process DSN`."""

import asyncio
import sys

from worker.contacts.policies import Policies
from worker.jobs.refolder import Refolder
from worker.policy.policy_file import preset
from worker.process.backlog import Backlog
from worker.store.writer_pool import open_writer_pool


async def main(dsn: str) -> None:
    """Returns when no contact waits that nobody else has locked."""
    pool = await open_writer_pool(dsn, connections=1, command_timeout_seconds=30)
    await Refolder(pool, Policies(preset("recommended")), backlog=Backlog()).work_off(asyncio.Event())
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
