"""Writes every file that is made from declarations. A test compares them with what this would write."""

import json
from collections.abc import Iterator
from pathlib import Path

from deploy.dashboards.generator.alert import rules
from deploy.dashboards.generator.alerts import ALERTS
from deploy.dashboards.generator.board import board_json
from deploy.dashboards.generator.boards import BOARDS

DEPLOY = Path(__file__).resolve().parents[2]


def files() -> Iterator[tuple[Path, str]]:
    """Each file below deploy/, and what stands in it."""
    for board in BOARDS:
        text = json.dumps(board_json(board), indent=2, ensure_ascii=False)
        yield DEPLOY / "dashboards" / board.file, f"{text}\n"
    for reader in ("prometheus", "loki"):
        yield DEPLOY / "alerts" / reader / "bouncekeeper.yaml", rules(ALERTS, of=reader)


if __name__ == "__main__":
    for path, text in files():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
