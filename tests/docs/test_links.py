"""Every link in the pages leads somewhere: to a file, a heading, or a test that exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import README, REPOSITORY, Link, anchors_of, links_of, page_name, pages

LINKS = [link for path in pages() for link in links_of(path)]


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_a_link_leads_somewhere(page: Path) -> None:
    for link in links_of(page):
        require_target(link)


def require_target(link: Link) -> None:
    """A file of ours, and in it what the link names."""
    if link.target.startswith(("https://", "mailto:")):
        return
    assert "://" not in link.target, "only https"
    name, _, anchor = link.target.partition("#")
    file = (REPOSITORY / link.page).parent / name if name else REPOSITORY / link.page
    assert file.exists(), f"{link.page} links to {link.target}"
    assert file.resolve().is_relative_to(REPOSITORY)
    if line := re.fullmatch(r"L(\d+)", anchor):
        assert int(line[1]) <= len(file.read_text(encoding="utf-8").splitlines()), f"{link.page} links to {link.target}"
    elif anchor and file.suffix == ".md":
        assert anchor in anchors_of(file), f"{link.page} links to {link.target}"
    elif anchor:
        assert anchor in definitions_in(file), f"{link.page} links to {link.target}"


@cache
def definitions_in(file: Path) -> set[str]:
    """Functions and classes of a Python file, methods included."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, kinds)}


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = {README}, [README]
    while waiting:
        here = waiting.pop()
        for link in links_of(here):
            target = (here.parent / link.target.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.is_file() and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert reached >= set(pages())


def test_every_promise_names_a_test_that_keeps_it() -> None:
    (table,) = [part for part in README.read_text().split("\n## ") if part.startswith("Promises\n")]
    rows = [line for line in table.splitlines() if line.startswith("| **")]
    assert len(rows) == 7
    for row in rows:
        targets = [link.target for link in LINKS if link.page == "README.md" and f"({link.target})" in row]
        assert targets, row
        for target in targets:
            name, _, test = target.partition("#")
            assert name.startswith("tests/")
            assert test.startswith("test_")
