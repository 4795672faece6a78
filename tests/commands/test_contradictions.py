"""A contradiction is refused by the process that needs its section, and by the commands that check all sections."""

import os
from pathlib import Path

import pytest

from tests.commands.warm_start import run_command
from worker.commands.support.exit_code import ExitCode

WHOLE = ("migrate --require-whole-configuration --dry-run", "doctor")


@pytest.mark.parametrize(
    ("process", "setting", "told"),
    [
        ("processor", '[summary]\nsmtp_host = "mail.example.org"\n', "summary.sender is ''"),
        ("processor", '[summary]\nsmtp_user = "keeper"\n', "summary.smtp_password is missing"),
        ("api", '[recheck]\nfrees = ["bad_weather"]\n', "recheck.frees holds 'bad_weather'"),
        ("api", '[recheck]\nnameservers = ["dns.example.org"]\n', "recheck.nameservers holds 'dns.example.org'"),
    ],
)
def test_a_contradiction_is_named_by_its_process_and_beforehand(
    process: str, setting: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "bouncekeeper.toml").write_text(
        f'[postgres]\nurl = "postgresql://127.0.0.1:1/keeper"\n[queue]\nadapter = "postgres"\n{setting}'
    )
    for command in (process, *WHOLE):
        outcome = run_command(tuple(command.split()), folder=tmp_path, environment=dict(os.environ))
        assert outcome.status == ExitCode.IMPOSSIBLE_SETTING, command
        assert told in outcome.output + outcome.errors, command
