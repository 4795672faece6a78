"""What a database of the version before had in its feed keeps its order when positions take over."""

from importlib.resources import files

import asyncpg

from tests.store.conftest import NOON
from worker.store.pool import set_codecs
from worker.store.status_feed import BEGINNING, changes_after

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
        rest = await changes_after(connection, second.cursor or "", limit=10)
    finally:
        await connection.close()
    assert [change.note for change in (first, second, *rest)] == ["first", "second", "third", "fourth"]
