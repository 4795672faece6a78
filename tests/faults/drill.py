"""What a drill is: a fault made on purpose, figures to print, and the promises that did not hold."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import Struct
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class DrillOptions(Struct, frozen=True, kw_only=True):
    """The command line, as every drill gets it."""

    seed: int
    quick: bool = False  # the size of the test suite
    webhooks: int | None = None  # None: as many as the drill's size says
    seconds: float | None = None  # how long posting is spread over; None: as the drill's size says

    def size(self, full: int, quick: int) -> int:
        """How many: the full figure, or the small one of a quick run."""
        return quick if self.quick else full

    def progress(self) -> Progress:
        """A bar on standard error, for a person who waits; silent elsewhere."""
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            disable=not sys.stderr.isatty(),
        )


class DrillResult(Struct, frozen=True, kw_only=True):
    """What a drill has to say."""

    lines: list[str]  # the figures, for a person
    broken: list[str]  # each promise that did not hold, in a sentence; [] when all did

    def __str__(self) -> str:
        return "\n".join([*self.lines, *(["BROKEN PROMISES:", *self.broken[:20]] if self.broken else [])])


Drill = Callable[[DrillOptions], Coroutine[Any, Any, DrillResult]]
