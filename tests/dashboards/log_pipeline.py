"""Lines as Loki keeps them, and what the stages of a LogQL pipeline make of them."""

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from tests.dashboards.logql import Tree

_UNIX_TIME = "{{ __timestamp__ | unixEpoch }}"
ERROR = "__error__"
_STREAM_LABELS = ("level", "event")

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "Gtr": operator.gt,
    "Gte": operator.ge,
    "Lss": operator.lt,
    "Lte": operator.le,
    "Eql": operator.eq,
    "Neq": operator.ne,
}


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
    return piped(only(tree, "LogExpr"), lines)


def only(tree: Tree, name: str) -> Tree:
    if tree.name == name:
        return tree
    if tree.name in {"LogQL", "Expr"} and len(tree.children) == 1:
        return only(tree.children[0], name)
    raise NotEvaluatedError(f"{tree.name} in place of {name}: {tree.text}")


def number_in(text: str) -> tuple[float, bool]:
    try:
        return float(text), False
    except ValueError:
        return 0.0, True


def unwrapped_label(selection: Tree) -> str | None:
    for unwrap in selection.every("UnwrapExpr"):
        if unwrap.children[0].name == "Pipe":
            return child_of(unwrap, "Identifier").text
    return None


def drops_errors(selection: Tree) -> bool:
    return any(
        label_filter.text.replace(" ", "") == f'{ERROR}=""'
        for unwrap in selection.every("UnwrapExpr")
        for label_filter in unwrap.every("LabelFilter")
    )


def piped(node: Tree, lines: Sequence[LogLine]) -> list[LogLine]:
    matchers = list(child_of(node, "Selector").every("Matcher"))
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
            if any(child_of(one, "Filter").text != "|=" for one in filters):
                raise NotEvaluatedError(part.text)
            return line if all(child_of(one, "String").string in line.text for one in filters) else None
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
        return LogLine(at=line.at, labels={**labels, ERROR: "JSONParserErr"}, text=line.text)
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
        if child_of(made, "String").string != _UNIX_TIME:
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
            if sign.name not in COMPARISONS:
                raise NotEvaluatedError(condition.text)
            value, error = number_in(labels.get(name.text, ""))
            return not error and COMPARISONS[sign.name](value, float(limit.text))
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


def child_of(node: Tree, name: str) -> Tree:
    child = node.child(name)
    if child is None:
        raise NotEvaluatedError(f"no {name} in {node.text}")
    return child
