"""A file without an address, given to each command that takes one: it says so."""

import json
from pathlib import Path

import pytest

from tests.commands.shell import Shell
from worker.commands.support.exit_code import ExitCode

DECIDING = [
    ["lift", "--reason", "a test"],
    ["block", "--reason", "a test"],
    ["unsubscribe", "--reason", "a test"],
    ["decline", "--reason", "a test"],
    ["do-not-contact", "--reason", "a test"],
    ["opt-in", "--source", "a fair"],
    ["recheck"],
    ["safelist", "request", "--reason", "a test"],
]


@pytest.fixture(params=["", "\ufeff", "\n \n"], ids=["nothing", "a mark", "blank lines"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The name of a file without an address."""
    file = tmp_path / "empty.txt"
    file.write_text(request.param)
    return str(file)


async def test_a_command_that_decides_is_used_wrongly_with_a_file_without_an_address(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "empty.txt"
    file.write_text("\n")
    for words in DECIDING:
        done = await shell.run(*words, "--file", str(file))
        assert (done.status, done.output) == (ExitCode.USAGE, ""), words
        assert done.errors == f"bouncekeeper: {file} holds no address: write one a line\n"


async def test_beside_a_named_address_it_is_told_and_the_address_is_decided_about(shell: Shell, empty: str) -> None:
    done = await shell.run("lift", "jane@example.org", "--reason", "a test", "--file", empty, "--account", "shop-eu")
    assert f"bouncekeeper: {empty} holds no address\n" in done.errors
    assert "jane@example.org" in done.output


async def test_check_and_add_say_which_file_holds_no_address(shell: Shell, empty: str) -> None:
    for command in ("check", "add"):
        done = await shell.run(command, empty, "--account", "shop-eu")
        assert done.status == ExitCode.OK
        assert f"bouncekeeper: {empty} holds no address\n" in done.errors, command


async def test_so_does_a_table_that_has_nothing_but_a_header(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "header.csv"
    file.write_text("name,email\n")
    done = await shell.run("check", str(file), "--account", "shop-eu")
    assert f"bouncekeeper: {file} holds no address\n" in done.errors
    done = await shell.run("check", str(file), "--account", "shop-eu", "--json")
    assert json.loads(done.errors)["without_address"] == [str(file)]


async def test_a_file_in_another_encoding_spoils_its_own_lines_alone(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes("jane@example.org\nmüller@example.org\n".encode("latin-1"))
    done = await shell.run("block", "--reason", "a test", "--file", str(file), "--account", "shop-eu")
    assert (done.status, "Traceback" in done.errors) == (ExitCode.NO, False)
    assert "blocked: 1, skipped: 1" in done.output


async def test_a_file_that_cannot_be_read_is_told(shell: Shell, tmp_path: Path) -> None:
    for name in (str(tmp_path), str(tmp_path / "nowhere.txt")):
        done = await shell.run("recheck", "--file", name)
        assert (done.status, "Traceback" in done.errors) == (ExitCode.IMPOSSIBLE_SETTING, False)
        assert f"bouncekeeper: {name} cannot be read: " in done.errors
