"""Converts events of the former shape into entries of the log, with visible progress."""

import time
from collections.abc import Callable

from msgspec import Struct

from schemas.raw_keeping import KeepRaw
from worker.process.logs import get_logger
from worker.store.event_rows import EventEncoder
from worker.store.log_conversion import (
    FORMER_READER,
    conversion_is_due,
    convert_stretch,
    events_to_convert,
    finish_conversion,
    former_tables,
)
from worker.store.pool import Pool

_log = get_logger()
_BLOCKS_AT_ONCE = 1000  # of 8 KiB: some ten thousand events, well under a second
_LOG_EVERY_SECONDS = 5.0

Progress = Callable[[int, int], None]  # how many events are converted, and of how many


class Converted(Struct, kw_only=True):
    """The result of a run."""

    events: int = 0
    seconds: float = 0.0


async def convert_former_events(pool: Pool, keep_raw: KeepRaw, *, progress: Progress | None = None) -> Converted:
    """No event of the former shape is left when this returns.

    Several runs may work at the same time, and the next run continues one that was killed. Raises StoreUnavailable,
    and SchemaOutOfDate for an event of a newer version; events that are converted by then stay converted.
    """
    done, started = Converted(), time.monotonic()
    if not await conversion_is_due(pool):
        return done
    total = await events_to_convert(pool)
    encoder = EventEncoder(keep_raw, reader_version=FORMER_READER)
    logged_at = started
    for table in await former_tables(pool):
        while stretch := await convert_stretch(pool, encoder, table, most_blocks=_BLOCKS_AT_ONCE):
            if stretch.dropped:
                break
            done.events += stretch.events
            if progress is not None:
                progress(done.events, max(total, done.events))
            if time.monotonic() - logged_at >= _LOG_EVERY_SECONDS:
                logged_at = time.monotonic()
                _log.info("events.converting", table=table, events=done.events, of_about=max(total, done.events))
    await finish_conversion(pool)
    done.seconds = time.monotonic() - started
    _log.info("events.converted", events=done.events, seconds=round(done.seconds, 3))
    return done
