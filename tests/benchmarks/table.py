"""The results: as a table in a terminal, as Markdown for the README, as JSON for a machine."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.benchmark import Measurement, Outcome

_HEADINGS = ("what", "ours", "against", "baseline", "ratio", "goal", "met?")


def print_table(outcome: Outcome, machine: Sequence[str]) -> None:
    """The table on standard output, with the remarks and the machine below it."""
    console = Console(width=None if Console().is_terminal else 160)
    if outcome.measurements:
        table = Table(show_lines=True)
        for heading in _HEADINGS:
            table.add_column(heading, justify="left" if heading in ("what", "against") else "right")
        for measurement in outcome.measurements:
            table.add_row(*_cells(measurement, separator="\n"))
        console.print(table)
    for remark in outcome.remarks:
        console.print(f"[bold]{remark.what}[/]: {remark.value}", highlight=False)
    for line in machine:
        console.print(line, highlight=False, style="dim")


def markdown(outcome: Outcome, machine: Sequence[str]) -> str:
    """The same for the README."""
    lines = []
    if outcome.measurements:
        lines += [f"| {' | '.join(_HEADINGS)} |", f"|{'---|' * len(_HEADINGS)}"]
        lines += [f"| {' | '.join(_cells(one, separator=' '))} |" for one in outcome.measurements]
        lines += [
            "",
            "Medians of several rounds, ours and the baseline in turns; in brackets the lowest and the highest.",
            "",
        ]
    lines += [f"- {remark.what}: {remark.value}" for remark in outcome.remarks]
    lines += ["", f"Measured on {datetime.now(UTC):%Y-%m-%d}: {'; '.join(machine)}."]
    return "\n".join(lines)


def as_json(outcome: Outcome, machine: Sequence[str]) -> dict[str, Any]:
    """Every single figure."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": list(machine),
        "measurements": [
            {
                "what": one.what,
                "against": one.against,
                "unit": one.unit.strip(),
                "ours": one.ours,
                "baseline": one.baseline,
                "ratios": one.ratios,
                "ratio": one.ratio,
                "goal": str(one.goal or ""),
                "met": one.met,
            }
            for one in outcome.measurements
        ],
        "remarks": {remark.what: remark.value for remark in outcome.remarks},
    }


def _cells(one: Measurement, *, separator: str) -> tuple[str, ...]:
    return (
        one.what,
        _spread(one.ours, one.unit, separator),
        one.against,
        _spread(one.baseline, one.unit, separator),
        _spread(one.ratios, "", separator),
        str(one.goal or "none"),
        "-" if one.goal is None else "yes" if one.met else "no",
    )


def _spread(figures: Sequence[float], unit: str, separator: str) -> str:
    # The figure in the middle; of an even number the lower one of the two, as it was measured.
    ordered = sorted(figures)
    middle = _number((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)
    return f"{middle}{unit}{separator}({_number(ordered[0])} … {_number(ordered[-1])})"


def _number(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"
