"""What a LogQL query gives for some lines: the part of the language that our queries use, as Loki documents it.

It walks the tree of Grafana's own grammar. What it does not know is an error, never an empty answer. Sources:
grafana.com/docs/loki/latest/query (log queries, metric queries, operators, template functions).
"""

import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from tests.dashboards.logql import Tree

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UNIX_TIME = "{{ __timestamp__ | unixEpoch }}"
_ERROR = "__error__"
_STREAM_LABELS = ("level", "event")


class NotEvaluatedError(Exception):
    """Loki refuses this query for these lines, or this evaluator does not know a part of it."""


class LogLine(Struct, frozen=True, kw_only=True):
    """A line as Loki keeps it."""

    at: float  # seconds since 1970
    labels: Mapping[str, str]
    text: str


def collected(lines: Iterable[str], *, app: str = "bouncekeeper") -> list[LogLine]:
    """The program's JSON lines as our collector sends them on (deploy/observability/alloy.config)."""
    kept = []
    for text in lines:
        record = json.loads(text)
        kept.append(
            LogLine(
                at=datetime.fromisoformat(record["timestamp"]).timestamp(),
                labels={"app": app, **{name: record[name] for name in _STREAM_LABELS}},
                text=text,
            )
        )
    return kept


def log_lines(tree: Tree, lines: Sequence[LogLine]) -> list[LogLine]:
    """The lines that a log query shows, with what it takes out of them as labels."""
    return _piped(_only(tree, "LogExpr"), lines)


def metric(tree: Tree, lines: Sequence[LogLine], *, at: float) -> Vector:
    """The value of each series at this moment."""
    value = _value(_only(tree, "MetricExpr"), lines, at)
    return {frozenset(): value} if isinstance(value, float) else value


def _only(tree: Tree, name: str) -> Tree:
    if tree.name == name:
        return tree
    if tree.name in {"LogQL", "Expr"} and len(tree.children) == 1:
        return _only(tree.children[0], name)
    raise NotEvaluatedError(f"{tree.name} in place of {name}: {tree.text}")


def _value(node: Tree, lines: Sequence[LogLine], at: float) -> Vector | float:
    match node.name:
        case "Expr" | "MetricExpr":
            (inner,) = node.children
            return _value(inner, lines, at)
        case "LiteralExpr":
            return float(node.text.replace(" ", ""))
        case "VectorExpr":
            return {frozenset(): float(_child(node, "Number").text)}
        case "BinOpExpr":
            return _combined(node, lines, at)
        case "VectorAggregationExpr":
            return _aggregated(node, lines, at)
        case "RangeAggregationExpr":
            return _over_time(node, lines, at)
    raise NotEvaluatedError(f"{node.name}: {node.text}")


# -- binary operators ----------------------------------------------------------------------------------------

_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": lambda left, right: left / right if right else (math.nan if not left else math.copysign(math.inf, left)),
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "Gtr": operator.gt,
    "Gte": operator.ge,
    "Lss": operator.lt,
    "Lte": operator.le,
    "Eql": operator.eq,
    "Neq": operator.ne,
}


def _combined(node: Tree, lines: Sequence[LogLine], at: float) -> Vector | float:
    first, sign, modifier, second = node.children
    if modifier.text:
        raise NotEvaluatedError(f"the modifier {modifier.text}")
    left, right = _value(first, lines, at), _value(second, lines, at)
    if sign.name in {"And", "Or", "Unless"}:
        return _of_sets(sign.name, left, right)
    if sign.name in _COMPARISONS:
        return _compared(_COMPARISONS[sign.name], left, right)
    calculate = _ARITHMETIC.get(sign.name)
    if calculate is None:
        raise NotEvaluatedError(f"the operator {sign.text}")
    if isinstance(left, float) and isinstance(right, float):
        return calculate(left, right)
    if isinstance(right, float):
        return {labels: calculate(value, right) for labels, value in _vector(left).items()}
    if isinstance(left, float):
        return {labels: calculate(left, value) for labels, value in right.items()}
    return {labels: calculate(value, right[labels]) for labels, value in left.items() if labels in right}


def _of_sets(name: str, left: Vector | float, right: Vector | float) -> Vector:
    left, right = _vector(left), _vector(right)
    match name:
        case "And":
            return {labels: value for labels, value in left.items() if labels in right}
        case "Unless":
            return {labels: value for labels, value in left.items() if labels not in right}
        case _:
            return {**right, **left}


def _compared(holds: Callable[[float, float], bool], left: Vector | float, right: Vector | float) -> Vector:
    left = _vector(left)
    if isinstance(right, float):
        return {labels: value for labels, value in left.items() if holds(value, right)}
    return {labels: value for labels, value in left.items() if labels in right and holds(value, right[labels])}


def _vector(value: Vector | float) -> Vector:
    if isinstance(value, float):
        raise NotEvaluatedError("a number in place of series")
    return value


# -- aggregations --------------------------------------------------------------------------------------------

_OF_SERIES: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": math.fsum,
    "Max": max,
    "Min": min,
    "Avg": lambda values: math.fsum(values) / len(values),
    "Count": lambda values: float(len(values)),
}


def _aggregated(node: Tree, lines: Sequence[LogLine], at: float) -> Vector:
    how = _child(node, "VectorOp").children[0].name
    series = _vector(_value(_child(node, "MetricExpr"), lines, at))
    grouping = node.child("Grouping")
    if how in {"Topk", "Bottomk"}:
        if grouping is not None:
            raise NotEvaluatedError(f"{how} by groups")
        count = int(_child(node, "Number").text)
        ranked = sorted(series.items(), key=lambda item: item[1], reverse=how == "Topk")
        return dict(ranked[:count])
    combine = _OF_SERIES.get(how)
    if combine is None:
        raise NotEvaluatedError(f"the aggregation {how}")
    groups: dict[Labels, list[float]] = {}
    for labels, value in series.items():
        groups.setdefault(_grouped(labels, grouping), []).append(value)
    return {labels: combine(values) for labels, values in groups.items()}


def _grouped(labels: Labels, grouping: Tree | None) -> Labels:
    if grouping is None:
        return frozenset()
    if grouping.child("By") is None:
        raise NotEvaluatedError(f"the grouping {grouping.text}")
    names = {identifier.text for identifier in grouping.every("Identifier")}
    return frozenset((name, value) for name, value in labels if name in names)


_OF_LINES = {"CountOverTime", "Rate"}


def _over_time(node: Tree, lines: Sequence[LogLine], at: float) -> Vector:
    how = _child(node, "RangeOp").children[0].name
    selection = _child(node, "LogRangeExpr")
    seconds = _duration(_child(selection, "Range").text)
    offset = selection.child("OffsetExpr")
    end = at - (_duration(_child(offset, "Duration").text) if offset is not None else 0)
    grouping = node.child("Grouping")
    groups: dict[Labels, list[float]] = {}
    unwrapped = _unwrapped(selection)
    if (unwrapped is None) != (how in _OF_LINES):
        raise NotEvaluatedError(f"{how} needs {'no ' if how in _OF_LINES else ''}unwrap")
    within = [line for line in lines if end - seconds < line.at <= end]
    for line in _piped(selection, within):
        labels = dict(line.labels)
        value = 1.0
        if unwrapped is not None:
            number = labels.pop(unwrapped, "")
            if not number:
                continue  # Loki: a line without this label is no sample
            value, error = _number(number)
            if error and not _drops_errors(selection):
                raise NotEvaluatedError(f"unwrap {unwrapped}: {number!r} is no number")
            if error:
                continue
        elif _ERROR in labels:
            raise NotEvaluatedError(f"a line has the error {labels[_ERROR]}: {line.text}")
        all_labels = frozenset(labels.items())
        key = all_labels if grouping is None else _grouped(all_labels, grouping)
        groups.setdefault(key, []).append(value)
    return {labels: _reduced(how, values, seconds, node) for labels, values in groups.items()}


def _reduced(how: str, values: list[float], seconds: float, node: Tree) -> float:
    match how:
        case "CountOverTime":
            return float(len(values))
        case "Rate":
            return len(values) / seconds
        case "SumOverTime":
            return math.fsum(values)
        case "MaxOverTime":
            return max(values)
        case "QuantileOverTime":
            return _quantile(float(_child(node, "Number").text), values)
    raise NotEvaluatedError(f"the function {how}")


def _quantile(share: float, values: list[float]) -> float:
    """As Prometheus and Loki: between the two nearest ranks."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] * (1 - (place - below)) + ranked[above] * (place - below)


def _number(text: str) -> tuple[float, bool]:
    try:
        return float(text), False
    except ValueError:
        return 0.0, True


def _duration(text: str) -> float:
    parts = re.findall(r"(\d+)([smhdw])", text)
    if not parts or "".join(map("".join, parts)) != text.strip("[]"):
        raise NotEvaluatedError(f"the duration {text}")
    return float(sum(int(count) * _SECONDS[unit] for count, unit in parts))


# -- log pipelines -------------------------------------------------------------------------------------------


def _unwrapped(selection: Tree) -> str | None:
    for unwrap in selection.every("UnwrapExpr"):
        if unwrap.children[0].name == "Pipe":
            return _child(unwrap, "Identifier").text
    return None


def _drops_errors(selection: Tree) -> bool:
    return any(
        label_filter.text.replace(" ", "") == f'{_ERROR}=""'
        for unwrap in selection.every("UnwrapExpr")
        for label_filter in unwrap.every("LabelFilter")
    )


def _piped(node: Tree, lines: Sequence[LogLine]) -> list[LogLine]:
    matchers = list(_child(node, "Selector").every("Matcher"))
    kept = [line for line in lines if all(_matches(matcher, line.labels) for matcher in matchers)]
    pipeline = node.child("PipelineExpr")
    for stage in _stages(pipeline) if pipeline is not None else []:
        kept = [piped for line in kept if (piped := _staged(stage, line)) is not None]
    return kept


def _stages(node: Tree) -> list[Tree]:
    """In their order: the grammar nests a pipeline to the left."""
    return [stage for child in node.children for stage in (_stages(child) if child.name == "PipelineExpr" else [child])]


def _staged(stage: Tree, line: LogLine) -> LogLine | None:
    part = next(child for child in stage.children if child.name != "Pipe")
    match part.name:
        case "LineFilters":
            filters = list(part.every("LineFilter"))
            if any(_child(one, "Filter").text != "|=" for one in filters):
                raise NotEvaluatedError(part.text)
            return line if all(_child(one, "String").string in line.text for one in filters) else None
        case "JsonExpressionParser":
            return _extracted(part, line)
        case "LabelFilter":
            return line if _holds(part, line.labels) else None
        case "LabelFormatExpr":
            return _formatted(part, line)
    raise NotEvaluatedError(f"{part.name}: {part.text}")


def _extracted(part: Tree, line: LogLine) -> LogLine:
    labels = dict(line.labels)
    try:
        record = json.loads(line.text)
    except ValueError:
        return LogLine(at=line.at, labels={**labels, _ERROR: "JSONParserErr"}, text=line.text)
    for extraction in part.every("LabelExtractionExpression"):
        name, path = extraction.children[0].text, extraction.children[2].string
        if not re.fullmatch(r"\w+", path):
            raise NotEvaluatedError(f"the path {path}")
        value = record.get(path)
        if value is None or value == "":
            continue  # Loki makes an empty label of it, which is as good as none
        labels[name] = value if isinstance(value, str) else json.dumps(value)
    return LogLine(at=line.at, labels=labels, text=line.text)


def _formatted(part: Tree, line: LogLine) -> LogLine:
    labels = dict(line.labels)
    for made in part.every("LabelFormatMatcher"):
        if _child(made, "String").string != _UNIX_TIME:
            raise NotEvaluatedError(f"the template {made.text}")
        labels[made.children[0].text] = str(int(line.at))
    return LogLine(at=line.at, labels=labels, text=line.text)


def _holds(part: Tree, labels: Mapping[str, str]) -> bool:
    inner = [child for child in part.children if child.name != "Pipe"]
    if len(inner) == 1:
        (condition,) = inner
        if condition.name == "Matcher":
            return _matches(condition, labels)
        if condition.name == "NumberFilter":
            name, sign, limit = condition.children
            if sign.name not in _COMPARISONS:
                raise NotEvaluatedError(condition.text)
            value, error = _number(labels.get(name.text, ""))
            return not error and _COMPARISONS[sign.name](value, float(limit.text))
    if len(inner) == 3 and inner[1].name in {"And", "Or"}:
        both = (_holds(inner[0], labels), _holds(inner[2], labels))
        return all(both) if inner[1].name == "And" else any(both)
    raise NotEvaluatedError(part.text)


def _matches(matcher: Tree, labels: Mapping[str, str]) -> bool:
    name, sign, wanted = matcher.children
    value, text = labels.get(name.text, ""), wanted.string
    match sign.name:
        case "Eq":
            return value == text
        case "Neq":
            return value != text
        case "Re":
            return re.fullmatch(text, value) is not None
        case "Nre":
            return re.fullmatch(text, value) is None
    raise NotEvaluatedError(matcher.text)


def _child(node: Tree, name: str) -> Tree:
    child = node.child(name)
    if child is None:
        raise NotEvaluatedError(f"no {name} in {node.text}")
    return child
