"""The receiver without its storing, as a baseline: the same application, routes, authentication, log lines.

By itself: `put` is done the moment it is called; neither parcels nor tasks nor a queue exist. With `--discard`: all
of that exists, and the queue throws every parcel away at once.
"""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from schemas.lane import SHARED_LANE, Lane
from worker.commands.support.running import run_service
from worker.receiver import application, service
from worker.settings.configuration import load_settings
from worker.settings.tree import Settings


class DiscardingWriter:
    """A QueueWriter that stores nothing."""

    async def put(self, parcel: bytes, lane: Lane = SHARED_LANE) -> None:
        """Done."""

    def available(self) -> bool:
        """Always."""
        return True

    async def close(self) -> None:
        """Nothing to close."""


class NoCommit:
    """Stands in for GroupCommit: whoever puts something goes on at once."""

    waiting_bytes = 0

    def __init__(self, _writer: DiscardingWriter, **_bounds: Any) -> None:
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done.set_result(None)

    def put(self, _blob: bytes, _lane: Lane = SHARED_LANE) -> "asyncio.Future[None]":
        """Done already: awaiting it does not even leave the running task."""
        return self._done

    async def close(self) -> None:
        """Nothing under way."""


async def _open_discarding_writer(_settings: Settings, *, postgres_connections: int) -> DiscardingWriter:
    del postgres_connections
    return DiscardingWriter()


def _main() -> None:
    parser = argparse.ArgumentParser(prog="bare_receiver")
    parser.add_argument("config", type=Path)
    parser.add_argument("--discard", action="store_true")
    options = parser.parse_args()
    # All else is the receiver as it is run in earnest: listening, memory management, stopping.
    vars(service)["open_writer"] = _open_discarding_writer
    if not options.discard:
        vars(application)["GroupCommit"] = NoCommit
    settings = load_settings(config_file=options.config, environment={}, overrides={})
    run_service(settings, "receiver", lambda stop: service.run_receiver(settings, stop))


if __name__ == "__main__":
    _main()
