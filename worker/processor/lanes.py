"""Which lanes a processor reads: those of the sources in its configuration, and those that other processors made."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from schemas.lane import Lane
from schemas.source import Source
from worker.providers.provider import Provider
from worker.queue.port import LaneReader
from worker.store.pool import Pool
from worker.store.queue_lanes import forget_lanes, note_lanes


def lanes_of(sources: Iterable[Source], providers: Mapping[str, Provider]) -> list[Lane]:
    """A lane for the live events of each source, and one for its bulk work if it is likely to have any.

    All other bulk work, such as replayed dead letters, shares a lane.
    """
    lanes = []
    for source in sources:
        if not source.bulk:
            lanes.append(Lane(source=source.name))
        if source.bulk or providers[source.provider].marks_bulk:
            lanes.append(Lane(source=source.name, bulk=True))
    return lanes


async def keep_lanes(pool: Pool, reader: LaneReader, own: Collection[Lane], *, now: datetime) -> None:
    """Makes the reader read every lane. Call it at the start and regularly, because other processors make lanes too.

    A lane is stored before its queue is made, so that its queue is drained even after its source is no longer
    configured. Raises StoreUnavailable and QueueUnavailable.
    """
    others = await note_lanes(pool, own, now=now)
    missing = await reader.follow(own, others)
    await forget_lanes(pool, missing, now=now)
