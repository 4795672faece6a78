"""A panel: what it shows, in which unit, what it means and what to do about it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from deploy.dashboards.generator.log_query import INTERVAL, WHOLE

WIDTH = 24  # of a board, in Grafana's units


class Kind(StrEnum):
    """How it is drawn; the values are Grafana's names."""

    CURVES = "timeseries"
    BARS = "bars"  # curves, drawn as stacked bars: counts
    RANKING = "bargauge"
    TABLE = "table"
    NUMBER = "stat"
    LINES = "logs"


_INSTANT = frozenset({Kind.RANKING, Kind.TABLE, Kind.NUMBER})


class Target(Struct, frozen=True, kw_only=True):
    """One query; `legend` names its series, with fields in {{braces}}."""

    query: str
    legend: str = ""


class Panel(Struct, frozen=True, kw_only=True):
    """`says` is two sentences: what it means, and what to do."""

    title: str
    says: str
    kind: Kind
    unit: str  # Grafana's id of a unit: short, s, reqps, percent …; "" for lines of a log
    targets: tuple[Target, ...]
    width: int = 12
    height: int = 8
    warn_at: float | None = None  # drawn as a yellow line
    alarm_at: float | None = None  # drawn as a red line
    decimals: int | None = None


def shows(query: str, legend: str = "") -> Target:
    """A target."""
    return Target(query=query, legend=legend)


def panel_json(panel: Panel, *, number: int, x: int, y: int, source: str) -> dict[str, Any]:
    """The panel as Grafana reads it. `source` is the type of its datasource, which the reader chooses."""
    datasource = {"type": source, "uid": "${datasource}"}
    return {
        "id": number,
        "type": "timeseries" if panel.kind is Kind.BARS else panel.kind.value,
        "title": panel.title,
        "description": panel.says,
        "datasource": datasource,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _options(panel),
        **({"transformations": _columns()} if panel.kind is Kind.TABLE else {}),
        "targets": [
            _target_json(target, letter, panel.kind, datasource)
            for target, letter in zip(panel.targets, "ABCDEFGH", strict=False)
        ],
    }


def _target_json(target: Target, letter: str, kind: Kind, datasource: dict[str, str]) -> dict[str, Any]:
    query = target.query
    instant = kind in _INSTANT
    if datasource["type"] == "loki":
        if instant and INTERVAL in query:
            raise ValueError(f"a single value has no interval, so it is over {WHOLE}: {query}")
        return {
            "refId": letter,
            "datasource": datasource,
            "expr": query,
            "legendFormat": target.legend,
            "queryType": "instant" if instant else "range",
            "editorMode": "code",
        }
    return {
        "refId": letter,
        "datasource": datasource,
        "expr": query,
        "legendFormat": target.legend,
        "instant": instant,
        "range": not instant,
        "format": "table" if kind is Kind.TABLE else "time_series",
        "editorMode": "code",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.warn_at is not None:
        steps.append({"color": "yellow", "value": panel.warn_at})
    if panel.alarm_at is not None:
        steps.append({"color": "red", "value": panel.alarm_at})
    defaults: dict[str, Any] = {"unit": panel.unit or "none", "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.kind in {Kind.CURVES, Kind.BARS}:
        bars = panel.kind is Kind.BARS
        defaults["min"] = 0
        defaults["custom"] = {
            "drawStyle": "bars" if bars else "line",
            "fillOpacity": 60 if bars else 8,
            "lineWidth": 1,
            "showPoints": "never" if bars else "auto",
            "stacking": {"mode": "normal" if bars else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if len(steps) > 1 else "off"},
        }
    return defaults


def _options(panel: Panel) -> dict[str, Any]:
    match panel.kind:
        case Kind.CURVES | Kind.BARS:
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case Kind.RANKING:
            return {
                "orientation": "horizontal",
                "displayMode": "basic",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            }
        case Kind.NUMBER:
            return {
                "colorMode": "value",
                "graphMode": "none",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            }
        case Kind.LINES:
            return {
                "showTime": True,
                "wrapLogMessage": True,
                "enableLogDetails": True,
                "sortOrder": "Descending",
                "dedupStrategy": "none",
            }
        case Kind.TABLE:
            return {"showHeader": True}


def _columns() -> list[dict[str, Any]]:
    """A table of one row for each series: its labels and its value, without the time of the query."""
    return [
        {"id": "labelsToFields", "options": {"mode": "columns"}},
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}},
    ]


def laid_out(panels: Sequence[Panel]) -> list[tuple[Panel, int, int]]:
    """Each panel with its x and y, from left to right and from above downwards."""
    placed, x, y, tallest = [], 0, 0, 0
    for panel in panels:
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        placed.append((panel, x, y))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return placed
