"""`unsubscribe-link` as a sender types it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.source import Secret
from tests.commands.test_cli import REPOSITORY, bouncekeeper
from worker.commands.support.exit_code import ExitCode
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink

SECRET = "a-secret-of-thirty-two-characters"
SETTINGS = f"""
[unsubscribe]
secrets = ["{SECRET}"]
url = "https://bounces.example.com"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bouncekeeper.toml").write_text(SETTINGS)
    return tmp_path


def test_it_prints_the_header_fields_ready_to_paste(folder: Path) -> None:
    done = bouncekeeper("unsubscribe-link", "jane@example.org", "--list", "newsletter", folder=folder)
    assert done.returncode == ExitCode.OK, done.stderr
    token = UnsubscribeKeys([Secret(SECRET)]).make(UnsubscribeLink(address="jane@example.org", list="newsletter"))
    assert done.stdout.splitlines() == [
        "jane@example.org",
        f"List-Unsubscribe: <https://bounces.example.com/u/{token}>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    ]


def test_many_addresses_come_from_standard_input_and_one_that_is_none_is_told(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "unsubscribe-link", "-", "--json", "--account", "shop-7"],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY)},
        input="jane@example.org\n\nnobody\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.NO, done.stderr
    jane, nobody = [json.loads(line) for line in done.stdout.splitlines()]
    assert nobody == {"address": "nobody", "problem": "this is not an address"}
    token = jane["url"].removeprefix("https://bounces.example.com/u/")
    assert UnsubscribeKeys([Secret(SECRET)]).read(token) == UnsubscribeLink(
        address="jane@example.org", account="shop-7"
    )


def test_bytes_that_are_no_text_are_a_mistake_on_the_command_line(folder: Path) -> None:
    done = bouncekeeper("unsubscribe-link", "jane@example.org", "--list", "news\udcff", folder=folder)
    assert done.returncode == ExitCode.USAGE
    assert "bytes that are not UTF-8" in done.stderr


def test_without_a_secret_it_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "bouncekeeper.toml").write_text("")
    done = bouncekeeper("unsubscribe-link", "jane@example.org", folder=tmp_path)
    assert done.returncode == ExitCode.IMPOSSIBLE_SETTING, done.stderr
    assert "unsubscribe.secrets is missing" in done.stderr
