"""`bouncekeeper stack`: the production topology of real processes, watched, on RabbitMQ; and the demo against it."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import wait_until
from worker.commands.support.exit_code import ExitCode
from worker.local_services.process import free_port
from worker.local_services.rabbitmq import URL_VARIABLE

pytestmark = pytest.mark.slow

RESTART_TIMEOUT_SECONDS = 30


class Stack:
    """A running `bouncekeeper stack --demo`."""

    def __init__(self, folder: Path, broker_url: str | None) -> None:
        self.folder = folder
        self.broker_url = broker_url  # of a broker that the tests were given; else the stack starts its own
        self.ports = (free_port(), free_port())
        self.log = folder / "log"
        self.output = folder / "output"
        with self.log.open("w") as log, self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker", "stack", "--demo", "--json", "--logs-format", "json"],
                cwd=folder,
                env=self.environment(),
                stdout=output,
                stderr=log,
            )

    def environment(self) -> dict[str, str]:
        receiver, api = self.ports
        return {
            **os.environ,
            **({URL_VARIABLE: self.broker_url} if self.broker_url else {}),
            "BOUNCEKEEPER_RECEIVER_PORT": str(receiver),
            "BOUNCEKEEPER_API_PORT": str(api),
        }

    def wait_for(self, text: str, *, times: int = 1, timeout_seconds: float = 90) -> None:
        def is_said() -> bool:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            return self.output.read_text().count(text) + self.log.read_text().count(text) >= times

        wait_until(
            is_said,
            f"{text} to be said",
            seconds=timeout_seconds,
            show=lambda: self.output.read_text()[-3000:] + self.log.read_text()[-3000:],
        )

    def children(self) -> dict[int, str]:
        """Process ids and command lines of the watched processes."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        rows = (line.strip().partition(" ") for line in listed.stdout.splitlines())
        return {int(pid): arguments for pid, _, arguments in rows if "-m worker" in arguments}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, given_broker_url: str | None) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("stack"), given_broker_url)
    try:
        running.wait_for('"ready":true')
        yield running
    finally:
        if running.process.poll() is None:
            running.process.terminate()
            running.process.wait(timeout=90)


def demo(stack: Stack, contacts: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "demo", "--json", "--contacts", str(contacts)],
        cwd=stack.folder,
        env={name: value for name, value in stack.environment().items() if name != URL_VARIABLE},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == ExitCode.OK, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_two_receivers_two_processors_and_the_api_take_a_day_of_feedback(stack: Stack) -> None:
    commands = [arguments.rpartition(" ")[2] for arguments in stack.children().values()]
    assert sorted(commands) == ["api", "processor", "processor", "receiver", "receiver"]
    result = demo(stack, 300)
    assert result["contacts"] == 300
    assert sum(result["statuses"].values()) == 300
    for status in ("blocklisted", "unsubscribed", "active"):
        assert result["statuses"][status] > 0
    assert 0 < result["may_be_mailed"] < result["may_be_mailed_transactional"] < 300
    assert any("does not exist" in str(example["steps"]) for example in result["examples"])


def test_a_process_that_is_killed_is_started_again(stack: Stack) -> None:
    before = stack.children()
    killed = next(pid for pid, arguments in before.items() if arguments.endswith("receiver"))
    os.kill(killed, signal.SIGKILL)
    stack.wait_for('"event":"process.restarted"', timeout_seconds=RESTART_TIMEOUT_SECONDS)

    def is_started_again() -> bool:
        children = stack.children()
        return len(children) >= len(before) and killed not in children

    wait_until(is_started_again, "another process in its place", seconds=RESTART_TIMEOUT_SECONDS, show=stack.children)
    assert demo(stack, 40)["contacts"] == 40


def test_a_command_beside_it_uses_its_broker_and_people_find_it(stack: Stack) -> None:
    data = stack.folder / ".data" / "demo"
    assert "adapter" not in (data / "bouncekeeper.toml").read_text()
    (ready,) = (json.loads(line) for line in stack.output.read_text().splitlines() if '"ready":true' in line)
    assert ready["queue"] == "rabbitmq"
    url_file = stack.folder / ready["broker_url_file"]
    assert stat.S_IMODE(url_file.stat().st_mode) == 0o600
    assert url_file.read_text().startswith("amqp://")
    done = subprocess.run(
        [sys.executable, "-m", "worker", "doctor", "--json", "--config", str(data / "bouncekeeper.toml")],
        cwd=stack.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    found = {(finding["what"], finding["detail"]) for finding in json.loads(done.stdout)["findings"]}
    assert any(what == "rabbitmq" and "processors connected: 2" in detail for what, detail in found), done.stdout
    assert ("receiver", f"ready at http://127.0.0.1:{stack.ports[0]}") in found
    assert url_file.read_text().strip().split("@")[0] not in done.stdout


def test_every_line_of_a_process_stands_behind_its_name(stack: Stack) -> None:
    stack.wait_for('"process.started"', times=5)
    lines = [line for line in stack.output.read_text().splitlines() if "│" in line]
    names = {line.partition("│")[0].strip() for line in lines}
    assert names == {"receiver-1", "receiver-2", "processor-1", "processor-2", "api"}
    json.loads(lines[0].partition("│")[2])


@pytest.mark.parametrize("words", [("--receivers", "0"), ("--processors", "none")])
def test_fewer_than_one_process_is_a_usage_error(words: tuple[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "stack", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE


def test_a_signal_ends_all_of_them_in_good_order(tmp_path: Path, given_broker_url: str | None) -> None:
    stack = Stack(tmp_path, given_broker_url)
    stack.wait_for('"process.started"', times=5)  # a processor that is stopped earlier has nothing to finish or to tell
    children = stack.children()
    assert len(children) == 5
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(timeout=90) == ExitCode.OK
    stopped = [line for line in stack.output.read_text().splitlines() if '"process.stopped"' in line]
    assert len(stopped) == 5
    for pid in children:
        assert not Path(f"/proc/{pid}").exists()
