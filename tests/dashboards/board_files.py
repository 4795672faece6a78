"""The dashboards as they are shipped, read from their files."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.docs.pages import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "dashboards"


class Query(Struct, frozen=True, kw_only=True):
    """A target of a panel."""

    board: str  # logs/flow
    panel: str
    source: str  # loki or prometheus
    text: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.board}: {self.panel}"


@cache
def boards() -> dict[str, Any]:
    """By `logs/flow`."""
    files: list[Path] = sorted([*(FOLDER / "logs").glob("*.json"), *(FOLDER / "metrics").glob("*.json")])
    return {file.relative_to(FOLDER).with_suffix("").as_posix(): json.loads(file.read_text()) for file in files}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each panel with the name of its board."""
    for name, board in boards().items():
        for panel in board["panels"]:
            yield name, panel


def queries(source: str) -> list[Query]:
    """Every query of this source."""
    return [
        Query(
            board=name,
            panel=panel["title"],
            source=target["datasource"]["type"],
            text=target["expr"],
            instant=target.get("queryType") == "instant" or target.get("instant") is True,
        )
        for name, panel in panels()
        for target in panel["targets"]
        if target["datasource"]["type"] == source
    ]
