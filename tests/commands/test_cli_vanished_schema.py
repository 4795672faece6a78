"""A backup is restored, against all advice, into the Postgres of a running `up`: it lets go, waits, and goes on."""

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.commands.test_cli_up import Instance, bounce, wait_until_blocked
from tests.waiting import stays_meanwhile, wait_until
from worker.commands.support.demo_folder import demo_senders, source_name

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance(tmp_path_factory.mktemp("vanished"))
    instance.start()
    try:
        yield instance
    finally:
        if instance.process is not None:
            with contextlib.suppress(ProcessLookupError):
                instance.stop()


def post_bounce(instance: Instance, address: str) -> int:
    sender = demo_senders(instance.data)[0]
    (request,) = sender.requests([bounce(address)], now=datetime.now(UTC))
    return instance.post(source_name(sender), request)


def postgres(instance: Instance, *words: str) -> str:
    """What this program of Postgres prints about the instance's database."""
    config = str(instance.data / "bouncekeeper.toml")
    done = subprocess.run(
        [sys.executable, "-m", "worker", "postgres", "--config", config, *words],
        cwd=instance.folder,
        env=instance.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def log_lines(instance: Instance) -> str:
    return (instance.folder / "log").read_text()


def wait_for_line(instance: Instance, event: str, count: int) -> None:
    def is_logged() -> bool:
        assert instance.process is not None
        assert instance.process.poll() is None, f"up has ended: {log_lines(instance)[-3000:]}"
        return log_lines(instance).count(event) >= count

    wait_until(is_logged, f"a line of {event}", seconds=PATIENCE_SECONDS, show=lambda: log_lines(instance)[-3000:])


def http_status_of_check(instance: Instance) -> int:
    token = (instance.data / "api-token").read_text().strip()
    request = urllib.request.Request(
        f"http://127.0.0.1:{instance.ports[1]}/v1/check",
        data=json.dumps({"addresses": ["gone@example.org"]}).encode(),
        headers={"Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    "vanishing",
    [
        [["psql", "--command", "DROP SCHEMA public CASCADE", "--command", "CREATE SCHEMA public"]],
        [["dropdb", "--force", "bouncekeeper"], ["createdb", "bouncekeeper"]],
    ],
    ids=["tables", "database"],
)
def test_up_waits_for_a_schema_that_vanishes_and_touches_nothing_meanwhile(
    instance: Instance, vanishing: list[list[str]]
) -> None:
    before = log_lines(instance).count("schema.vanished ")
    assert post_bounce(instance, "gone@example.org") == 200
    wait_until_blocked(instance, "gone@example.org")
    saved = str(instance.folder / "bouncekeeper.dump")
    postgres(instance, "pg_dump", "--format", "custom", "--file", saved)

    for command in vanishing:
        postgres(instance, *command)
    wait_for_line(instance, "schema.vanished ", before + 1)

    def is_away_and_untouched() -> bool:
        assert post_bounce(instance, "again@example.org") == 503
        assert http_status_of_check(instance) == 503
        tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        return postgres(instance, "psql", "--tuples-only", "--no-align", "--command", tables) == "0\n"

    stays_meanwhile(is_away_and_untouched, "there is no table", seconds=3)

    postgres(instance, "pg_restore", "--exit-on-error", "--no-owner", "--dbname", "bouncekeeper", saved)
    wait_for_line(instance, "schema.returned ", before + 1)
    wait_until_blocked(instance, "gone@example.org")
    taken = "webhooks to be accepted again"
    wait_until(lambda: post_bounce(instance, "again@example.org") == 200, taken, seconds=PATIENCE_SECONDS)
    wait_until_blocked(instance, "again@example.org")
    assert http_status_of_check(instance) == 200
