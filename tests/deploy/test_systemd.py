"""The systemd units: systemd reads them, they give no right that is not needed, and the program starts with them."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession

from tests.docs.pages import REPOSITORY
from tests.process_roles import as_process
from tests.waiting import until
from worker.commands.catalogue import COMMANDS
from worker.local_services.process import free_port
from worker.settings.configuration import load_settings
from worker.settings.declarations import setting_declarations
from worker.settings.tree import ReceiverSettings

UNITS = sorted((REPOSITORY / "deploy" / "systemd").glob("*.service"))
INSTALLED = "/opt/bouncekeeper/.venv/bin/bouncekeeper"
PORTS = {
    "receiver": "BOUNCEKEEPER_RECEIVER_PORT",
    "processor": "BOUNCEKEEPER_PROCESSOR_PORT",
    "api": "BOUNCEKEEPER_API_PORT",
}
MOST_EXPOSURE = 20  # of 100: tenths of what `systemd-analyze security` prints
_PR_SET_MDWE, _PR_SET_NO_NEW_PRIVS = 65, 38

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def directives(unit: Path, name: str) -> list[str]:
    """Every value of the directive, in its order."""
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def command_of(unit: Path) -> str:
    (line,) = directives(unit, "ExecStart")
    program, command, *rest = line.split()
    assert program == INSTALLED
    assert rest == ["--config", "/etc/bouncekeeper/bouncekeeper.toml"]
    return command


def environment_of(unit: Path, credentials: Path) -> dict[str, str]:
    """The variables of the unit, with its credentials in that folder."""
    pairs = (line.split("=", 1) for line in directives(unit, "Environment"))
    return {name: value.replace("%d", str(credentials)).replace("%i", "1") for name, value in pairs}


def process_of(unit: Path) -> str:
    return unit.stem.removeprefix("bouncekeeper-").rstrip("@")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with the program of these tests in place of an installed one."""
    program = Path(sys.prefix) / "bin" / "bouncekeeper"
    folder = tmp_path / "units"
    folder.mkdir()
    for unit in (REPOSITORY / "deploy" / "systemd").iterdir():
        (folder / unit.name).write_text(unit.read_text().replace(INSTALLED, str(program)))
    return folder


def start_restricted(arguments: list[str | Path], environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    """The program as a unit lets it run, as far as that goes without systemd."""
    libc = ctypes.CDLL(None, use_errno=True)

    def restrict() -> None:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_MDWE, 1, 0, 0, 0)  # refused by kernels before 6.3, which then run without it
        os.umask(0o077)

    with log.open("wb") as file:
        return subprocess.Popen(
            [Path(sys.prefix) / "bin" / "bouncekeeper", *arguments],
            env=environment,
            stderr=file,
            stdout=file,
            preexec_fn=restrict,  # noqa: PLW1509 - no thread holds a lock that the child would need
        )


@needs_systemd
def test_systemd_has_nothing_to_say_about_them(units: Path) -> None:
    files = sorted(str(path) for path in units.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=process_of)
def test_a_service_is_hardly_exposed(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--no-pager", "--offline=yes", f"--threshold={MOST_EXPOSURE}", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_process_has_a_unit_and_all_have_the_same_rights() -> None:
    assert {process_of(unit) for unit in UNITS} == {"receiver", "processor", "api", "mailbox", "migrate"}
    rights = {unit.read_text().partition("# ── rights ──")[2].partition("\n\n")[0].strip() for unit in UNITS}
    assert len(rights) == 1
    assert "DynamicUser=yes" in rights.pop()


@pytest.mark.parametrize("unit", UNITS, ids=process_of)
def test_a_unit_names_a_command_and_settings_that_exist(unit: Path, tmp_path: Path) -> None:
    assert command_of(unit) == process_of(unit)
    assert command_of(unit) in COMMANDS
    for line in directives(unit, "LoadCredential"):
        name, _, source = line.partition(":")
        assert source == f"/etc/bouncekeeper/secrets/{name}"
        (tmp_path / name).write_text(f"{'amqp' if name == 'queue_url' else 'postgresql'}://user:pw@localhost/name")
    settings = load_settings(
        config_file=None, environment=environment_of(unit, tmp_path), overrides={}, needs={"postgres"}
    )
    assert settings.postgres.url.reveal().startswith("postgresql://")


@pytest.mark.parametrize("unit", UNITS, ids=process_of)
def test_no_secret_is_in_a_variable(unit: Path, tmp_path: Path) -> None:
    secret = {declaration.environment_name for declaration in setting_declarations() if declaration.secret}
    assert not secret & set(environment_of(unit, tmp_path))


@pytest.mark.parametrize("unit", [unit for unit in UNITS if process_of(unit) != "migrate"], ids=process_of)
def test_a_service_is_started_again_and_has_time_to_stop(unit: Path) -> None:
    assert directives(unit, "Restart") == ["on-failure"]
    assert directives(unit, "RestartPreventExitStatus") == ["2 3"]
    assert directives(unit, "SuccessExitStatus") == ["130"]
    assert directives(unit, "StartLimitIntervalSec") == ["0"]
    receiver = ReceiverSettings()
    (seconds,) = directives(unit, "TimeoutStopSec")
    assert int(seconds) > receiver.drain_seconds + receiver.answer_timeout_seconds


def test_receivers_start_without_the_database() -> None:
    """They have the broker; what needs a schema waits for the migration."""
    waits = {process_of(unit): "bouncekeeper-migrate.service" in directives(unit, "After")[0] for unit in UNITS}
    assert waits == {"receiver": False, "mailbox": False, "migrate": False, "processor": True, "api": True}


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux")
@pytest.mark.parametrize(
    "process",
    ["receiver", *(pytest.param(process, marks=pytest.mark.slow) for process in ("processor", "api"))],
)
async def test_the_program_runs_with_the_units_variables_and_no_memory_that_is_written_and_run(
    process: str, database_dsn: str, tmp_path: Path
) -> None:
    (unit,) = (unit for unit in UNITS if process_of(unit) == process)
    (tmp_path / "postgres_url").write_text(as_process(database_dsn, process))
    (tmp_path / "bouncekeeper.toml").write_text("")
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        **environment_of(unit, tmp_path),
        "BOUNCEKEEPER_QUEUE_ADAPTER": "postgres",
        "BOUNCEKEEPER_DATA_DIRECTORY": str(tmp_path),
        "BOUNCEKEEPER_API_TOKENS": "a-token-without-which-the-api-is-not-ready",
        PORTS[process]: str(port),
    }
    environment.pop("BOUNCEKEEPER_QUEUE_URL_FILE", None)
    running = start_restricted([process, "--config", tmp_path / "bouncekeeper.toml"], environment, tmp_path / "log")
    try:
        async with ClientSession() as session:

            async def is_ready() -> bool:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    return response.status == 200

            await until(
                is_ready, "readiness", seconds=30, not_yet=ClientConnectionError, show=(tmp_path / "log").read_text
            )
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=30) == 0, (tmp_path / "log").read_text()
    finally:
        running.kill()
        running.wait()
