"""A file without an address, given to each command that takes one: it says so."""

from asyncio.subprocess import PIPE
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

SECRETS = """
[unsubscribe]
secrets = ["a-secret-of-thirty-two-characters"]
url = "https://bounces.example.com"
[sources.reports]
provider = "mail"
secrets = ["mta:a-long-password-of-your-own"]
token_secrets = ["a-key-of-thirty-two-characters-!"]
"""


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


async def test_so_it_is_beside_a_named_address_about_which_nothing_is_decided(shell: Shell, empty: str) -> None:
    done = await shell.run("block", "zoe@example.org", "--reason", "a test", "--file", empty, "--account", "shop-eu")
    assert (done.status, done.output) == (ExitCode.USAGE, "")
    assert (await shell.run("check", "zoe@example.org", "--account", "shop-eu")).status == ExitCode.OK


@pytest.mark.parametrize("command", ["check", "add"])
async def test_a_table_without_an_address_is_a_mistake_to_check_and_to_add(
    shell: Shell, empty: str, tmp_path: Path, command: str
) -> None:
    header = tmp_path / "header.csv"
    header.write_text("name,email\n\n")
    sound = tmp_path / "sound.csv"
    sound.write_text("name,email\nJane,jane@example.org\n")
    output = tmp_path / "checked.tsv"
    for files in ([empty], [str(header)], [str(sound), empty], ["jane@example.org", str(header)]):
        words = ["--output", str(output)] if command == "check" else []
        done = await shell.run(command, *files, *words, "--account", "shop-eu")
        assert (done.status, done.output) == (ExitCode.USAGE, ""), files
        assert done.errors == f"bouncekeeper: {files[-1]} holds no address: write one a line\n"
        assert not output.exists()


@pytest.mark.parametrize("command", ["check", "add", "lift", "unsubscribe-link", "mail-token"])
async def test_so_is_standard_input_without_an_address(shell: Shell, tmp_path: Path, command: str) -> None:
    if command in {"unsubscribe-link", "mail-token"}:
        (tmp_path / "bouncekeeper.toml").write_text(SECRETS)
    words = ["--reason", "a test", "--file", "-"] if command == "lift" else ["-"]
    process = await shell.start(command, *words, stdin=PIPE)
    output, errors = await process.communicate(b"\n \n")
    assert (process.returncode, output) == (ExitCode.USAGE, b"")
    assert errors == b"bouncekeeper: standard input holds no address: write one a line\n"


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
