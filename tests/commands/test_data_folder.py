"""A data folder that cannot be used: a sentence that says why and what to do, exit status 3, never a traceback."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.commands.data_folders import of_size, read_only
from worker.commands.support.exit_code import ExitCode
from worker.local_services.process import free_port

pytestmark = pytest.mark.slow


def bouncekeeper(*words: str) -> list[str]:
    return [sys.executable, "-m", "worker", *words]


def refusal(command: Sequence[str], folder: Path) -> str:
    """What it says when it ends with 3."""
    ports = {"BOUNCEKEEPER_RECEIVER_PORT": str(free_port()), "BOUNCEKEEPER_API_PORT": str(free_port())}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **ports}, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == ExitCode.IMPOSSIBLE_SETTING, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    *_, said = (line for line in done.stderr.splitlines() if line.startswith("bouncekeeper: "))
    return said


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A folder with a configuration, as a first run leaves it, and no Postgres yet."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "api-token").write_text("a-token-that-is-long-enough")
    (data / "bouncekeeper.toml").write_text('data_directory = "."\n[api]\ntokens_files = ["api-token"]\n')
    return data


@pytest.mark.parametrize("command", ["up", "stack"])
def test_a_read_only_folder_that_has_a_configuration_is_reported(
    command: str, configured: Path, tmp_path: Path
) -> None:
    said = refusal(read_only(configured, bouncekeeper(command, "--data-directory", "data")), tmp_path)
    assert f"the data folder {configured}" in said
    assert "mount it writable" in said or "let this user write to it" in said
    assert "choose another folder with --data-directory" in said


@pytest.mark.parametrize("words", [("up",), ("up", "--demo"), ("demo",)])
def test_a_read_only_folder_without_a_configuration_is_reported(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    said = refusal(read_only(tmp_path / "data", bouncekeeper(*words, "--data-directory", "data")), tmp_path)
    assert "the data folder data" in said
    assert "choose another folder with --data-directory" in said


@pytest.mark.parametrize("kilobytes", [4, 200, 20_000])
def test_a_folder_without_room_is_reported(kilobytes: int, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    said = refusal(of_size(kilobytes, tmp_path / "data", bouncekeeper("up", "--data-directory", "data")), tmp_path)
    assert "No space left on device" in said
    assert "--data-directory" in said


@pytest.mark.parametrize("words", [("up",), ("stack",), ("demo",), ("check", "jane@example.org")])
def test_a_file_in_its_place_is_reported(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert "move away the file" in refusal(bouncekeeper(*words, "--data-directory", "data"), tmp_path)


@pytest.mark.parametrize("words", [("up",), ("check", "jane@example.org")])
def test_a_file_in_the_place_of_the_database_is_reported(
    words: tuple[str, ...], configured: Path, tmp_path: Path
) -> None:
    (configured / "postgres").touch()
    assert "move away the file" in refusal(bouncekeeper(*words, "--data-directory", "data"), tmp_path)


def test_a_folder_in_the_place_of_a_file_is_reported(configured: Path, tmp_path: Path) -> None:
    (configured / "postgres" / "password").mkdir(parents=True)
    said = refusal(bouncekeeper("up", "--data-directory", "data"), tmp_path)
    assert f"because of {configured / 'postgres' / 'password'}" in said
    assert "move away the folder that is in place of a file" in said
