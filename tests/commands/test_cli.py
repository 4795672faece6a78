"""The command line as a script meets it: words, exit codes, help."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.commands.readiness_server import readiness_server
from tests.commands.warm_start import run_command
from worker.cli import main
from worker.commands.catalogue import COMMANDS
from worker.commands.support.exit_code import EXIT_CODE_HELP, ExitCode

REPOSITORY = Path(__file__).resolve().parents[2]


def bouncekeeper(*words: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command with these variables, in this folder."""
    outcome = run_command(words, folder=folder, environment={**os.environ, **variables})
    return subprocess.CompletedProcess(words, outcome.status, outcome.output, outcome.errors)


def test_help_names_every_command_and_every_exit_code(tmp_path: Path) -> None:
    done = bouncekeeper("--help", folder=tmp_path)
    assert done.returncode == ExitCode.OK
    for name, entry in COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert entry.says in done.stdout
    assert EXIT_CODE_HELP in done.stdout
    for code in ExitCode:
        assert f"\n  {code.value:<4} " in EXIT_CODE_HELP


@pytest.mark.alone
def test_help_answers_at_once(tmp_path: Path) -> None:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "worker", "--help"], cwd=tmp_path, capture_output=True, check=True)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 0.2


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_teaches_with_an_example(name: str, tmp_path: Path) -> None:
    done = bouncekeeper(name, "--help", folder=tmp_path)
    assert done.returncode == ExitCode.OK, done.stderr
    assert f"bouncekeeper {name} " in done.stdout or f"bouncekeeper {name}\n" in done.stdout
    assert "example" in done.stdout


def test_every_exit_code_is_documented() -> None:
    page = (REPOSITORY / "docs" / "command-line.md").read_text()
    for code in ExitCode:
        assert f"| {code.value} |" in page
    for name in COMMANDS:
        assert f"`{name}" in page or f"`bouncekeeper {name}" in page, name


def test_a_misspelt_command_is_reported_with_what_was_meant(tmp_path: Path) -> None:
    done = bouncekeeper("reciever", folder=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "did you mean receiver?" in done.stderr


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_refuses_bytes_that_are_not_utf8(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, named in (
        (["x\udcff"], "argument 1 holds bytes that are not UTF-8"),
        (["a@b.example", "--account", "\udcff", "--json"], "argument 3 (after --account) holds bytes"),
        (["--account=\udcff"], "argument 1 (--account) holds bytes"),
    ):
        with pytest.raises(SystemExit) as ended:
            main([name, *words])
        assert ended.value.code == ExitCode.USAGE
        assert named in capsys.readouterr().err


def test_bytes_that_are_not_utf8_are_refused_as_a_shell_gives_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "campaign", b"\xff"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE
    assert b"argument 1 holds bytes that are not UTF-8" in done.stderr


@pytest.mark.parametrize(
    ("former", "name"), [("receive", "receiver"), ("work", "processor"), ("fetch-mail", "mailbox")]
)
def test_a_command_by_its_former_name_is_told_todays(
    former: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([former, "--config", "bouncekeeper.toml"]) == ExitCode.USAGE
    assert f"did you mean {name}?" in capsys.readouterr().err


def test_no_command_at_all_is_a_usage_error_with_help(tmp_path: Path) -> None:
    done = bouncekeeper(folder=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "examples:" in done.stdout


def test_an_impossible_configuration_ends_with_3_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "bouncekeeper.toml").write_text("[receiver]\nprot = 1\n")
    done = bouncekeeper("receiver", folder=tmp_path)
    assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
    assert "did you mean port?" in done.stderr
    assert "queue.url is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_says_which_file_was_read_or_where_one_was_looked_for(tmp_path: Path) -> None:
    done = bouncekeeper("check", "jane@example.org", folder=tmp_path)
    assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
    assert "postgres.url is missing" in done.stderr
    here, in_data = tmp_path / "bouncekeeper.toml", tmp_path / ".data" / "bouncekeeper.toml"
    assert f"there is no {here} or {in_data}. Name one with --config or BOUNCEKEEPER_CONFIG." in done.stderr
    in_data.parent.mkdir()
    in_data.write_text("[receiver]\nport = 0\n")
    assert f"The configuration file is {in_data}." in bouncekeeper("doctor", folder=tmp_path).stdout
    other = tmp_path / "other"
    said = bouncekeeper("check", "jane@example.org", "--data-directory", str(other), folder=tmp_path).stderr
    assert f"there is no {other / 'bouncekeeper.toml'}. Name one" in said


def test_errors_come_as_json_too(tmp_path: Path) -> None:
    done = bouncekeeper("check", "jane@example.org", "--json", folder=tmp_path)
    assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
    answer = json.loads(done.stdout)
    assert answer["kind"] == "ImpossibleSetting"
    assert "postgres.url is missing" in answer["error"]


def test_a_database_that_is_away_ends_with_4(tmp_path: Path) -> None:
    done = bouncekeeper(
        "check", "jane@example.org", folder=tmp_path, BOUNCEKEEPER_POSTGRES_URL="postgresql://me@127.0.0.1:1/none"
    )
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "Traceback" not in done.stderr


def test_the_doctor_tells_an_impossible_configuration_as_a_finding(tmp_path: Path) -> None:
    done = bouncekeeper("doctor", "--json", folder=tmp_path)
    assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["what"] == "configuration"
    assert finding["remedy"]


def test_the_doctor_names_all_that_is_away(tmp_path: Path) -> None:
    done = bouncekeeper(
        "doctor",
        "--json",
        folder=tmp_path,
        BOUNCEKEEPER_POSTGRES_URL="postgresql://me@127.0.0.1:1/none",
        BOUNCEKEEPER_QUEUE_URL="amqp://me:geheim@127.0.0.1:1/",
    )
    assert done.returncode == ExitCode.NO
    wrong = {finding["what"] for finding in json.loads(done.stdout)["findings"] if finding["level"] == "wrong"}
    assert {"postgres", "rabbitmq"} <= wrong
    assert "geheim" not in done.stdout + done.stderr


def test_the_doctor_asks_receiver_and_api_where_they_are_reached(tmp_path: Path) -> None:
    """As in a container, whose own loopback has neither, and whose /tmp holds no data."""
    with readiness_server() as elsewhere:
        done = bouncekeeper(
            "doctor",
            "--json",
            folder=tmp_path,
            BOUNCEKEEPER_POSTGRES_URL="postgresql://me@127.0.0.1:1/none",
            BOUNCEKEEPER_QUEUE_ADAPTER="postgres",
            BOUNCEKEEPER_RECEIVER_PORT="1",
            BOUNCEKEEPER_RECEIVER_REACHED_AT=elsewhere,
            BOUNCEKEEPER_API_REACHED_AT=elsewhere + "/",
            BOUNCEKEEPER_DATA_DIRECTORY=str(tmp_path),
        )
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}
    for what in ("receiver", "api"):
        assert (findings[what]["level"], findings[what]["detail"]) == ("well", f"ready at {elsewhere}")
    assert "disk" not in findings


def test_the_policy_in_force_can_be_loaded_again(tmp_path: Path) -> None:
    printed = bouncekeeper("policy", "show", "--toml", folder=tmp_path)
    assert printed.returncode == ExitCode.OK, printed.stderr
    (tmp_path / "bouncekeeper.toml").write_text(printed.stdout)
    again = bouncekeeper("policy", "show", "--json", folder=tmp_path)
    assert again.returncode == ExitCode.OK, again.stderr
    (tmp_path / "bouncekeeper.toml").unlink()
    assert json.loads(again.stdout) == json.loads(bouncekeeper("policy", "show", "--json", folder=tmp_path).stdout)


def test_a_healthcheck_of_nobody_ends_with_4(tmp_path: Path) -> None:
    assert bouncekeeper("healthcheck", "http://127.0.0.1:1/", folder=tmp_path).returncode == ExitCode.UNAVAILABLE
    assert bouncekeeper("healthcheck", "file:///etc/passwd", folder=tmp_path).returncode == ExitCode.USAGE


@pytest.mark.slow
def test_sources_without_a_receiver_cannot_be_tested(tmp_path: Path) -> None:
    (tmp_path / "bouncekeeper.toml").write_text(
        '[receiver]\nport = 1\n[sources.shop]\nprovider = "postmark"\nsecrets = ["me:a-long-password"]\n'
    )
    listed = bouncekeeper("sources", "list", "--json", folder=tmp_path)
    assert json.loads(listed.stdout)["sources"][0]["url"] == "http://127.0.0.1:1/webhooks/shop"
    assert "a-long-password" not in listed.stdout
    assert bouncekeeper("sources", "test", "--forged-only", folder=tmp_path).returncode == ExitCode.UNAVAILABLE
    assert bouncekeeper("sources", "test", "other", folder=tmp_path).returncode == ExitCode.NO


def test_the_list_says_how_each_source_proves_itself(tmp_path: Path) -> None:
    (tmp_path / "bouncekeeper.toml").write_text("""
[sources.first]
provider = "mailersend"
secrets = ["a-long-signing-secret-of-theirs", "another-signing-secret-of-theirs"]
allowed_addresses = ["192.0.2.0/24"]

[sources.second]
provider = "bouncekeeper"
authentication = "bearer"
secrets = ["a-long-text-of-our-own-making"]

[sources.third]
provider = "bouncekeeper"
authentication = "none"
""")
    listed = bouncekeeper("sources", "list", "--json", folder=tmp_path)
    assert {source["name"]: source["authentication"] for source in json.loads(listed.stdout)["sources"]} == {
        "first": "HMAC-SHA256 of the body; 2 secrets; from 192.0.2.0/24",
        "second": "bearer; 1 secret",
        "third": "OPEN: anybody may post",
    }
    assert "HMAC-SHA256 of the body; 2 secrets" in bouncekeeper("sources", "list", folder=tmp_path).stdout


def test_a_limit_below_one_is_a_usage_error(tmp_path: Path) -> None:
    done = bouncekeeper("dead-letters", "list", "--limit", "-3", folder=tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert "--limit: '-3' is not a whole number from 1 to 1000000" in done.stderr


def test_the_usage_shows_arguments_and_leaves_the_settings_to_the_list_below(tmp_path: Path) -> None:
    usage, rest = bouncekeeper("check", "--help", folder=tmp_path).stdout.split("\n\n", 1)
    assert "--for" in usage
    assert "--postgres-url-file" not in usage
    assert "--postgres-url-file" in rest
