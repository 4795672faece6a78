"""Who gets a secret file in the chart: each process reads the files of all sections but sources and endpoints."""

import json
import re
from pathlib import Path

import pytest

from tests.surroundings import REPOSITORY
from worker.errors import ImpossibleSetting
from worker.settings.configuration import load_settings

CHART = REPOSITORY / "deploy" / "helm" / "bouncekeeper"
PAGES = [REPOSITORY / "docs" / "traces.md", REPOSITORY / "docs" / "kubernetes-values.md", CHART / "values.yaml"]


def processes() -> list[str]:
    schema = json.loads((CHART / "values.schema.json").read_text())
    files = schema["properties"]["secrets"]["properties"]["files"]
    names: list[str] = files["items"]["properties"]["processes"]["items"]["enum"]
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_give_a_key_to_every_process(page: Path) -> None:
    lists = re.findall(r"`processes: \[(.*?)\]`", page.read_text())
    assert lists
    assert all(one.split(", ") == processes() for one in lists)


def test_a_process_that_does_not_need_the_key_of_the_collector_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "bouncekeeper.toml"
    file.write_text(
        '[postgres]\nurl = "postgresql://db.example.org/keeper"\n'
        f'[traces]\nenabled = true\nheaders_file = "{tmp_path}/key"\n[sources.shop]\nsecrets_files = ["nowhere"]\n'
    )
    needs = ("postgres",)
    with pytest.raises(ImpossibleSetting, match=r"traces\.headers") as caught:
        load_settings(config_file=file, environment={}, overrides={}, needs=needs)
    assert "sources" not in str(caught.value)
    (tmp_path / "key").write_text("x-key=abc")
    assert load_settings(config_file=file, environment={}, overrides={}, needs=needs).traces.headers is not None
