"""Every query of the dashboards is one, and names only what the program declares."""

import promql_parser
import pytest

from deploy.dashboards.generator.__main__ import files
from deploy.dashboards.generator.log_query import UndeclaredNameError, lines
from deploy.dashboards.generator.metric_query import series
from tests.dashboards.board_files import boards, queries
from tests.dashboards.declared_names import undeclared_in_logql, undeclared_in_promql
from tests.dashboards.logql import grammar, without_variables
from worker.process import metrics

PROMQL = queries("prometheus")


def test_what_is_shipped_is_what_the_generator_writes() -> None:
    for path, text in files():
        assert path.read_text(encoding="utf-8") == text, "run `python -m deploy.dashboards.generator`"
    assert len(boards()) == 9


def test_every_logql_query_is_logql_by_grafanas_own_grammar() -> None:
    logql = queries("loki")
    trees = grammar().parse([without_variables(query.text) for query in logql])
    assert [str(query) for query, tree in zip(logql, trees, strict=True) if not tree.is_logql] == []


@pytest.mark.parametrize(
    "broken",
    [
        'sum(count_over_time({event="a"} [5m])',
        'sum by source (count_over_time({event="a"} [5m]))',
        '{event="a"} | jsn source="source"',
        "{event=a}",
        'count_over_time({event="a"})',
        'sum(rate({event="a"} [$__nothing]))',
        "",
    ],
)
def test_what_is_no_logql_is_found(broken: str) -> None:
    (tree,) = grammar().parse([broken])
    assert not tree.is_logql


def test_every_event_and_field_in_a_logql_query_is_declared() -> None:
    logql = queries("loki")
    trees = grammar().parse([without_variables(query.text) for query in logql])
    problems = {str(query): undeclared_in_logql(tree) for query, tree in zip(logql, trees, strict=True)}
    assert {name: found for name, found in problems.items() if found} == {}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ('count_over_time({event="webhook.acepted"} [5m])', "the event webhook.acepted"),
        ('{event=~"webhook.accepted|webhook.gone"}', "the event webhook.gone"),
        ('{event="webhook.accepted"} | json origin="origin"', "the field origin of ['webhook.accepted']"),
        (
            '{event=~"webhook.accepted|webhook.refused"} | json reason="reason"',
            "the field reason of ['webhook.accepted', 'webhook.refused']",
        ),
        ('{event="webhook.accepted"} | json s="source"', "source under another name"),
        ('{event="webhook.accepted"} | source="x"', "source, which is not taken out of the line"),
        ('{event="webhook.accepted"} | seconds > 5', "seconds, which is not taken out of the line"),
        (
            'sum_over_time({event="webhook.accepted"} | unwrap seconds [5m])',
            "seconds, which is not taken out of the line",
        ),
        ('sum by (source) (count_over_time({event="webhook.accepted"} [5m]))', "groups by source"),
        ('{source="postmark"}', "the stream label source"),
    ],
)
def test_an_undeclared_name_in_a_logql_query_is_found(query: str, problem: str) -> None:
    (tree,) = grammar().parse([query])
    assert tree.is_logql
    assert undeclared_in_logql(tree) == [problem]


@pytest.mark.parametrize("query", PROMQL, ids=str)
def test_every_promql_query_is_promql_and_names_declared_metrics_and_labels(query: str) -> None:
    assert undeclared_in_promql(without_variables(getattr(query, "text", query))) == []


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("rate(bouncekeeper_webhook_total[5m])", "the metric bouncekeeper_webhook_total"),
        ('bouncekeeper_webhooks_total{origin="x"}', "the label origin of bouncekeeper_webhooks_total"),
        ("sum by (provider) (rate(bouncekeeper_webhooks_total[5m]))", "groups by provider"),
        ("bouncekeeper_webhook_seconds", "the metric bouncekeeper_webhook_seconds"),
        ("sum by (le) (bouncekeeper_webhook_seconds_count)", "groups by le"),
    ],
)
def test_an_undeclared_name_in_a_promql_query_is_found(query: str, problem: str) -> None:
    assert undeclared_in_promql(query) == [problem]


@pytest.mark.parametrize("broken", ["sum(rate(x[5m])", "rate(x)", "sum by source (x)", "x{job=}"])
def test_what_is_no_promql_is_found(broken: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        promql_parser.parse(broken)


def test_a_renamed_event_or_field_breaks_the_build() -> None:
    with pytest.raises(UndeclaredNameError, match=r"webhook\.acepted"):
        lines("webhook.acepted").count()
    with pytest.raises(UndeclaredNameError, match="no field 'origin'"):
        lines("webhook.accepted").count("origin")
    with pytest.raises(UndeclaredNameError, match=r"webhook\.accepted has no field 'reason'"):
        lines("webhook.accepted", "webhook.refused").count("reason")
    with pytest.raises(UndeclaredNameError, match="no label 'origin'"):
        series(metrics.WEBHOOKS).rate("origin")
    with pytest.raises(TypeError, match="is a Counter, not a Gauge"):
        series(metrics.WEBHOOKS).highest()
