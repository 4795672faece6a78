"""`bouncekeeper up` as a newcomer meets it: real processes, real HTTP, real signatures, data that survive."""

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from schemas.vocabulary import Cause, Kind
from tests.waiting import wait_until
from worker.commands.support.demo_folder import demo_senders, source_name
from worker.commands.support.exit_code import ExitCode
from worker.local_services.process import free_port
from worker.providers.webhook_request import WebhookRequest
from worker.samples.sample import SampleEvent

pytestmark = pytest.mark.slow

START_TIMEOUT_SECONDS = 60
EFFECT_TIMEOUT_SECONDS = 30


class Instance:
    """A running `bouncekeeper up --demo` in a folder of its own."""

    words: ClassVar[tuple[str, ...]] = ("up", "--demo", "--json")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / ".data" / "demo"
        self.ports = (free_port(), free_port())
        self.process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    def environment(self) -> dict[str, str]:
        receiver, api = self.ports
        return {
            **os.environ,
            "BOUNCEKEEPER_RECEIVER_PORT": str(receiver),
            "BOUNCEKEEPER_API_PORT": str(api),
        }

    def start(self) -> None:
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker", *self.words],
                cwd=self.folder,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "log").read_text()
        self.ready = json.loads(line)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return status

    def run(self, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "worker", *words, "--config", str(self.data / "bouncekeeper.toml")],
            cwd=self.folder,
            env={**self.environment(), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def post(self, source: str, request: WebhookRequest) -> int:
        return post(self.ready["sources"][source], request.body, request.headers)[0]


def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """The status and body of the answer to this POST, whatever they are."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310 - our own instance
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310 - as above
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance(tmp_path_factory.mktemp("up"))
    instance.start()
    try:
        yield instance
    finally:
        if instance.process is not None:
            with contextlib.suppress(ProcessLookupError):
                instance.stop()


def bounce(address: str) -> SampleEvent:
    return SampleEvent(
        address=address,
        kind=Kind.HARD_BOUNCE,
        occurred_at=datetime.now(UTC) - timedelta(minutes=5),
        message_id=f"message-of-{address}",
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        smtp_code=550,
        enhanced_status="5.1.1",
        diagnostic="550 5.1.1 no such user here",
    )


def wait_until_blocked(instance: Instance, address: str) -> dict[str, Any]:
    def blocked() -> dict[str, Any] | None:
        done = instance.run("check", address, "--json")
        assert done.returncode in {ExitCode.OK, ExitCode.NO}, done.stderr
        (result,) = json.loads(done.stdout)["results"]
        assert result["allowed"] is (done.returncode == ExitCode.OK)
        return None if result["allowed"] else result

    log = instance.folder / "log"
    found = wait_until(
        blocked, f"{address} to be blocked", seconds=EFFECT_TIMEOUT_SECONDS, show=lambda: log.read_text()[-3000:]
    )
    assert found is not None
    return found


@pytest.mark.parametrize("number", range(4))
def test_a_signed_hard_bounce_of_each_esp_blocks_its_address(instance: Instance, number: int) -> None:
    sender = demo_senders(instance.data)[number]
    address = f"gone.{sender.provider}@example.org"
    for request in sender.requests([bounce(address)], now=datetime.now(UTC)):
        assert instance.post(source_name(sender), request) == 200
    result = wait_until_blocked(instance, address)
    assert result["status"] == "blocklisted"
    assert result["reason"] == "mailbox_does_not_exist"


def test_explain_tells_the_servers_own_words(instance: Instance) -> None:
    sender = demo_senders(instance.data)[1]
    for request in sender.requests([bounce("explained@example.org")], now=datetime.now(UTC)):
        assert instance.post(source_name(sender), request) == 200
    wait_until_blocked(instance, "explained@example.org")
    told = instance.run("explain", "explained@example.org")
    assert told.returncode == ExitCode.NO
    assert "no such user here" in told.stdout
    assert "blocklisted" in told.stdout
    document = json.loads(instance.run("explain", "explained@example.org", "--json").stdout)
    assert document["contact"]["status"] == "blocklisted"
    assert "no such user here" in document["explanation"]["steps"][0]["event"]["diagnostic"]
    assert instance.run("explain", "explained@example.org", "--all").stdout == told.stdout
    assert instance.run("explain", "nobody@example.org").returncode == ExitCode.NO


def test_who_is_known_in_another_account_only_is_not_said_to_be_unknown(instance: Instance) -> None:
    sender = demo_senders(instance.data)[0]
    for request in sender.requests([bounce("tenant@example.org")], now=datetime.now(UTC)):
        assert instance.post(source_name(sender), request) == 200
    wait_until_blocked(instance, "tenant@example.org")

    named = {"BOUNCEKEEPER_API_ACCOUNTS": "shop-*"}
    told = instance.run("explain", "tenant@example.org", "--account", "shop-7", **named)
    assert (told.returncode, told.stdout) == (
        ExitCode.NO,
        "tenant@example.org is not known in account shop-7, but in default: name that account with --account\n",
    )
    assert "nobody ever reported" in instance.run("explain", "nobody@example.org").stdout


@pytest.mark.parametrize("command", ["check", "explain"])
def test_asking_about_a_misspelt_account_is_told_so_and_never_yes(instance: Instance, command: str) -> None:
    told = instance.run(command, "jane@example.org", "--account", "defualt")
    assert (told.returncode, told.stdout) == (ExitCode.NO, "")
    assert "There is no account 'defualt'. Did you mean 'default'?" in told.stderr
    told = instance.run(command, "jane@example.org", "--account", "nosuch", "--json")
    assert told.returncode == ExitCode.NO
    assert "Known are 'default'." in json.loads(told.stdout)["error"]


def test_a_forged_webhook_is_refused_and_blocks_nobody(instance: Instance) -> None:
    for sender in demo_senders(instance.data):
        (request,) = type(sender)().requests([bounce("victim@example.org")], now=datetime.now(UTC))
        assert instance.post(source_name(sender), request) in {401, 403, 406}, sender.provider
    assert instance.run("check", "victim@example.org").returncode == ExitCode.OK


def test_sources_and_doctor_find_everything_well(instance: Instance) -> None:
    tested = instance.run("sources", "test", "--json")
    assert tested.returncode == ExitCode.OK, tested.stdout
    for source in json.loads(tested.stdout)["sources"]:
        forged, sent, stored, status = (step["step"] for step in source["steps"])
        assert (forged, stored, status) == ("forged webhook", "event", "status")
        # Of what these two verify, only they themselves have the key to sign.
        assert (sent == "sample") == (source["name"] in {"amazon-ses", "sendgrid"}), source
        assert source["steps"][-1]["outcome"].startswith(
            f"sample-of-{source['name']}@bouncekeeper.invalid is blocklisted"
        )
    doctor = instance.run("doctor", "--json")
    assert doctor.returncode == ExitCode.OK, doctor.stdout


def test_a_payload_that_nobody_can_read_waits_as_a_dead_letter(instance: Instance) -> None:
    postmark = demo_senders(instance.data)[3]
    (request,) = postmark.requests([bounce("letter@example.org")], now=datetime.now(UTC))
    broken = WebhookRequest(
        method="POST",
        path=request.path,
        query={},
        headers=request.headers,
        body=b'{"RecordType": ',
        remote_address=request.remote_address,
    )
    assert instance.post("postmark", broken) == 200

    def listed() -> str:
        done = instance.run("dead-letters", "list", "--json")
        return done.stdout if done.returncode == ExitCode.NO else ""

    (letter,) = json.loads(wait_until(listed, "the dead letter", seconds=EFFECT_TIMEOUT_SECONDS))["dead_letters"]
    number = str(letter["id"])
    assert json.loads(instance.run("dead-letters", "show", number, "--json").stdout)["body"] == '{"RecordType": '
    assert instance.run("dead-letters", "replay", number, "--dry-run").returncode == ExitCode.OK
    assert instance.run("dead-letters", "discard", number, "--note", "a test", "--dry-run").returncode == ExitCode.OK
    assert instance.run("dead-letters", "list").returncode == ExitCode.NO
    assert instance.run("dead-letters", "discard", number, "--note", "a test").returncode == ExitCode.OK
    assert instance.run("dead-letters", "list").returncode == ExitCode.OK
    assert instance.run("dead-letters", "show", "999999").returncode == ExitCode.NO


def test_what_is_made_on_the_first_run_is_for_the_owner_alone(instance: Instance) -> None:
    for name in ("bouncekeeper.toml", "api-token", "seed", "sns-key.pem"):
        assert stat.S_IMODE((instance.data / name).stat().st_mode) == 0o600, name


def test_the_api_answers_whoever_has_the_token_and_nobody_else(instance: Instance) -> None:
    token = (instance.data / "api-token").read_text().strip()
    url = f"{instance.ready['api']}/v1/check"
    asked = json.dumps({"addresses": ["somebody@example.org"]}).encode()
    headers = {"Content-Type": "application/json"}
    assert post(url, asked, headers)[0] == 401
    headers["Authorization"] = f"Bearer {token}"
    status, answer = post(url, asked, headers)
    assert status == 200
    assert json.loads(answer)["allowed"] == 1


def test_the_data_survive_a_stop_and_a_crash(instance: Instance) -> None:
    sender = demo_senders(instance.data)[2]
    for request in sender.requests([bounce("kept@example.org")], now=datetime.now(UTC)):
        assert instance.post(source_name(sender), request) == 200
    # Asked to stop right after the 2xx: what was accepted is in effect after the next start.
    assert instance.stop(signal.SIGTERM) == ExitCode.OK
    instance.start()
    assert wait_until_blocked(instance, "kept@example.org")["status"] == "blocklisted"
    for request in sender.requests([bounce("crashed@example.org")], now=datetime.now(UTC)):
        assert instance.post(source_name(sender), request) == 200
    assert instance.stop(signal.SIGKILL) == -signal.SIGKILL
    instance.start()
    assert wait_until_blocked(instance, "crashed@example.org")["status"] == "blocklisted"


def test_a_second_instance_on_the_same_ports_is_refused(instance: Instance, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "up", "--json"],
        cwd=tmp_path,
        env=instance.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
    assert "choose another port with --receiver-port" in done.stderr


def test_a_port_that_is_taken_is_told_without_a_traceback(instance: Instance, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "api"],
        cwd=tmp_path,
        env={
            **instance.environment(),
            "BOUNCEKEEPER_QUEUE_ADAPTER": "postgres",
            "BOUNCEKEEPER_POSTGRES_URL": "postgresql://me@127.0.0.1:1/none",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
    assert "choose another port" in done.stderr
    assert "Traceback" not in done.stderr
