"""What a benchmark is: it measures ours and a baseline in turns, and says what was held equal."""

import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from tests.benchmarks.services import Services


class Goal(Struct, frozen=True, kw_only=True):
    """The ratio that was promised."""

    at_least: float | None = None
    at_most: float | None = None

    def met(self, ratio: float) -> bool:
        """True when the ratio keeps the promise."""
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


class Measurement(Struct, frozen=True, kw_only=True):
    """One line of the table: the same thing measured several times, ours and the baseline in turns.

    The ratio is the median of the rounds' ratios, each from two measurements that lie next to each other in
    time, so that a machine which grows slower meanwhile slows both.
    """

    what: str
    against: str
    unit: str  # "/s" for rates, "µs" or "ms" for costs
    ours: list[float]
    baseline: list[float]
    goal: Goal | None = None

    @property
    def ratios(self) -> list[float]:
        """Ours divided by the baseline, round by round."""
        return [ours / baseline for ours, baseline in zip(self.ours, self.baseline, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        """True when the goal is reached, or none was set."""
        return self.goal is None or self.goal.met(self.ratio)


class Remark(Struct, frozen=True, kw_only=True):
    """A figure without a goal, printed below the table."""

    what: str
    value: str


class Outcome(Struct, kw_only=True):
    """What one benchmark has to say."""

    measurements: list[Measurement] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def remark(self, what: str, value: str) -> None:
        """Adds a figure without a goal."""
        self.remarks.append(Remark(what=what, value=value))


class Bench:
    """What every benchmark is given: its size, the services, a folder, and a place to say how far it is."""

    def __init__(self, *, quick: bool, folder: Path) -> None:
        self.quick = quick
        self.folder = folder
        self.services = Services(folder)
        self._started = time.monotonic()

    def size(self, full: int, quick: int) -> int:
        """How many: the full figure, or the small one of a quick run."""
        return quick if self.quick else full

    @property
    def rounds(self) -> int:
        """How many times ours and the baseline are measured in turns."""
        return self.size(5, 2)

    def progress(self, text: str) -> None:
        """One line on standard error: standard output is the table's."""
        sys.stderr.write(f"{time.monotonic() - self._started:7.1f} s  {text}\n")
        sys.stderr.flush()

    async def in_turns(
        self,
        what: str,
        *sides: tuple[str, Callable[[], Awaitable[float]]],
        unit: str = "/s",
    ) -> list[list[float]]:
        """Each side's figures, one per round. The order turns round each time, so that none is always first."""
        figures: list[list[float]] = [[] for _ in sides]
        for number in range(self.rounds):
            order = list(range(len(sides)))
            for place in order if number % 2 == 0 else reversed(order):
                name, measure = sides[place]
                figure = await measure()
                figures[place].append(figure)
                self.progress(f"{what} · round {number + 1}/{self.rounds} · {name} · {figure:,.0f} {unit}")
        return figures


Measure = Callable[[Bench], Awaitable[Outcome]]
OutputFormat = Literal["table", "markdown"]
