"""`policy` and `jobs`: what waits, what it would change, and the job that follows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from worker.commands.support.exit_code import ExitCode

pytestmark = pytest.mark.slow

RECOMMENDED = '[policy]\npreset = "recommended"\n'
ESPS = '[policy]\npreset = "provider"\n'


@pytest.fixture
def configuration(tmp_path: Path, database_dsn: str) -> Path:
    """A configuration with the recommended policy, whose database has it in force."""
    file = tmp_path / "bouncekeeper.toml"
    write(file, database_dsn, RECOMMENDED)
    assert run("migrate", file).returncode == ExitCode.OK
    return file


def write(file: Path, dsn: str, policy: str) -> None:
    file.write_text(f'[queue]\nadapter = "postgres"\n[postgres]\nurl = "{dsn}"\n{policy}', encoding="utf-8")
    file.chmod(0o600)


def run(words: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "worker", *words.split(), "--config", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


def answer(words: str, file: Path) -> dict[str, object]:
    result: dict[str, object] = json.loads(run(f"{words} --json", file).stdout)
    return result


def test_a_changed_file_waits_and_doctor_says_what_to_do(configuration: Path, database_dsn: str) -> None:
    write(configuration, database_dsn, ESPS)
    assert run("migrate", configuration).returncode == ExitCode.OK

    listed = answer("policy list", configuration)
    assert listed["configuration_differs"]
    policies = listed["policies"]
    assert isinstance(policies, list)
    assert [(one["name"], one["state"]) for one in policies] == [("provider", "pending"), ("recommended", "active")]
    findings = answer("doctor", configuration)["findings"]
    assert isinstance(findings, list)
    (finding,) = [one for one in findings if one["what"] == "policy"]
    assert finding["level"] == "note"
    assert "policy apply --dry-run" in finding["remedy"]


def test_a_policy_is_looked_at_then_applied_and_its_job_can_be_cancelled(
    configuration: Path, database_dsn: str
) -> None:
    write(configuration, database_dsn, ESPS)
    seen = answer("policy apply --dry-run", configuration)
    assert (seen["policy"], seen["looked_at"]) == ("provider", 0)
    assert "none" not in run("policy apply --dry-run", configuration).stderr

    unasked = run("policy apply", configuration)
    assert unasked.returncode == ExitCode.IMPOSSIBLE_SETTING
    assert "--yes" in unasked.stderr

    applied = answer("policy apply --yes", configuration)
    assert (applied["policy_id"], applied["applied"]) == (2, True)
    again = answer("policy apply --yes", configuration)
    assert (again["applied"], again["job_id"]) == (False, applied["job_id"])

    job = f"{applied['job_id']}"
    assert "planned" in run(f"jobs show {job}", configuration).stdout
    assert run(f"jobs cancel {job}", configuration).returncode == ExitCode.OK
    assert answer(f"jobs show {job}", configuration)["job"]["cancelled_by"]  # type: ignore[index]
    assert run("jobs show 99", configuration).returncode == ExitCode.NO
    assert "provider" in run("policy show --id 2", configuration).stdout


def test_only_a_known_account_can_be_looked_at(configuration: Path) -> None:
    refused = run("policy apply --dry-run --account nobody", configuration)

    assert refused.returncode == ExitCode.NO
    assert "nobody" in refused.stderr
