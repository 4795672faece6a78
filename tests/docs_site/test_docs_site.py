"""The site is built without a warning by both programs that can build it, and holds every page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.docs_site.navigation import SECTIONS, unplaced
from tests.docs.pages import REPOSITORY

DOCS = REPOSITORY / "docs"
# What a page would load from elsewhere.
_LOADED = re.compile(r"""<(?:script|img|link rel="(?:stylesheet|preload|icon)")[^>]*\b(?:src|href)="?(?:https?:)?//""")


def test_every_page_has_its_place() -> None:
    assert unplaced(DOCS) == []


def test_every_place_has_its_page() -> None:
    names = [name for section in SECTIONS.values() for name in section]
    assert len(names) == len(set(names))
    assert [name for name in names if name not in {"index", "providers"} and not (DOCS / f"{name}.md").exists()] == []


@pytest.mark.slow
@pytest.mark.parametrize("builder", ["mkdocs", "zensical"])
def test_the_site_is_built_without_a_warning(builder: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "deploy.docs_site", tmp_path], cwd=REPOSITORY, check=True, timeout=60)
    built = subprocess.run(
        [Path(sys.executable).with_name(builder), "build", "--strict"],
        cwd=tmp_path,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = {path.relative_to(tmp_path / "pages") for path in (tmp_path / "pages").rglob("*.md")}
    assert len(pages) == 1 + len(list(DOCS.rglob("*.md")))
    for page in pages:
        html = tmp_path / "site" / page.with_name("index.html" if page.name == "README.md" else f"{page.stem}.html")
        text = html.read_text(encoding="utf-8")
        assert _LOADED.search(text) is None, html
    assert any((tmp_path / "site").rglob("search*.json"))
