"""What the process of a processor does: the processor, and beside it the jobs. Slow to import."""

import asyncio

from worker.commands.support.running import run_together
from worker.jobs.service import run_jobs
from worker.process.backlog import Backlog
from worker.processor.service import run_processor
from worker.settings.tree import Settings


async def run_processing(settings: Settings, stop: asyncio.Event) -> None:
    """Works until `stop` is set, then finishes what is under way. Raises StopTheProcess when a person has to act."""
    backlog = Backlog()
    await run_together(
        stop,
        lambda stop: run_processor(settings, stop, backlog),
        lambda stop: run_jobs(settings, stop, backlog),
    )
