"""The evaluator of LogQL gives what follows from Loki's documentation, and refuses what it does not know."""

import json

import pytest

from tests.dashboards.log_evaluation import metric
from tests.dashboards.log_pipeline import LogLine, NotEvaluatedError, collected, log_lines
from tests.dashboards.logql import grammar

START = 1_772_600_400.0  # 2026-03-04T05:00:00Z


def line(second: int, event: str = "webhook.accepted", level: str = "info", **fields: object) -> str:
    return json.dumps(
        {"timestamp": f"2026-03-04T05:{second // 60:02}:{second % 60:02}.000000Z", "level": level, "event": event}
        | fields
    )


LINES = collected(
    [
        line(0, source="a", seconds=1.0),
        line(60, source="a", seconds=2.0),
        line(120, source="b", seconds=4.0),
        line(180, source="b", seconds=None, reason=""),
        line(240, "webhook.refused", "warning", source="c", reason="bad_signature", count=3),
        line(240, "webhook.refused", "warning", source="c", reason="too_large", count=4),
    ]
)
END = START + 240


def values(query: str, *, at: float = END, lines: list[LogLine] = LINES) -> dict[str, float]:
    """The values of the series, by their labels as `a=1,b=2`."""
    (tree,) = grammar().parse([query])
    assert tree.is_logql
    series = metric(tree, lines, at=at)
    return {",".join(f"{name}={value}" for name, value in sorted(labels)): value for labels, value in series.items()}


def seconds_of(query: str) -> list[int]:
    """When the lines were written that a log query shows."""
    (tree,) = grammar().parse([query])
    return [int(one.at - START) for one in log_lines(tree, LINES)]


ACCEPTED = '{app="bouncekeeper", event="webhook.accepted"} | json source="source", seconds="seconds", reason="reason"'
REFUSED = '{app="bouncekeeper", event="webhook.refused"} | json source="source", reason="reason", count="count"'


SEEN = (
    f"1000 * max by (source) (max_over_time({REFUSED} "
    "| label_format seen=`{{ __timestamp__ | unixEpoch }}` | unwrap seen [1h]))"
)
LATELY = f"sum by (source) (count_over_time({ACCEPTED} [2m]))"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"sum by (source) (count_over_time({ACCEPTED} [1h]))", {"source=a": 2, "source=b": 2}),
        (f"sum(count_over_time({ACCEPTED} [1h]))", {"": 4}),
        (f"sum by (event) (rate({ACCEPTED} [100s]))", {"event=webhook.accepted": 0.01}),
        (f"sum(count_over_time({ACCEPTED} [2m] offset 1m))", {"": 2}),
        (f"sum(count_over_time({ACCEPTED} [1m]))", {}),
        (f"sum by (source) (sum_over_time({ACCEPTED} | unwrap seconds [1h]))", {"source=a": 3, "source=b": 4}),
        (f"max(max_over_time({ACCEPTED} | unwrap seconds [1h]))", {"": 4}),
        (f"quantile_over_time(0.5, {ACCEPTED} | unwrap seconds [1h]) by (event)", {"event=webhook.accepted": 2}),
        (f"quantile_over_time(0.75, {ACCEPTED} | unwrap seconds [1h]) by (event)", {"event=webhook.accepted": 3}),
        (f'sum by (reason) (sum_over_time({REFUSED} | unwrap count | __error__="" [1h]))',
         {"reason=bad_signature": 3, "reason=too_large": 4}),
        (f'sum(sum_over_time({REFUSED} | unwrap reason | __error__="" [1h]))', {}),
        (f"sum(count_over_time({REFUSED} | count>3 [1h]))", {"": 1}),
        (f'sum(count_over_time({REFUSED} | count>2 and reason=~"bad_.*" [1h]))', {"": 1}),
        (f"topk(1, sum by (reason) (sum_over_time({REFUSED} | unwrap count [1h])))", {"reason=too_large": 4}),
        (SEEN, {"source=c": 1000 * (START + 240)}),
        ('sum(count_over_time({event="gone"} [1h])) or vector(0)', {"": 0}),
        (f"sum(count_over_time({ACCEPTED} [1h])) or vector(0)", {"": 4}),
        (f"sum by (source) (count_over_time({ACCEPTED} [1h])) > 2", {}),
        (f"sum by (source) (count_over_time({ACCEPTED} [1h])) unless {LATELY}", {"source=a": 2}),
        (f"100 * sum(count_over_time({ACCEPTED} [2m])) / (sum(count_over_time({ACCEPTED} [1h])) and vector(1))",
         {"": 25}),
        (f"sum by (source) (count_over_time({ACCEPTED} [1h])) / sum by (source) (count_over_time({REFUSED} [1h]))", {}),
        ("2 * 3", {"": 6}),
        ("1 + 2 * 3", {"": 7}),
        ("(1 + 2) * 3", {"": 9}),
        ("10 - 2 - 3", {"": 5}),
        ("12 / 2 / 3", {"": 2}),
        ("vector(7) > 2 * 3", {"": 7}),
        ("vector(7) > 2 * 3 + 1", {}),
        ("vector(1) > 2 or vector(3)", {"": 3}),
        ("vector(1) unless vector(1) > 2", {"": 1}),
        ("vector(1) or vector(2) and vector(3)", {"": 1}),
        ('sum(count_over_time({level=~"warning|error"} [1h]))', {"": 2}),
        ('sum(count_over_time({level!~"warning|error"} [1h]))', {"": 4}),
        ('sum(count_over_time({app="other"} [1h]))', {}),
    ],
)  # fmt: skip
def test_a_query_gives_what_is_counted_by_hand(query: str, expected: dict[str, float]) -> None:
    assert values(query) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{event="webhook.accepted"}', [0, 60, 120, 180]),
        ('{event="webhook.accepted"} |= "\\"b\\""', [120, 180]),
        ('{event="webhook.accepted"} | json reason="reason" | reason=""', [0, 60, 120, 180]),
        ('{event="webhook.accepted"} | json seconds="seconds" | seconds!=""', [0, 60, 120]),
        ('{app=~".+"} | json reason="reason" | reason="too_large" or reason="none"', [240]),
        ('{event="webhook.refused"} |= "c" | json count="count" | count==3', [240]),
    ],
)
def test_a_log_query_shows_the_lines_picked_by_hand(query: str, expected: list[int]) -> None:
    assert seconds_of(query) == expected


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (f"sum(sum_over_time({REFUSED} | unwrap reason [1h]))", "is no number"),
        (f"sum(sum_over_time({REFUSED} [1h]))", "needs unwrap"),
        (f"sum(count_over_time({REFUSED} | unwrap count [1h]))", "needs no unwrap"),
        ('sum(count_over_time({event="webhook.accepted"} | logfmt [1h]))', "LogfmtParser"),
        ('sum(count_over_time({event="webhook.accepted"} | json s="a.b" [1h]))', "the path a.b"),
        (f"stddev(count_over_time({ACCEPTED} [1h]))", "Stddev"),
        (f"sum without (source) (count_over_time({ACCEPTED} [1h]))", "without"),
        (f"sum(stdvar_over_time({ACCEPTED} | unwrap seconds [1h]))", "StdvarOverTime"),
        ("1 > 2", "a number in place of series"),
        ("2 ^ 3", "the operator"),
        ("vector(1) / on (a) vector(2)", "the modifier"),
        ('{event="a"}', "LogExpr in place of MetricExpr"),
    ],
)
def test_what_loki_refuses_or_is_not_known_here_is_no_empty_answer(query: str, reason: str) -> None:
    with pytest.raises(NotEvaluatedError, match=reason):
        values(query)


def test_a_line_that_is_no_json_fails_the_query_as_in_loki() -> None:
    broken = [LogLine(at=END, labels={"app": "bouncekeeper", "event": "webhook.accepted", "level": "info"}, text="{")]
    with pytest.raises(NotEvaluatedError, match="JSONParserErr"):
        values(f"sum(count_over_time({ACCEPTED} [1h]))", lines=broken)
