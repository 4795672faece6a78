"""Whoever follows the pages word by word sees what they say: each shell snippet is run by a real shell."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import README, REPOSITORY, Snippet, pages, snippets, snippets_of
from tests.docs.reading_order import Reader, why_not_run
from worker.commands.catalogue import COMMANDS

PAGES_WITH_SHELL = [
    path for path in pages() if path != README and any(snippet.language == "sh" for snippet in snippets_of(path))
]


@pytest.fixture(scope="session")
def reader_of_the_readme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Somebody who has followed the README to its end, with the instance still running."""
    reader = Reader(tmp_path_factory.mktemp("reader"))
    try:
        follow(reader, README)
        yield reader
    finally:
        reader.stop()


def follow(reader: Reader, page: Path) -> None:
    for snippet in snippets_of(page):
        if snippet.language == "sh" and why_not_run(snippet) is None:
            reader.follow(snippet)


@pytest.mark.slow
def test_the_readme_does_what_it_says(reader_of_the_readme: Reader) -> None:
    assert reader_of_the_readme.is_running()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_SHELL, ids=lambda path: path.stem)
def test_each_page_does_what_it_says(page: Path, reader_of_the_readme: Reader) -> None:
    follow(reader_of_the_readme, page)


@pytest.mark.parametrize("snippet", snippets("sh"), ids=lambda snippet: snippet.place)
def test_what_a_snippet_names_exists(snippet: Snippet) -> None:
    subprocess.run(["bash", "-n", "-c", snippet.text], check=True, timeout=10)
    commands = re.sub(r"#.*", "", snippet.text)
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^\s*make ([a-z]+)", commands, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    for command in re.findall(r"\bbouncekeeper ([a-z][a-z-]*)", commands):
        assert command in COMMANDS or command in SERVICES, f"bouncekeeper {command}"
    for module in re.findall(r"python -m (tests[\w.]*)", commands):
        path = REPOSITORY / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    for path in re.findall(r"(?<![\w/.-])((?:deploy|docs|schemas|tests)/[\w./-]*\w)", commands):
        assert (REPOSITORY / path).exists() or path.startswith("deploy/secrets/"), path


# In `docker compose exec postgres pg_dump … bouncekeeper` the last word is a database.
SERVICES = set(yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"])


def test_services_that_pages_speak_to_are_in_the_compose_file() -> None:
    for snippet in snippets("sh"):
        for service in re.findall(r"docker compose exec (?:--\S+ )*(\w+)", snippet.text):
            assert service in SERVICES, f"{snippet.place}: {service}"
        for scaled in re.findall(r"--scale (\w+)=", snippet.text):
            assert scaled in SERVICES, f"{snippet.place}: {scaled}"
