"""Each process opens the files of the secrets that it needs, and of no others: those may belong to another user."""

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from schemas.source import Secret
from tests.commands.readiness_server import readiness_server
from tests.surroundings import REPOSITORY
from tests.waiting import wait_until
from worker.commands.support.exit_code import ExitCode
from worker.local_services.process import free_port
from worker.samples.sendgrid import SendGridSamples
from worker.settings.configuration import load_settings
from worker.settings.configuration_file import CONFIG_VARIABLE

SECRETS = {
    "postgres": "",  # the database of the test
    "queue": "",  # its broker
    "api": "a-token-that-is-long-enough-for-anybody",
    "summary": "the password of the mail server",
    "unsubscribe": "0123456789abcdef0123456789abcdef0123456789abcdef",
    "traces": "x-key=abc",
    "source": next(secret.reveal() for secret in SendGridSamples().secrets_for_source()),
    "endpoint": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}
EVERYTHING = set(SECRETS)
NEEDS = {
    "receiver": {"postgres", "queue", "unsubscribe", "traces", "source"},
    "processor": {"postgres", "queue", "summary", "traces", "source", "endpoint"},
    "api": {"postgres", "api", "unsubscribe", "traces"},
    "mailbox": {"postgres", "queue", "traces", "source"},
    "stack": EVERYTHING,
    "up": EVERYTHING,
    "migrate": {"postgres"},
    "migrate --require-whole-configuration": EVERYTHING,
    "doctor": EVERYTHING,
    "check jane@example.org": {"postgres"},
    "tokens list": {"postgres"},
    "summary": {"postgres"},
    "summary --send": {"postgres", "summary"},
    "dead-letters list": {"postgres"},
    "dead-letters replay": {"postgres", "queue"},
    "endpoints list": {"postgres", "endpoint"},
    "sources list": {"source"},
    "unsubscribe-link jane@example.org": {"unsubscribe"},
}
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2
SERVICES = ("receiver", "processor", "api", "mailbox")
DOCTOR_LOOKS_AT = {"source shop", "receiver", "rabbitmq", "postgres", "schema", "api", "api tokens", "summary"}
DEPENDS_ON = {  # what doctor cannot look at without this file
    "postgres": {"postgres", "schema"},
    "queue": {"rabbitmq"},
    "api": {"api tokens"},
    "summary": {"summary"},
    "source": {"source shop"},
}

linux = pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux")


class Deployment:
    """A configuration whose secrets are all in files, run by a user who may read some of them."""

    def __init__(self, folder: Path, urls: Mapping[str, str]) -> None:
        self._folder = folder
        for name, secret in {**SECRETS, **urls}.items():
            (folder / name).write_text(secret)
        (folder / "bouncekeeper.toml").write_text(
            f'data_directory = "{folder}/data"\n[postgres]\nurl_file = "postgres"\n[queue]\nurl_file = "queue"\n'
            f'[receiver]\nport = {free_port()}\n[api]\nport = {free_port()}\ntokens_files = ["api"]\n'
            '[summary]\nsmtp_host = "127.0.0.1"\nsmtp_user = "keeper"\nsender = "keeper@example.org"\n'
            'smtp_password_file = "summary"\n[unsubscribe]\nurl = "https://b.example.org"\n'
            'secrets_files = ["unsubscribe"]\n[traces]\nheaders_file = "traces"\n'
            '[sources.shop]\nprovider = "sendgrid"\nsecrets_files = ["source"]\n'
            '[endpoints.crm]\nurl = "https://crm.example.org/changes"\nsecrets_files = ["endpoint"]\n'
        )

    def let_read(self, names: set[str]) -> None:
        """Takes all the other files away from everybody."""
        for name in SECRETS:
            (self._folder / name).chmod(0o444 if name in names else 0)

    def unreadable(self, output: str) -> set[str]:
        """The files that this message names as ones that may not be read."""
        return {name for name in SECRETS if f"names the file {self._folder / name}, which user " in output}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """The command, as a user whom the modes of files bind."""
        with (self._folder / "log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "worker", *words],
                cwd="/",
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(REPOSITORY),
                    CONFIG_VARIABLE: str(self._folder / "bouncekeeper.toml"),
                },
                stdout=log,
                stderr=log,
                text=True,
                preexec_fn=obey_modes,  # noqa: PLW1509 - no thread holds a lock that the child would need
            )

    def log(self) -> str:
        """What the command has written."""
        return (self._folder / "log").read_text()

    def findings(self) -> list[dict[str, str]]:
        """What `doctor --json` found; libraries may have written lines before."""
        found: list[dict[str, str]] = json.loads(self.log().splitlines()[-1])["findings"]
        return found


def obey_modes() -> None:
    """Root may read everything; so it loses the capabilities for that with the next program it runs.

    Another user than root might not be let into the folder of Python itself.
    """
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "a capability cannot be dropped")


def run_to_end(deployment: Deployment, words: list[str]) -> int:
    process = deployment.start(*words)
    try:
        return process.wait(timeout=60)
    finally:
        process.kill()
        process.wait()


@linux
@pytest.mark.parametrize("process", SERVICES)
async def test_a_process_works_though_it_may_not_read_the_secrets_of_others(
    process: str, tmp_path: Path, database_dsn: str, rabbitmq_url: str
) -> None:
    deployment = Deployment(tmp_path, {"postgres": database_dsn, "queue": rabbitmq_url})
    deployment.let_read(NEEDS[process])
    running = deployment.start(process)
    try:

        def has_started() -> bool:
            assert running.poll() is None, deployment.log()
            return "process.started" in deployment.log()

        await asyncio.to_thread(wait_until, has_started, f"the start of {process}", show=deployment.log)
        running.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(running.wait, 30) == 0, deployment.log()
    finally:
        running.kill()
        running.wait()
    assert '"level":"error"' not in deployment.log()


@linux
@pytest.mark.parametrize("command", NEEDS)
def test_a_command_opens_the_secrets_that_it_needs_and_no_others(command: str, tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, {"postgres": "postgresql://127.0.0.1:1/keeper", "queue": "amqp://127.0.0.1:1/"})
    deployment.let_read(set())
    status = run_to_end(deployment, command.split())
    expected = ExitCode.NO if command == "doctor" else ExitCode.IMPOSSIBLE_SETTING  # doctor looks at the rest
    assert (status, deployment.unreadable(deployment.log())) == (expected, NEEDS[command]), deployment.log()


@linux
@pytest.mark.parametrize("name", SECRETS)
async def test_doctor_reports_a_secret_file_that_it_cannot_read_and_looks_at_the_rest(
    name: str, tmp_path: Path, database_dsn: str, rabbitmq_url: str
) -> None:
    deployment = Deployment(tmp_path, {"postgres": database_dsn, "queue": rabbitmq_url})
    deployment.let_read(EVERYTHING - {name})
    status = await asyncio.to_thread(run_to_end, deployment, ["doctor", "--json"])
    findings = deployment.findings()
    assert status == ExitCode.NO
    (finding,) = (finding for finding in findings if finding["what"] == "secret file")
    assert deployment.unreadable(finding["detail"]) == {name}
    assert finding["level"] == "wrong"
    for service in SERVICES:
        assert (service in finding["remedy"]) == (name in NEEDS[service])
    rest = {finding["what"] for finding in findings} - {"secret file"}
    assert DOCTOR_LOOKS_AT - rest == DEPENDS_ON.get(name, set())


@linux
@pytest.mark.parametrize("ready", [True, False])
def test_nothing_is_wrong_with_a_file_that_only_doctor_cannot_read(*, ready: bool, tmp_path: Path) -> None:
    """The receiver and the API are ready, so they have read the secret of links."""
    deployment = Deployment(tmp_path, {"postgres": "postgresql://127.0.0.1:1/keeper", "queue": "amqp://127.0.0.1:1/"})
    deployment.let_read(EVERYTHING - {"unsubscribe"})
    with readiness_server(ready=ready) as url:
        run_to_end(deployment, ["doctor", "--json", "--receiver-reached-at", url, "--api-reached-at", url])
    (finding,) = (one for one in deployment.findings() if one["what"] == "secret file")
    assert finding["level"] == ("note" if ready else "wrong")
    assert "receiver and api" in finding["remedy"]


@linux
def test_doctor_reports_unreadable_files_beside_an_impossible_configuration(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, {"postgres": "postgresql://127.0.0.1:1/keeper", "queue": "amqp://127.0.0.1:1/"})
    deployment.let_read(EVERYTHING - {"summary", "endpoint"})
    status = run_to_end(deployment, ["doctor", "--json", "--summary-sender", "nobody"])
    *files, configuration = deployment.findings()
    assert status == ExitCode.IMPOSSIBLE_SETTING
    assert deployment.unreadable("".join(file["detail"] for file in files)) == {"summary", "endpoint"}
    assert "summary.sender is 'nobody'" in configuration["detail"]
    assert not deployment.unreadable(configuration["detail"])


def test_a_secret_that_was_not_declared_cannot_be_used(tmp_path: Path) -> None:
    """A command with wrong needs fails at once, and does not take the secret for an empty one."""
    (tmp_path / "password").write_text("the password")
    file = tmp_path / "bouncekeeper.toml"
    file.write_text('[summary]\nsmtp_password_file = "password"\n')
    password = load_settings(config_file=file, environment={}, overrides={}, needs=()).summary.smtp_password
    assert isinstance(password, Secret)
    with pytest.raises(RuntimeError, match=r"summary\.smtp_password was not read"):
        password.reveal()
    again = load_settings(config_file=file, environment={}, overrides={}, needs=("summary",)).summary.smtp_password
    assert again == Secret("the password")
