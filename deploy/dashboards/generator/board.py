"""A board: some panels about one thing that an operator asks about, and what the reader may choose."""

from typing import Any

from msgspec import Struct

from deploy.dashboards.generator.panel import Panel, laid_out, panel_json

# Read by Grafana 11 and newer, which bring it up to their own version when they load it.
SCHEMA_VERSION = 39
_ON_TIME_RANGE_CHANGE = 2


class Question(Struct, frozen=True, kw_only=True):
    """A field above the board into which the reader writes what to look for."""

    name: str
    label: str
    initial: str


class Board(Struct, frozen=True, kw_only=True):
    """`source` is where its panels look: loki or prometheus."""

    name: str  # flow: part of the file's name, and of the address in Grafana
    title: str
    says: str
    source: str
    panels: tuple[Panel, ...]
    questions: tuple[Question, ...] = ()
    since: str = "now-6h"

    @property
    def uid(self) -> str:
        """Its address in Grafana, which never changes."""
        return f"bouncekeeper-{'logs' if self.source == 'loki' else 'metrics'}-{self.name}"

    @property
    def file(self) -> str:
        """Where it lies below deploy/dashboards."""
        return f"{'logs' if self.source == 'loki' else 'metrics'}/{self.name}.json"


def board_json(board: Board) -> dict[str, Any]:
    """The board as Grafana reads it."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.says,
        "tags": ["bouncekeeper", "logs" if board.source == "loki" else "metrics"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,  # it would be overwritten by the next version: copy it to change it
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": board.since, "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [
            {
                "type": "dashboards",
                "tags": ["bouncekeeper"],
                "title": "Bouncekeeper",
                "asDropdown": True,
                "includeVars": False,
                "keepTime": True,
                "icon": "external link",
                "targetBlank": False,
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": _variables(board)},
        "panels": [
            panel_json(panel, number=number, x=x, y=y, source=board.source)
            for number, (panel, x, y) in enumerate(laid_out(board.panels), 1)
        ],
    }


def _variables(board: Board) -> list[dict[str, Any]]:
    datasource = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": board.source,
        "current": {},
        "hide": 0,
        "multi": False,
        "includeAll": False,
        "refresh": 1,
        "regex": "",
        "options": [],
    }
    chosen = (
        [_choice("app", {"label": "app", "refId": "app", "stream": "", "type": 1}, board.source)]
        if board.source == "loki"
        else [
            _choice("job", 'label_values({__name__=~"bouncekeeper_.+"}, job)', board.source),
            _choice("instance", 'label_values({__name__=~"bouncekeeper_.+", job=~"$job"}, instance)', board.source),
        ]
    )
    return [datasource, *chosen, *(_written(question) for question in board.questions)]


def _choice(name: str, query: Any, source: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": {"type": source, "uid": "${datasource}"},
        "query": query,
        "definition": query if isinstance(query, str) else "",
        "refresh": _ON_TIME_RANGE_CHANGE,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
        "regex": "",
        "sort": 1,
        "options": [],
    }


def _written(question: Question) -> dict[str, Any]:
    value = {"text": question.initial, "value": question.initial}
    return {
        "name": question.name,
        "label": question.label,
        "type": "textbox",
        "query": question.initial,
        "current": value,
        "options": [{**value, "selected": True}],
        "hide": 0,
    }
