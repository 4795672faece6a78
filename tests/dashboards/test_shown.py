"""The dashboards of the log show something: for what the demo logs, and for every event that can be logged."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.dashboards.board_files import Query, boards, queries
from tests.dashboards.declared_lines import CONTACT, DELIVERY, declared_lines
from tests.dashboards.log_evaluation import Vector, metric
from tests.dashboards.log_pipeline import LogLine, collected, log_lines
from tests.dashboards.logql import Tree, grammar, without_variables
from worker.local_services.process import free_port

LOGQL = queries("loki")
ALL_DAY = {"__auto": "1d", "__range": "1d"}


@pytest.fixture(scope="session")
def trees() -> dict[str, Tree]:
    """The tree of each query of the dashboards, as Grafana would send it for one day, and for one delivery."""
    chosen = {**ALL_DAY, "delivery": DELIVERY, "contact": str(CONTACT)}
    parsed = grammar().parse([without_variables(query.text, **chosen) for query in LOGQL])
    return {query.text: tree for query, tree in zip(LOGQL, parsed, strict=True)}


def demo_lines(folder: Path) -> list[LogLine]:
    """What `bouncekeeper demo` logs, as the collector sends it on."""
    log = folder / "log"
    with log.open("wb") as stderr:
        subprocess.run(
            [
                *(sys.executable, "-m", "worker", "demo", "--contacts", "300", "--data-directory", str(folder)),
                *("--receiver-port", str(free_port()), "--api-port", str(free_port())),
                *("--logs-level", "info", "--logs-format", "json"),
            ],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            check=True,
            timeout=120,
        )
    return collected(log.read_text().splitlines())


def shown(query: Query, trees: dict[str, Tree], lines: list[LogLine]) -> int | Vector:
    """How many lines, or which values, at the end of the log."""
    tree = trees[query.text]
    if any(tree.every("MetricExpr")):
        return metric(tree, lines, at=max(line.at for line in lines) + 1)
    return len(log_lines(tree, lines))


# Nothing goes wrong in the demo and nobody decides: these panels show a zero.
QUIET = {
    "Webhooks refused, by source and reason",
    "Parked in Postgres",
    "Dead letters, by source and reason",
    "Dead letters dealt with",
    "Trouble with RabbitMQ and Postgres",
}
# As root, the demo warns of its own embedded Postgres; and of a hundred of its people about one complains.
SOMETIMES = {"Warnings and errors, by event", "Complaint rate by sending domain"}


@pytest.mark.slow
def test_every_panel_of_flow_and_contacts_shows_something_after_the_demo(
    trees: dict[str, Tree], tmp_path: Path
) -> None:
    lines = demo_lines(tmp_path)
    assert all('"process":"demo"' in line.text for line in lines)  # else the collector drops it
    values = {query: shown(query, trees, lines) for query in LOGQL if query.board in {"logs/flow", "logs/contacts"}}
    assert [str(query) for query, value in values.items() if not value] == []
    more_than_zero = {query.panel for query, value in values.items() if isinstance(value, int) or any(value.values())}
    assert {query.panel for query in values} - more_than_zero - SOMETIMES == QUIET

    (rates,) = [value for query, value in values.items() if query.panel == "Bounce rate by sending domain"]
    assert isinstance(rates, dict)
    assert {(dict(whose)["source"], dict(whose).get("sending_domain", "")) for whose in rates} == {
        ("amazon-ses", "example.org"),
        ("mailgun", "example.org"),
        ("postmark", ""),
        ("sendgrid", ""),
    }
    assert all(0 < rate < 50 for rate in rates.values())


@pytest.mark.parametrize("query", LOGQL, ids=lambda query: f"{query} {LOGQL.index(query)}")
def test_every_query_shows_the_events_that_it_is_about(query: Query, trees: dict[str, Tree]) -> None:
    value = shown(query, trees, declared_lines())
    assert any(value.values()) if isinstance(value, dict) else value


def test_every_query_shows_nothing_or_zero_of_an_empty_day(trees: dict[str, Tree]) -> None:
    (line, *_) = declared_lines()
    other = [LogLine(at=line.at, labels={**line.labels, "event": "nothing.happened", "level": "debug"}, text="{}")]
    filled = {str(query): value for query in LOGQL if (value := shown(query, trees, other))}
    assert all(isinstance(value, dict) and set(value.values()) == {0.0} for value in filled.values())


def test_every_board_of_the_log_is_looked_at() -> None:
    assert {query.board for query in LOGQL} == {name for name in boards() if name.startswith("logs/")}
