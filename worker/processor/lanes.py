"""Which lanes a processor reads: a queue for each source of its configuration, and whatever others have made."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from schemas.lane import Lane
from schemas.source import Source
from worker.providers.provider import Provider
from worker.queue.port import LaneReader
from worker.store.pool import Pool
from worker.store.queue_lanes import forget_lanes, note_lanes


def lanes_of(sources: Iterable[Source], providers: Mapping[str, Provider]) -> list[Lane]:
    """A lane for each source's live events, and one for its bulk work if that is to be expected.

    Other bulk work, such as replayed dead letters, shares a lane.
    """
    lanes = []
    for source in sources:
        if not source.bulk:
            lanes.append(Lane(source=source.name))
        if source.bulk or providers[source.provider].marks_bulk:
            lanes.append(Lane(source=source.name, bulk=True))
    return lanes


async def keep_lanes(pool: Pool, reader: LaneReader, own: Collection[Lane], *, now: datetime) -> None:
    """The reader reads every lane that there is. To be done at the start, and again and again: others make lanes, too.

    A lane is written down before its queue is made: the queue of a source that nobody has in his configuration any
    more is drained all the same. Raises StoreUnavailable and QueueUnavailable.
    """
    others = await note_lanes(pool, own, now=now)
    missing = await reader.follow(own, others)
    await forget_lanes(pool, missing, now=now)
