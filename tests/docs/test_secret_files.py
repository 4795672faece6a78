"""Who gets a secret file in the chart: the pages name the processes that read it."""

import json
import re
from pathlib import Path

import pytest

from tests.commands.test_secret_files import NEEDS
from tests.surroundings import REPOSITORY

CHART = REPOSITORY / "deploy" / "helm" / "bouncekeeper"
PAGES = [REPOSITORY / "docs" / "kubernetes.md", REPOSITORY / "docs" / "kubernetes-values.md", CHART / "values.yaml"]


def processes() -> list[str]:
    schema = json.loads((CHART / "values.schema.json").read_text())
    files = schema["properties"]["secrets"]["properties"]["files"]
    names: list[str] = files["items"]["properties"]["processes"]["items"]["enum"]
    return names


@pytest.mark.parametrize("section", ["unsubscribe", "summary", "traces"])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_give_a_secret_to_the_processes_that_read_it(page: Path, section: str) -> None:
    (listed,) = re.findall(rf"`\[([a-z, ]+)\]`\s+(?:# )?for\s+(?:# )?`\[{section}\]`", page.read_text())
    assert listed.split(", ") == [process for process in processes() if section in NEEDS[process]]


def test_the_page_on_traces_gives_the_key_to_each_process_that_reads_it() -> None:
    (listed,) = re.findall(r"`processes: \[(.*?)\]`", (REPOSITORY / "docs" / "traces.md").read_text())
    assert listed.split(", ") == [process for process in processes() if "traces" in NEEDS[process]]
