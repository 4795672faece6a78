"""A person closes dead letters that are not worth a replay."""

from collections.abc import Sequence
from datetime import datetime

from worker.contacts.acts import record_act
from worker.process.logs import get_logger, text_field
from worker.processor.replay import dead_letters_subject
from worker.store.dead_letters import discard_dead_letters
from worker.store.pool import Pool
from worker.store.sessions import transaction

_log = get_logger()


async def discard(pool: Pool, ids: Sequence[int], *, actor: str, note: str, now: datetime) -> list[int]:
    """The ids of those that were open, and are closed when this returns; they stay readable.

    Raises StoreUnavailable.
    """
    async with transaction(pool, "discarding dead letters") as connection:
        closed = await discard_dead_letters(connection, ids, at=now, person=actor, note=note)
        if not closed:
            return []
        act_id = await record_act(connection, dead_letters_subject("discard", closed), actor=actor, now=now, note=note)
    _log.info("letters.discarded", actor=actor, act_id=act_id, count=len(closed), note=text_field(note))
    return closed
