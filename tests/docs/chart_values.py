"""docs/kubernetes-values.md: every value of the Helm chart, from the comments of its values.yaml.

A comment that begins with `# --` belongs to the value below it.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from tests.docs.pages import REPOSITORY

VALUES = REPOSITORY / "deploy" / "helm" / "bouncekeeper" / "values.yaml"
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]\w*):")


class ChartValue(Struct, frozen=True, kw_only=True):
    """One value: `receiver.replicas`, its default, and what is said of it; "" if nothing is."""

    path: str
    default: Any
    says: str


def chart_values() -> list[ChartValue]:
    """Every value that holds no others, in the order of the file."""
    text = VALUES.read_text(encoding="utf-8")
    comments = dict(_comments(text.splitlines()))
    return [
        ChartValue(path=path, default=default, says=comments.get(path, ""))
        for path, default in _leaves(yaml.safe_load(text), "", comments)
    ]


def chart_values_page() -> str:
    """The page."""
    rows = [
        f"| `{value.path}` | `{json.dumps(value.default)}` | {value.says.replace('|', chr(92) + '|')} |"
        for value in chart_values()
    ]
    return "\n".join(
        [
            "# Values of the Helm chart",
            "",
            "<!-- generated from deploy/helm/bouncekeeper/values.yaml by `python -m tests.docs.generated_pages` -->",
            "",
            "What may be written into `values.yaml`, or behind `--set`; any other name is refused.",
            "[kubernetes.md](kubernetes.md) says how the chart is used.",
            "",
            "| value | default | |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _comments(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Paths and the comments above them."""
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("# --"):
            above = [stripped.removeprefix("# --").strip()]
        elif stripped.startswith("#"):
            above += [stripped.removeprefix("#").strip()] * bool(above)
        elif key := _KEY.match(line):
            indent = len(key["indent"])
            path = [*(part for part in path if part[0] < indent), (indent, key["key"])]
            if above:
                yield ".".join(name for _, name in path), " ".join(above)
            above = []
        else:
            above = []


def _leaves(value: Any, path: str, comments: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """A mapping that has a comment is one value, such as `resources`."""
    if isinstance(value, dict) and value and path not in comments:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key, comments)
    else:
        yield path, value
