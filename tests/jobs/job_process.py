"""Works off jobs as a processor does, in a process that a test may kill: `python -m tests.jobs.job_process DSN`."""

import asyncio
import sys

from worker.contacts.policies import Policies
from worker.jobs.policy_job import PolicyJob
from worker.jobs.runner import JobRunner
from worker.policy.policy_file import preset
from worker.process.backlog import Backlog
from worker.store.writer_pool import open_writer_pool


async def main(dsn: str) -> None:
    """Returns when no job is left."""
    pool = await open_writer_pool(dsn, connections=1, command_timeout_seconds=30)
    kind = PolicyJob(Policies(preset("recommended")), known_everywhere_seconds=0)
    await JobRunner(pool, {kind.name: kind}, backlog=Backlog()).work_off(asyncio.Event())
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
