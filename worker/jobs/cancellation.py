"""A person ends a job."""

from datetime import datetime

from worker.contacts.acts import record_act
from worker.process.logs import get_logger
from worker.store.jobs import cancel_job
from worker.store.pool import Pool
from worker.store.sessions import transaction

_log = get_logger()


async def cancel(pool: Pool, job_id: int, *, actor: str, now: datetime) -> bool:
    """Nobody begins another step of the job; False if it has ended, or there is none. Raises StoreUnavailable."""
    async with transaction(pool, "cancelling a job") as connection:
        if not await cancel_job(connection, job_id, by=actor):
            return False
        act_id = await record_act(connection, f"jobs cancel {job_id}", actor=actor, now=now)
    _log.info("job.cancellation_requested", job_id=job_id, actor=actor, act_id=act_id)
    return True
