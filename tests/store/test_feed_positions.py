"""What a database of the version before had in its feed keeps its order when positions take over."""

import json
from importlib.resources import files
from uuid import UUID

import asyncpg

from tests.store.conftest import NOON
from worker.store.feed_followers import EXCHANGE, next_changes, read_follower
from worker.store.pool import set_codecs
from worker.store.status_feed import BEGINNING, changes_after

WAITING = UUID("0d4f6a36-5f4c-4c53-9d3c-6f0f6c7f6a11")
BEFORE = ("0001_contacts_and_events", "0002_parked_deliveries", "0003_replay_tokens")


async def apply(connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> None:
    await connection.execute((files("schemas") / "database" / f"{name}.sql").read_text())


async def append(connection: "asyncpg.Connection[asyncpg.Record]", note: str) -> None:
    await connection.execute(
        """
        INSERT INTO status_changes (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks, cause,
            actor, note)
        VALUES (1, $1, 'new', 'blocklisted', 'none', 'all', 'mailbox_does_not_exist', 'events', $2)
        """,
        NOON,
        note,
    )


async def test_the_lines_of_the_earlier_feed_keep_their_order_and_new_ones_follow(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        for name in BEFORE:
            await apply(connection, name)
        await set_codecs(connection)
        await connection.execute(
            "INSERT INTO contacts (account, channel, address, first_seen_at)"
            " VALUES ('default', 'email', 'gone@example.org', $1)",
            NOON,
        )
        # In the earlier feed the transaction's number came first, whatever the id.
        for transaction, note in (("4000000000", "third"), ("12", "first"), ("13", "second")):
            await append(connection, note)
            await connection.execute(
                "UPDATE status_changes SET transaction_id = $1::text::xid8 WHERE note = $2", transaction, note
            )

        await apply(connection, "0005_feed_positions")
        first, second = await changes_after(connection, BEGINNING, limit=2)
        await append(connection, "fourth")
        rest = await changes_after(connection, second.cursor, limit=10)
    finally:
        await connection.close()
    assert [change.note for change in (first, second, *rest)] == ["first", "second", "third", "fourth"]


async def test_what_waits_in_the_outbox_is_announced_with_its_message_id_and_nothing_before_it(
    postgres_dsn: str,
) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        for name in (*BEFORE, "0005_feed_positions"):
            await apply(connection, name)
        await set_codecs(connection)
        await connection.execute(
            "INSERT INTO contacts (account, channel, address, first_seen_at)"
            " VALUES ('default', 'email', 'gone@example.org', $1)",
            NOON,
        )
        for hours, note in enumerate(("announced already", "waits", "has no message: its worker was stopped")):
            await append(connection, note)
            await connection.execute(
                "UPDATE status_changes SET recorded_at = recorded_at + make_interval(hours => $1) WHERE note = $2",
                hours,
                note,
            )
        await changes_after(connection, BEGINNING, limit=10)
        message = {"account": "default", "channel": "email", "address": "gone@example.org", "new_status": "blocklisted"}
        await connection.execute(
            "INSERT INTO outbox (message_id, routing_key, body, created_at) VALUES ($1, 'x', $2, now())",
            WAITING,
            json.dumps({**message, "recorded_at": "2026-11-20T13:00:00Z"}).encode(),
        )

        await apply(connection, "0007_feed_followers")
        follower = await read_follower(connection, EXCHANGE)
        assert follower is not None
        changes = (await next_changes(connection, follower, limit=10)).changes
    finally:
        await connection.close()
    assert [change.note for change in changes] == ["waits", "has no message: its worker was stopped"]
    assert changes[0].message_id == WAITING


async def test_a_database_that_never_announced_has_no_follower(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    try:
        for name in (*BEFORE, "0005_feed_positions", "0007_feed_followers"):
            await apply(connection, name)
        assert await read_follower(connection, EXCHANGE) is None
    finally:
        await connection.close()
