"""Works off the re-folds of long logs beside the live events: what came late into them is folded in, step by step."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from worker.contacts.policies import Policies
from worker.contacts.refold_report import report_ended
from worker.contacts.refold_steps import RefoldStep, refold_some
from worker.contacts.status_change import report_changes
from worker.errors import StoreUnavailable
from worker.jobs.lookout import look_for_work, may_go_on
from worker.process.backlog import Backlog
from worker.process.logs import get_logger
from worker.process.pause import pause
from worker.store.pool import WriterPool
from worker.store.refolds import lock_next_to_refold, postpone_refold
from worker.store.writer_pool import writing

_log = get_logger()

_LOOK_SECONDS = 1.0  # between two looks for re-folds
_STEP_SECONDS = 0.05  # nobody waits longer for a contact that a step has locked
_SLICE_ENTRIES = 500  # read and folded at once: some ten milliseconds
_AFTER_A_DEFECT = timedelta(minutes=5)
_RESTS = 0.25  # of each step's time


class Refolder:
    """Takes the re-fold that waits longest and that no other process has in hand."""

    def __init__(
        self,
        pool: WriterPool,
        policies: Policies,
        *,
        backlog: Backlog,
        slice_entries: int = _SLICE_ENTRIES,
        step_seconds: float = _STEP_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._pool = pool
        self._policies = policies
        self._backlog = backlog
        self._slice_entries = slice_entries
        self._step_seconds = step_seconds
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, and finishes its step then. Waits for Postgres while it is away."""
        await look_for_work(self.work_off, stop, task="refolds", every_seconds=_LOOK_SECONDS)

    async def work_off(self, stop: asyncio.Event) -> None:
        """Returns when no contact waits that nobody else has locked. Raises StoreUnavailable."""
        while await may_go_on(self._backlog, stop):
            started = time.monotonic()
            if not await self.take_step():
                return
            await pause(stop, (time.monotonic() - started) * _RESTS)

    async def take_step(self) -> bool:
        """One step of one contact; False if there is nothing to do."""
        contact_id, step = None, None
        try:
            async with writing(self._pool, "folding contacts again") as connection:
                row = await lock_next_to_refold(connection)
                if row is None:
                    return False
                contact_id = row.id
                step = await refold_some(
                    connection,
                    row,
                    self._policies,
                    now=self._clock(),
                    seconds=self._step_seconds,
                    slice_entries=self._slice_entries,
                )
        except (StoreUnavailable, asyncio.CancelledError):
            raise
        except Exception:  # a defect of ours must stop neither the processor nor the re-folds of others
            if contact_id is None:
                raise
            _log.exception("refold.failed", contact_id=contact_id)
            await postpone_refold(self._pool, contact_id, _AFTER_A_DEFECT)
            return True
        if step is not None:
            _report(contact_id, step)
        return True


def _report(contact_id: int, step: RefoldStep) -> None:
    """Called after the commit."""
    report_changes(step.changes)
    if step.has_ended:
        report_ended(contact_id, seconds=step.waited_seconds)
