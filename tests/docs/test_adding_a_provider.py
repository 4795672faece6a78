"""The provider that docs/adding-a-provider.md builds is built here as the page says, and its tests are run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY, snippets, snippets_of

pytestmark = pytest.mark.slow

PAGE = REPOSITORY / "docs" / "adding-a-provider.md"
LINES = {"worker/providers/registry.py": "vendors.pigeon", "worker/samples/registry.py": "pigeon"}


def test_all_python_of_the_pages_is_run_by_a_test() -> None:
    run_elsewhere = {"docs/consuming.md", "docs/unsubscribe.md"}
    assert {snippet.page for snippet in snippets("python")} == {"docs/adding-a-provider.md", *run_elsewhere}


def test_the_provider_of_the_page_keeps_the_suite(tmp_path: Path) -> None:
    for name in ("worker", "schemas", "tests"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    built = []
    for snippet in snippets_of(PAGE):
        if snippet.language == "python":
            named = re.match(r"# ((?:worker|tests)/[\w/]+\.py)\n", snippet.text)
            assert named, f"{snippet.place}: the first line names no file"
            (tmp_path / named[1]).write_text(snippet.text.removeprefix(named[0]))
            built.append(named[1])
    for name, line in LINES.items():
        registry = tmp_path / name
        registry.write_text(registry.read_text().replace("_MODULES = (\n", f'_MODULES = (\n    "{line}",\n'))
    assert built == [
        "worker/providers/vendors/pigeon.py",
        "worker/samples/pigeon.py",
        "tests/providers/vendors/test_pigeon.py",
    ]
    run = [sys.executable, "-m"]
    linted = [[*run, "ruff", "check", *built], [*run, "ruff", "format", "--check", *built]]
    tested = [
        *run,
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/providers/vendors/test_pigeon.py",
        "tests/providers/test_registry.py",
    ]
    for command in (*linted, tested):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
