"""What a kind of job says of itself; how it is worked off is the same for all (runner.py)."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from worker.contacts.open_refolds import OpenRefold
from worker.store.jobs import JobRow, NewPart, PartRow
from worker.store.pool import WriterConnection
from worker.store.status_history import StatusChange


class Step(Struct, frozen=True, kw_only=True):
    """What one step has done."""

    place: int  # where the next step of the part begins
    done: int  # so many of those that were allowed; fewer only at the end of what there was to see
    counts: Mapping[str, int] = {}  # added to the job's
    changes: Sequence[StatusChange] = ()  # written to the history by this step, to be logged when it is committed
    requested_refolds: Sequence[OpenRefold] = ()  # of contacts that were not being folded again before; likewise


class JobKind(Protocol):
    """One for each kind; without state, for several processes work on the same job."""

    name: str  # as in jobs.kind

    async def divide(
        self, connection: WriterConnection, job: JobRow, counted: Mapping[str, int]
    ) -> Sequence[NewPart] | None:
        """The parts of the next round; [] if the job is done, None if it is too early to say.

        Called in the transaction that begins the round. `job.round` rounds have ended; `counted` is of the last one.
        """
        ...

    async def step(self, connection: WriterConnection, job: JobRow, part: PartRow, most: int) -> Step:
        """Does the next piece of the part, up to `most`, in this transaction; nothing else of it may stay.

        Raises StoreUnavailable; anything else ends the job.
        """
        ...
