"""Folds every contact again that was folded under a former policy: what follows `policy apply`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from worker.contacts.late_entries import USUAL_READING, LogReading
from worker.contacts.open_refolds import save_refolds
from worker.contacts.policies import KNOWN_EVERYWHERE_SECONDS, POLICY_JOB, Policies
from worker.contacts.refolding import refold_contacts
from worker.jobs.kind import Step
from worker.store.contact_marks import contact_id_range, lock_overtaken_contacts
from worker.store.contact_rows import update_contacts
from worker.store.jobs import JobRow, NewPart, PartRow
from worker.store.policies import active_policy_row
from worker.store.pool import WriterConnection
from worker.store.status_history import append_status_changes

_MOST_PARTS = 64
_FEWEST_IDS = 1000  # in a part
_IDS_LOOKED_AT = 20  # for each contact that a step may fold: most contacts need no mark


class PolicyJob:
    """`plan` names the policy, and the account whose contacts come first."""

    name = POLICY_JOB

    def __init__(
        self,
        policies: Policies,
        *,
        known_everywhere_seconds: float = KNOWN_EVERYWHERE_SECONDS,
        reading: LogReading = USUAL_READING,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """A processor that has not heard of the policy yet folds under the former one, for so long at most."""
        self._policies = policies
        self._reading = reading
        self._clock = clock
        self._known_everywhere = timedelta(seconds=known_everywhere_seconds)

    async def divide(
        self, connection: WriterConnection, job: JobRow, counted: Mapping[str, int]
    ) -> Sequence[NewPart] | None:
        """The first round folds; the others look whether anything was left, until one finds nothing."""
        active = await active_policy_row(connection)
        if active is None or active.id != job.plan["policy_id"]:
            return []
        ids = await contact_id_range(connection)
        if ids is None:
            return []
        if job.round == 0 or job.started_at is None:
            account: str | None = job.plan.get("first_account")
            return [*(_parts(*ids, limited_to=account) if account is not None else ()), *_parts(*ids)]
        if self._clock() < job.started_at + self._known_everywhere:
            return None
        return [] if job.round > 1 and not counted.get("contacts") else _parts(*ids)

    async def step(self, connection: WriterConnection, job: JobRow, part: PartRow, most: int) -> Step:
        """Folds up to `most` contacts; those with long logs are left to the background, which ends after the job."""
        policy_id: int = job.plan["policy_id"]
        active = await self._policies.of(connection, policy_id)
        last = min(part.last, part.place + most * _IDS_LOOKED_AT - 1)
        rows = await lock_overtaken_contacts(
            connection, first=part.place, last=last, policy_id=policy_id, account=part.limited_to, limit=most
        )
        refolded = await refold_contacts(
            connection, rows, active=active, policies=self._policies, now=self._clock(), reading=self._reading
        )
        await save_refolds(connection, refolded.left)
        await update_contacts(connection, refolded.states)
        await append_status_changes(connection, refolded.changes)
        return Step(
            place=rows[-1].id + 1 if len(rows) == most else last + 1,
            done=len(rows),
            counts={
                "contacts": len(rows) - len(refolded.left),
                "left_to_background": len(refolded.left),
                "status_changes": len(refolded.changes),
            },
            changes=refolded.changes,
            requested_refolds=refolded.requested,
        )


def _parts(lowest: int, highest: int, *, limited_to: str | None = None) -> list[NewPart]:
    size = max(_FEWEST_IDS, -(-(highest - lowest + 1) // _MOST_PARTS))
    return [
        NewPart(first=first, last=min(highest, first + size - 1), limited_to=limited_to)
        for first in range(lowest, highest + 1, size)
    ]
