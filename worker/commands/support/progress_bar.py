"""A bar on a terminal for whoever waits."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

Progress = Callable[[int, int | None], None]  # how many are done, of how many; None if nobody knows


def progress_bar(name: str, *, least: int, of_bytes: bool = False) -> AbstractContextManager[Progress | None]:
    """What shows progress on a terminal once there are at least so many to do; None elsewhere."""
    if not sys.stderr.isatty():
        return nullcontext()
    return _Bar(name, least, of_bytes=of_bytes)


class _Bar:
    def __init__(self, name: str, least: int, *, of_bytes: bool) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import, and only for a terminal
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn() if of_bytes else MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._name = name
        self._least = least
        self._task: Any = None

    def __enter__(self) -> Progress:
        return self._show

    def _show(self, done: int, total: int | None) -> None:
        if (done if total is None else total) < self._least:
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(self._name, total=total)
        self._bar.update(self._task, completed=done)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
