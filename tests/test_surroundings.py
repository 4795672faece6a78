"""Where the tests are started from changes nothing: a folder with data, a configuration and variables of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.surroundings import REPOSITORY, left_behind


@pytest.mark.slow
def test_a_folder_with_data_and_a_shell_with_settings_change_no_test(tmp_path: Path) -> None:
    data = tmp_path / ".data"
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "password").write_text("left by `make run`")
    (data / "postgres" / "port").write_text("5433")
    for folder in (tmp_path, data):
        (folder / "bouncekeeper.toml").write_text("[receiver]\nprot = 1\n")
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "-p",
                "no:cacheprovider",
                "--config-file",
                str(REPOSITORY / "pyproject.toml"),
            ),
            *(
                str(REPOSITORY / "tests" / name)
                for name in ("settings/test_configuration.py", "commands/test_cli_sources.py")
            ),
        ],
        cwd=tmp_path,
        env={**os.environ, "BOUNCEKEEPER_RECEIVER_PORT": "none", "BOUNCEKEEPER_CONFIG": "nowhere.toml"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_what_a_test_leaves_behind_is_told_and_taken_away(tmp_path: Path) -> None:
    here = Path.cwd()
    (here / "left").mkdir()
    (here / "left" / "file").touch()
    os.environ["BOUNCEKEEPER_API_PORT"] = "1"
    os.chdir(tmp_path)
    assert left_behind(here) == [
        f"the current folder {tmp_path}",
        "the file or folder left",
        "the variable BOUNCEKEEPER_API_PORT",
    ]
    assert left_behind(here) == []
