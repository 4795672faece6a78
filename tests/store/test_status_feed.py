"""The feed of status changes: in one order, and never a line missed."""

from datetime import UTC, datetime

import pytest

from worker.store.contact_lookup import status_history
from worker.store.pool import Executor, Pool
from worker.store.status_feed import BEGINNING, StatusChange, changes_after

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def append(connection: Executor, contact_id: int, note: str) -> None:
    await connection.execute(
        """
        INSERT INTO status_changes (contact_id, recorded_at, since, old_status, new_status, old_blocks,
            new_blocks, cause, rule, event_key, actor, note)
        VALUES ($1, $2, $2, 'new', 'blocklisted', 'none', 'all', 'mailbox_does_not_exist', 'hard',
            '\\x00ff'::bytea, 'events', $3)
        """,
        contact_id,
        NOON,
        note,
    )


def notes(changes: list[StatusChange]) -> list[str | None]:
    return [change.note for change in changes]


async def test_the_feed_is_read_in_pages_and_continues_after_a_cursor(pool: Pool, contact_id: int) -> None:
    for number in range(5):
        await append(pool, contact_id, f"line {number}")

    first = await changes_after(pool, BEGINNING, limit=2)
    second = await changes_after(pool, first[-1].cursor, limit=2)
    third = await changes_after(pool, second[-1].cursor, limit=2)

    assert notes(first + second + third) == [f"line {number}" for number in range(5)]
    assert await changes_after(pool, third[-1].cursor, limit=2) == []


async def test_a_line_names_its_contact_and_what_brought_it_about(pool: Pool, contact_id: int) -> None:
    await append(pool, contact_id, "why")
    (line,) = await changes_after(pool, BEGINNING, limit=10)
    assert (line.account, line.channel, line.address) == ("default", "email", "gone@example.org")
    assert (line.old_status, line.new_status, line.new_blocks) == ("new", "blocklisted", "all")
    assert (line.cause, line.rule, line.since, line.until) == (
        "mailbox_does_not_exist",
        "hard",
        NOON,
        None,
    )
    assert (line.event_key, line.actor) == ("00ff", "events")


async def test_a_line_that_is_committed_late_with_an_earlier_id_is_never_missed(pool: Pool, contact_id: int) -> None:
    """The trap of every feed by id: the reader is past an id whose transaction was still open."""
    async with pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await append(slow, contact_id, "early id, late commit")
        await append(pool, contact_id, "late id, early commit")

        # The later line must wait: were it told now, the reader's cursor would be past the earlier one.
        before = await changes_after(pool, BEGINNING, limit=10)
        assert before == []
        await transaction.commit()

    after = await changes_after(pool, before[-1].cursor if before else BEGINNING, limit=10)
    assert notes(after) == ["early id, late commit", "late id, early commit"]


async def test_a_transaction_that_took_its_number_first_but_wrote_last_is_never_missed(
    pool: Pool, contact_id: int
) -> None:
    """Ids alone would put this line after the other one, transaction numbers alone are not commit order."""
    async with pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.fetchval("SELECT pg_current_xact_id()")
        await append(pool, contact_id, "first id")
        told = await changes_after(pool, BEGINNING, limit=10)
        await append(slow, contact_id, "second id, older transaction")
        await transaction.commit()
    cursor = told[-1].cursor if told else BEGINNING
    told += await changes_after(pool, cursor, limit=10)
    assert sorted(notes(told), key=str) == ["first id", "second id, older transaction"]


async def test_a_transaction_that_is_rolled_back_leaves_no_line_and_holds_nothing_up(
    pool: Pool, contact_id: int
) -> None:
    async with pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await append(slow, contact_id, "never happened")
        await append(pool, contact_id, "happened")
        await transaction.rollback()
    assert notes(await changes_after(pool, BEGINNING, limit=10)) == ["happened"]


@pytest.mark.parametrize(
    "cursor", ["", "7", "a-b", "1-", "-1", "1-2-3", "1 -2", "٣-1", f"{2**64}-0", f"0-{2**63}", "1-2; DROP"]
)
async def test_a_cursor_that_is_none_of_ours_is_refused(pool: Pool, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        await changes_after(pool, cursor, limit=1)


async def test_a_contacts_history_comes_latest_first(pool: Pool, contact_id: int) -> None:
    for number in range(3):
        await append(pool, contact_id, f"line {number}")
    assert notes(await status_history(pool, contact_id, limit=2)) == ["line 2", "line 1"]
