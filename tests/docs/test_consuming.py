"""The consumer of docs/consuming.md does what the page says, and schemas/asyncapi.yaml describes what is sent."""

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import aio_pika
import pytest
import yaml

from schemas.queue_topology import CONTACTS_EXCHANGE, EVERY_STATUS, status_routing_key
from schemas.vocabulary import Cause, Kind, Status
from tests.docs.pages import REPOSITORY, snippets_of
from tests.schemas.feedback_events import START, make_event
from tests.waiting import until
from worker.api.service import run_api
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.local_services.process import free_port
from worker.policy.policy_file import recommended_policy
from worker.processor.service import run_processor
from worker.settings.configuration import load_settings
from worker.settings.tree import Settings
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

PAGE = REPOSITORY / "docs" / "consuming.md"
TOKEN = "a-token-of-the-test-that-is-long"
RULES = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START)
DOCUMENT: dict[str, Any] = yaml.safe_load((files("schemas") / "asyncapi.yaml").read_text())


@pytest.fixture
def settings(database_dsn: str, rabbitmq_url: str) -> Settings:
    return load_settings(
        config_file=None,
        environment={},
        overrides={
            "postgres.url": database_dsn,
            "queue.url": rabbitmq_url,
            "queue.changes_queues": "crm",
            "processor.relay_every_seconds": "0.05",
            "api.port": str(free_port()),
            "api.tokens": TOKEN,
        },
    )


@pytest.fixture
async def running(settings: Settings) -> AsyncIterator[None]:
    """A processor and the API."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(run_processor(settings, stop)), asyncio.create_task(run_api(settings, stop))]
    yield
    stop.set()
    await asyncio.gather(*tasks)


@asynccontextmanager
async def consumer(settings: Settings, folder: Path) -> AsyncIterator[Process]:
    """The page's consumer, run as it stands."""
    (code,) = [snippet.text for snippet in snippets_of(PAGE) if snippet.language == "python"]
    assert len([line for line in code.splitlines() if line and not line.startswith(("import ", "from ", "#"))]) <= 30
    (folder / "consumer.py").write_text(code)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "consumer.py"),
        cwd=folder,
        env={
            **os.environ,
            "BOUNCEKEEPER_API": f"http://127.0.0.1:{settings.api.port}",
            "API_TOKEN": TOKEN,
            "BROKER_URL": settings.queue.url.reveal() if settings.queue.url else "",
        },
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def change(pool: WriterPool, kind: Kind, cause: Cause, address: str, day: float = 0) -> None:
    async with writing(pool) as connection:
        await apply_events(
            connection, [make_event(kind, cause=cause, address=address, day=day)], rules=RULES, now=START
        )


async def until_kept(folder: Path, process: Process, expected: dict[str, str]) -> None:
    """Waits until the consumer's table says this of whom not to mail."""
    kept: dict[str, str] = {}

    def is_kept() -> bool:
        nonlocal kept
        assert process.returncode is None, "the consumer has ended"
        with contextlib.closing(sqlite3.connect(folder / "suppressions.db")) as store:
            kept = dict(store.execute("SELECT address, blocks FROM contacts"))
        return kept == expected

    await until(is_kept, f"{expected} to be kept", not_yet=sqlite3.OperationalError, show=lambda: kept)


@pytest.mark.slow
@pytest.mark.usefixtures("running")
async def test_the_pages_consumer_knows_whom_not_to_mail(settings: Settings, pool: WriterPool, tmp_path: Path) -> None:
    await change(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, "before@example.org")
    await change(pool, Kind.UNSUBSCRIBE, Cause.NONE, "back@example.org")
    await until_queued(settings)
    async with consumer(settings, tmp_path) as process:
        await until_kept(tmp_path, process, {"before@example.org": "all", "back@example.org": "marketing"})
        await change(pool, Kind.RESUBSCRIBE, Cause.NONE, "back@example.org", day=1)
        await change(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, "live@example.org")
        live = {"before@example.org": "all", "back@example.org": "none", "live@example.org": "all"}
        await until_kept(tmp_path, process, live)
    await change(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, "away@example.org")
    async with consumer(settings, tmp_path) as process:
        await until_kept(tmp_path, process, {**live, "away@example.org": "all"})


async def until_queued(settings: Settings) -> None:
    """Waits for the processor to have declared the queue and published to it: nobody has consumed yet."""
    assert settings.queue.url is not None
    async with await aio_pika.connect(settings.queue.url.reveal()) as broker:

        async def are_queued() -> bool:
            channel = await broker.channel()
            queue = await channel.declare_queue("crm", passive=True)
            return queue.declaration_result.message_count == 2

        await until(are_queued, "two messages in the queue", not_yet=aio_pika.exceptions.ChannelNotFoundEntity)


def test_the_asyncapi_page_describes_the_exchange_and_every_routing_key() -> None:
    channel = DOCUMENT["channels"]["statusChanged"]
    exchange = channel["bindings"]["amqp"]["exchange"]
    assert (exchange["name"], exchange["type"], exchange["durable"]) == (CONTACTS_EXCHANGE, "topic", True)
    statuses = channel["parameters"]["status"]["enum"]
    assert statuses == [status.value for status in Status]
    for status in statuses:
        assert channel["address"].format(status=status) == status_routing_key(status)
        assert re.fullmatch(EVERY_STATUS.replace(".", r"\.").replace("#", ".+"), status_routing_key(status))


def looked_up(reference: str) -> Any:
    """What a $ref of the page leads to, in it or in a file beside it."""
    if not reference.startswith("#/"):
        return json.loads((files("schemas") / reference.removeprefix("./")).read_text())
    found: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_every_reference_of_the_asyncapi_page_leads_somewhere() -> None:
    assert all(looked_up(reference) for reference in references(DOCUMENT))
    for message in DOCUMENT["components"]["messages"].values():
        schema = looked_up(message["payload"]["schema"]["$ref"])
        assert schema["$id"] == "urn:bouncekeeper:schema:status-changed"
        assert message["payload"]["schemaFormat"].endswith("draft-2020-12")
        assert schema["$schema"].endswith("draft/2020-12/schema")
