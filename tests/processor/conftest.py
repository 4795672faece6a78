"""What processors do, they do with the rights that they have in production."""

from pathlib import Path

import pytest

from tests.processor.rejecting_server import RejectingServer
from worker.local_services.postgres import EmbeddedPostgres
from worker.store.pool import WriterPool


@pytest.fixture
def pool(pool: WriterPool, processor_pool: WriterPool) -> WriterPool:  # noqa: ARG001 - the other one brings months
    """A pool as the processor opens it."""
    return processor_pool


@pytest.fixture
async def server(stoppable_postgres: EmbeddedPostgres, tmp_path: Path) -> RejectingServer:
    """A Postgres with a user who has the rights of receiver, processor and API."""
    made = RejectingServer(stoppable_postgres, tmp_path / "postgres")
    await made.make_user()
    return made
