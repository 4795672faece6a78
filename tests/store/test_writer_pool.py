"""What writes contacts takes only sessions that can: another pool's are refused by mypy before they fail in a batch."""

from collections.abc import Callable
from typing import Any, get_type_hints

import pytest

from worker.contacts.applying import apply_events
from worker.contacts.sweep import sweep
from worker.errors import SchemaOutOfDate
from worker.processor.batch import BatchWriter
from worker.store import contact_rows
from worker.store.pool import WriterConnection, WriterPool
from worker.store.writer_pool import open_writer_pool, writing


@pytest.mark.parametrize(
    ("function", "parameter", "expected"),
    [
        (contact_rows.insert_contacts, "connection", WriterConnection),
        (contact_rows.update_contacts, "connection", WriterConnection),
        (contact_rows.write_signs_of_life, "connection", WriterConnection),
        (apply_events, "connection", WriterConnection),
        (BatchWriter.__init__, "pool", WriterPool),
        (sweep, "pool", WriterPool),
    ],
)
def test_what_writes_contacts_has_the_type_of_a_writer(
    function: Callable[..., Any], parameter: str, expected: object
) -> None:
    assert get_type_hints(function)[parameter] is expected


async def test_every_session_of_a_writer_pool_can_write_contacts(database_dsn: str) -> None:
    pool = await open_writer_pool(database_dsn, connections=3, command_timeout_seconds=5)
    try:
        async with writing(pool) as first, writing(pool) as second, writing(pool) as third:
            for session in (first, second, third):
                await contact_rows.insert_contacts(session, [])
                assert await session.fetchval("SELECT to_regclass('pg_temp.staged_new') IS NOT NULL")
    finally:
        await pool.close()


async def test_a_database_that_is_not_migrated_is_named_with_its_remedy(postgres_dsn: str) -> None:
    with pytest.raises(SchemaOutOfDate, match=r"lacks .*: run `bouncekeeper migrate`") as caught:
        await open_writer_pool(postgres_dsn, connections=1, command_timeout_seconds=5)
    assert "postgres.url" not in str(caught.value)
