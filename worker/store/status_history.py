"""Status changes as rows of the history, from which the feed is read."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from schemas.feedback_event import FeedbackEvent
from worker.store.contact_rows import ContactKey
from worker.store.pool import Connection
from worker.store.row import Row

_FOR_THE_LOG = frozenset({"contact", "event"})


class StatusChange(Row, frozen=True):
    """One change of one contact's standing, to be stored. Readers of the feed get schemas.outgoing.StatusChanged."""

    contact: ContactKey  # for the log; the table has its id
    contact_id: int
    recorded_at: datetime
    since: datetime | None
    until: datetime | None
    old_status: str
    new_status: str
    old_blocks: str
    new_blocks: str
    cause: str
    rule: str | None
    event_key: bytes | None
    delivery_id: UUID | None  # the webhook with the event that caused it
    actor: str  # 'events', 'time', 'policy', or a person's name
    note: str | None
    bulk: bool  # fresh changes overtake it
    event: FeedbackEvent | None = None  # for the log: the cause, if it has just arrived

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """The columns of `status_changes`."""
        return tuple(field for field in super().columns() if field not in _FOR_THE_LOG)


_APPEND = f"""
    INSERT INTO status_changes ({StatusChange.select_list()})
    SELECT {StatusChange.select_list()} FROM {StatusChange.unnest("n")}
"""  # noqa: S608 - the column list is made of the names above


async def append_status_changes(connection: Connection, changes: Sequence[StatusChange]) -> None:
    """Adds the changes to the history, in this order."""
    if changes:
        await connection.execute(_APPEND, *StatusChange.arrays(changes))
