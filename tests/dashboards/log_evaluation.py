"""What a LogQL query gives for some lines: the part of the language that our queries use, as Loki documents it.

It walks the tree of Grafana's own grammar. What it does not know is an error, never an empty answer. Sources:
grafana.com/docs/loki/latest/query (log queries, metric queries, operators, template functions).
"""

import math
import operator
import re
from collections.abc import Callable, Sequence

from tests.dashboards.log_pipeline import (
    COMPARISONS,
    ERROR,
    LogLine,
    NotEvaluatedError,
    child_of,
    drops_errors,
    number_in,
    only,
    piped,
    unwrapped_label,
)
from tests.dashboards.logql import Tree

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def metric(tree: Tree, lines: Sequence[LogLine], *, at: float) -> Vector:
    """The value of each series at this moment."""
    value = _value(only(tree, "MetricExpr"), lines, at)
    return {frozenset(): value} if isinstance(value, float) else value


def _value(node: Tree, lines: Sequence[LogLine], at: float) -> Vector | float:
    match node.name:
        case "Expr" | "MetricExpr":
            (inner,) = node.children
            return _value(inner, lines, at)
        case "LiteralExpr":
            return float(node.text.replace(" ", ""))
        case "VectorExpr":
            return {frozenset(): float(child_of(node, "Number").text)}
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
# The grammar is that of an editor and knows no precedence; this is Loki's, the strongest first, all from the left.
_PRECEDENCE = (
    {"Mul", "Div"},
    {"Add", "Sub"},
    set(COMPARISONS),
    {"And", "Unless"},
    {"Or"},
)


def _combined(node: Tree, lines: Sequence[LogLine], at: float) -> Vector | float:
    operands, signs = _chain(node)
    values = [_value(operand, lines, at) for operand in operands]
    for level in _PRECEDENCE:
        place = 0
        while place < len(signs):
            if signs[place].name in level:
                values[place : place + 2] = [_applied(signs.pop(place), values[place], values[place + 1])]
            else:
                place += 1
    if signs:
        raise NotEvaluatedError(f"the operator {signs[0].text}")
    return values[0]


def _chain(node: Tree) -> tuple[list[Tree], list[Tree]]:
    """The operands and the operators between them, in the order in which they are written."""
    first, sign, modifier, second = node.children
    if modifier.text:
        raise NotEvaluatedError(f"the modifier {modifier.text}")
    left_operands, left_signs = _chain_within(first)
    right_operands, right_signs = _chain_within(second)
    return [*left_operands, *right_operands], [*left_signs, sign, *right_signs]


def _chain_within(node: Tree) -> tuple[list[Tree], list[Tree]]:
    inner = node
    while inner.name in {"Expr", "MetricExpr"} and len(inner.children) == 1 and inner.children[0].text == inner.text:
        (inner,) = inner.children  # what is in brackets is shorter than the node around it
    return _chain(inner) if inner.name == "BinOpExpr" else ([inner], [])


def _applied(sign: Tree, left: Vector | float, right: Vector | float) -> Vector | float:
    if sign.name in {"And", "Or", "Unless"}:
        return _of_sets(sign.name, left, right)
    if sign.name in COMPARISONS:
        return _compared(COMPARISONS[sign.name], left, right)
    calculate = _ARITHMETIC[sign.name]
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
    how = child_of(node, "VectorOp").children[0].name
    series = _vector(_value(child_of(node, "MetricExpr"), lines, at))
    grouping = node.child("Grouping")
    if how in {"Topk", "Bottomk"}:
        if grouping is not None:
            raise NotEvaluatedError(f"{how} by groups")
        count = int(child_of(node, "Number").text)
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
    how = child_of(node, "RangeOp").children[0].name
    selection = child_of(node, "LogRangeExpr")
    seconds = _duration(child_of(selection, "Range").text)
    offset = selection.child("OffsetExpr")
    end = at - (_duration(child_of(offset, "Duration").text) if offset is not None else 0)
    grouping = node.child("Grouping")
    groups: dict[Labels, list[float]] = {}
    unwrapped = unwrapped_label(selection)
    if (unwrapped is None) != (how in _OF_LINES):
        raise NotEvaluatedError(f"{how} needs {'no ' if how in _OF_LINES else ''}unwrap")
    within = [line for line in lines if end - seconds < line.at <= end]
    for line in piped(selection, within):
        labels = dict(line.labels)
        value = 1.0
        if unwrapped is not None:
            number = labels.pop(unwrapped, "")
            if not number:
                continue  # Loki: a line without this label is no sample
            value, error = number_in(number)
            if error and not drops_errors(selection):
                raise NotEvaluatedError(f"unwrap {unwrapped}: {number!r} is no number")
            if error:
                continue
        elif ERROR in labels:
            raise NotEvaluatedError(f"a line has the error {labels[ERROR]}: {line.text}")
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
            return _quantile(float(child_of(node, "Number").text), values)
    raise NotEvaluatedError(f"the function {how}")


def _quantile(share: float, values: list[float]) -> float:
    """As Prometheus and Loki: between the two nearest ranks."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] * (1 - (place - below)) + ranked[above] * (place - below)


def _duration(text: str) -> float:
    parts = re.findall(r"(\d+)([smhdw])", text)
    if not parts or "".join(map("".join, parts)) != text.strip("[]"):
        raise NotEvaluatedError(f"the duration {text}")
    return float(sum(int(count) * _SECONDS[unit] for count, unit in parts))
