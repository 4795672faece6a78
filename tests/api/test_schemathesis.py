"""What schemas/openapi.yaml promises is what a real API and a real receiver do, whatever Schemathesis thinks of asking.

It makes questions of the document, right ones and wrong ones, and compares each answer with what the document says of
it: https://schemathesis.readthedocs.io. The questions are the same each time; `--api-seed 2` makes others.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from schemas.vocabulary import Cause, Channel, Kind
from tests.api.conftest import TOKEN, Store
from tests.benchmarks.servers import REPOSITORY, Server
from tests.schemas.feedback_events import make_event
from worker.local_services.process import free_port

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 40  # of each operation
MOST_SECONDS = 300
WEBHOOKS = "/webhooks/{source}"
SOURCE = f"""
[sources.scripts]
provider = "bouncekeeper"
authentication = "bearer"
secrets = ["{TOKEN}"]

[unsubscribe]
secrets = ["{TOKEN}"]
url = "https://bounces.example.com"
"""

pytestmark = pytest.mark.slow


@pytest.fixture
async def servers(database_dsn: str, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """The URLs of an API and a receiver, as an operator starts them."""
    (tmp_path / "bouncekeeper.toml").write_text(SOURCE)
    ports = {"api": free_port(), "receiver": free_port()}
    environment = {
        "BOUNCEKEEPER_CONFIG": str(tmp_path / "bouncekeeper.toml"),
        "BOUNCEKEEPER_POSTGRES_URL": database_dsn,
        "BOUNCEKEEPER_QUEUE_ADAPTER": "postgres",
        "BOUNCEKEEPER_API_TOKENS": TOKEN,
        "BOUNCEKEEPER_API_PORT": str(ports["api"]),
        "BOUNCEKEEPER_RECEIVER_PORT": str(ports["receiver"]),
    }
    running = []
    try:
        for role, port in ports.items():
            command = [sys.executable, "-m", "worker", role]
            running.append(await Server.start(role, command, folder=tmp_path, ports=[port], environment=environment))
        yield {role: f"http://127.0.0.1:{port}" for role, port in ports.items()}
    finally:
        for server in running:
            await server.stop()


async def schemathesis(url: str, *options: str, folder: Path) -> tuple[int, str]:
    """Its exit status and what it printed; it works in the folder."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        f"--config-file={CONFIG}",
        "run",
        str(REPOSITORY / "schemas" / "openapi.yaml"),
        f"--url={url}",
        f"--header=Authorization: Bearer {TOKEN}",
        f"--max-examples={EXAMPLES}",
        "--phases=examples,coverage,fuzzing",
        "--checks=all",
        "--continue-on-failure",
        "--no-color",
        *options,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(MOST_SECONDS):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return process.returncode or 0, printed.decode()


async def test_the_api_answers_as_its_description_says(
    servers: dict[str, str], store: Store, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    gone = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, address="gone@example.org")
    await store(
        [
            gone,
            make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, address="full@example.org"),
            make_event(Kind.UNSUBSCRIBE, account="shop"),
            msgspec.structs.replace(gone, address="+491701234567", channel=Channel.SMS),
        ]
    )
    seed = f"--seed={pytestconfig.getoption('api_seed')}"
    status, printed = await schemathesis(servers["api"], f"--exclude-path={WEBHOOKS}", seed, folder=tmp_path)
    assert status == 0, printed
    assert "api.failed" not in (tmp_path / "api.log").read_text()


async def test_the_receiver_answers_scripts_as_its_description_says(
    servers: dict[str, str], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seed = f"--seed={pytestconfig.getoption('api_seed')}"
    # What is right beside a mistake is taken. A source has one of the ways of proof: what another lacks is no matter.
    without = "--exclude-checks=negative_data_rejection,ignored_auth"
    status, printed = await schemathesis(
        servers["receiver"], f"--include-path={WEBHOOKS}", without, seed, folder=tmp_path
    )
    assert status == 0, printed
    assert "webhook.failed" not in (tmp_path / "receiver.log").read_text()
