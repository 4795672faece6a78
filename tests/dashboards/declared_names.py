"""The names in a query, held against what the program declares. Nothing here knows how the query was made."""

import re
from collections.abc import Iterator

import promql_parser
from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from schemas.log_event import COMMON_FIELDS
from schemas.log_events import LOG_EVENTS
from tests.dashboards.logql import Tree
from worker.process import metrics

LABELS = {"app", "level", "event"}
_METRICS = [metric for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)]
# What Prometheus adds, and `le`, which every histogram's buckets have.
_ADDED = {"job", "instance"}


def undeclared_in_logql(tree: Tree) -> list[str]:
    """What the query names and no line has."""
    return [problem for part in _streams(tree) for problem in _undeclared_in_stream(part)] + [
        f"groups by {label}" for label in _grouped(tree) if label not in _extracted(tree) | LABELS
    ]


def _streams(tree: Tree) -> Iterator[Tree]:
    yield from tree.every("LogRangeExpr")
    yield from tree.every("LogExpr")


def _undeclared_in_stream(stream: Tree) -> Iterator[str]:
    events = set(LOG_EVENTS)
    named = False
    for matcher in next(stream.every("Selector")).every("Matcher"):
        label, value = matcher.children[0].text, matcher.children[2].string
        if label not in LABELS:
            yield f"the stream label {label}"
        if label == "event":
            named = True
            events = set(value.split("|"))
            yield from (f"the event {event}" for event in events - set(LOG_EVENTS))
    for extraction in stream.every("LabelExtractionExpression"):
        field = extraction.children[2].string
        if extraction.children[0].text != field:
            yield f"{field} under another name"
        known = [event for event in events if event in LOG_EVENTS and field in LOG_EVENTS[event].fields | COMMON_FIELDS]
        if not known or (named and len(known) < len(events)):
            yield f"the field {field} of {sorted(events)[:5]}"
    made = {matcher.children[0].text for matcher in stream.every("LabelFormatMatcher")}
    used = {node.children[0].text for kind in ("Matcher", "NumberFilter") for node in _of_filters(stream, kind)}
    used |= {node.children[2].text for node in stream.every("UnwrapExpr") if node.children[0].name == "Pipe"}
    yield from (
        f"{name}, which is not taken out of the line" for name in used - _extracted(stream) - made - {"__error__"}
    )


def _of_filters(stream: Tree, kind: str) -> Iterator[Tree]:
    for part in stream.every("LabelFilter"):
        yield from part.every(kind)


def _extracted(tree: Tree) -> set[str]:
    return {extraction.children[0].text for extraction in tree.every("LabelExtractionExpression")}


def _grouped(tree: Tree) -> set[str]:
    return {name.text for grouping in tree.every("Grouping") for name in grouping.every("Identifier")}


def undeclared_in_promql(query: str) -> list[str]:
    """What the query names and no metric has."""
    problems: list[str] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            inner = _labels_below(node.expr)
            problems.extend(f"groups by {label}" for label in node.modifier.labels if label not in inner)
        if isinstance(node, promql_parser.VectorSelector):
            known = _labels_of(node.name or "")
            if known is None:
                problems.append(f"the metric {node.name}")
            else:
                names = [matcher.name for matcher in node.matchers.matchers]
                problems.extend(f"the label {name} of {node.name}" for name in names if name not in known | _ADDED)
        return True

    promql_parser.walk(promql_parser.parse(query), visit)
    return problems


def _labels_below(expression: promql_parser.Expr) -> set[str]:
    """The labels that every series below has."""
    found: list[set[str]] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append((_labels_of(node.name or "") or set()) | _ADDED)
        return True

    promql_parser.walk(expression, visit)
    return set.intersection(*found) if found else set()


def _labels_of(name: str) -> set[str] | None:
    for metric in _METRICS:
        if isinstance(metric, Counter) and name == f"{metric._name}_total":
            return set(metric._labelnames)
        if isinstance(metric, Histogram) and (suffix := re.fullmatch(f"{metric._name}_(bucket|sum|count)", name)):
            return {*metric._labelnames, *(["le"] if suffix[1] == "bucket" else [])}
        if not isinstance(metric, Counter | Histogram) and name == metric._name:
            return set(metric._labelnames)
    return None
