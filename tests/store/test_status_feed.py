"""The feed of status changes: in one order, never a line missed, and no cursor honoured that it cannot honour."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from schemas.outgoing import HistoryLine, StatusChanged
from worker.errors import CursorGone, RequestRefused
from worker.store.contact_lookup import status_history
from worker.store.pool import Executor, Pool
from worker.store.status_feed import BEGINNING, changes_after

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


def last_cursor(changes: list[StatusChanged], before: str = BEGINNING) -> str:
    """Where a reader of these goes on, who stood at `before`."""
    return changes[-1].cursor if changes else before


def notes(changes: Sequence[HistoryLine]) -> list[str | None]:
    return [change.note for change in changes]


async def test_the_feed_is_read_in_pages_and_continues_after_a_cursor(pool: Pool, contact_id: int) -> None:
    for number in range(5):
        await append(pool, contact_id, f"line {number}")

    first = await changes_after(pool, BEGINNING, limit=2)
    second = await changes_after(pool, last_cursor(first), limit=2)
    third = await changes_after(pool, last_cursor(second), limit=2)

    assert notes(first + second + third) == [f"line {number}" for number in range(5)]
    assert await changes_after(pool, last_cursor(third), limit=2) == []


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

        before = await changes_after(pool, BEGINNING, limit=10)
        assert notes(before) == ["late id, early commit"]  # an open transaction holds nobody up
        await transaction.commit()

    after = await changes_after(pool, last_cursor(before), limit=10)
    assert notes(after) == ["early id, late commit"]
    assert notes(await changes_after(pool, BEGINNING, limit=10)) == notes(before + after)


async def test_a_transaction_that_took_its_number_first_but_wrote_last_is_never_missed(
    pool: Pool, contact_id: int
) -> None:
    """Neither ids nor transaction numbers are in the order of the commits."""
    async with pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.fetchval("SELECT pg_current_xact_id()")
        await append(pool, contact_id, "first id")
        told = await changes_after(pool, BEGINNING, limit=10)
        await append(slow, contact_id, "second id, older transaction")
        await transaction.commit()
    told += await changes_after(pool, last_cursor(told), limit=10)
    assert notes(told) == ["first id", "second id, older transaction"]


async def test_readers_among_many_writers_miss_nothing_and_agree_on_the_order(pool: Pool, contact_id: int) -> None:
    """Transactions of all lengths, ended in any order, some rolled back, while several read and so give positions."""
    written: list[str] = []
    finished = asyncio.Event()

    async def write(writer: int) -> None:
        for number in range(25):
            async with pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                for line in range(1 + (writer + number) % 3):
                    await append(connection, contact_id, f"{writer}.{number}.{line}")
                await connection.execute("SELECT pg_sleep($1)", 0.001 * ((writer * 7 + number * 3) % 5))
                if (writer + number) % 7 == 0:
                    await transaction.rollback()
                    continue
                await transaction.commit()
                written.extend(f"{writer}.{number}.{line}" for line in range(1 + (writer + number) % 3))

    async def read() -> list[str | None]:
        seen: list[str | None] = []
        cursor = BEGINNING
        while True:
            last_round = finished.is_set()
            while changes := await changes_after(pool, cursor, limit=7):
                seen += notes(changes)
                cursor = last_cursor(changes)
            if last_round:
                return seen

    readers = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.gather(*(write(writer) for writer in range(3)))
    finished.set()
    first, *others = [await reader for reader in readers]

    assert sorted(first, key=str) == sorted(written)
    assert others == [first, first]


async def test_a_reader_of_a_database_that_takes_no_writes_reads_what_has_its_place(
    pool: Pool, contact_id: int
) -> None:
    await append(pool, contact_id, "in its place")
    await changes_after(pool, BEGINNING, limit=10)
    await append(pool, contact_id, "too new")
    async with pool.acquire() as replica, replica.transaction(readonly=True):
        assert notes(await changes_after(replica, BEGINNING, limit=10)) == ["in its place"]


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
    "cursor",
    [
        "",
        "7",
        "a-b",
        "1-",
        "-1",
        "1-2-3",
        "1 -2",
        "٣-1",
        "1-9F3A6C01",
        "1-9f3a6c012",
        "1-9f3a6c01\n",
        f"{2**63}-9f3a6c01",
        f"{10**30}-9f3a6c01",
        "1-2; DROP",
        "\x00",
    ],
)
async def test_what_is_no_cursor_is_refused(pool: Pool, cursor: str) -> None:
    with pytest.raises(RequestRefused, match="cursor") as refused:
        await changes_after(pool, cursor, limit=1)
    assert (refused.value.kind, refused.value.http_status) == ("bad-cursor", 422)


@pytest.mark.parametrize(
    ("cursor", "why"),
    [
        ("1-00000000", "another change has its place"),
        ("2-9f3a6c01", "the feed has not got so far"),
        (f"{2**63 - 1}-9f3a6c01", "no feed gets so far"),
        ("0-9f3a6c01", "positions begin with 1"),
        ("748-12", "of a version that counted by transactions"),
        ("748-12345678", "of that version, and of this one's form"),
        (f"{2**64 - 1}-{2**63 - 1}", "of that version"),
    ],
)
async def test_a_cursor_whose_change_is_not_here_is_gone_and_names_the_way_to_begin_again(
    pool: Pool, contact_id: int, cursor: str, why: str
) -> None:
    await append(pool, contact_id, why)
    await pool.execute("UPDATE status_changes SET message_id = 'ffffffff-0000-4000-8000-000000000000'")
    (only,) = await changes_after(pool, BEGINNING, limit=10)
    assert only.cursor == "1-ffffffff"

    with pytest.raises(CursorGone, match="without `after`") as gone:
        await changes_after(pool, cursor, limit=1)
    assert (gone.value.kind, gone.value.http_status) == ("cursor-gone", 410)


async def test_a_cursor_older_than_what_is_kept_is_gone(pool: Pool, contact_id: int) -> None:
    for number in range(3):
        await append(pool, contact_id, f"line {number}")
    oldest, *kept = await changes_after(pool, BEGINNING, limit=10)
    await pool.execute("DELETE FROM status_changes WHERE note = 'line 0'")

    with pytest.raises(CursorGone):
        await changes_after(pool, last_cursor([oldest]), limit=10)
    assert await changes_after(pool, BEGINNING, limit=10) == kept


async def test_a_position_is_never_given_twice_even_when_the_last_line_was_deleted(pool: Pool, contact_id: int) -> None:
    await append(pool, contact_id, "deleted")
    before = await changes_after(pool, BEGINNING, limit=10)
    await pool.execute("DELETE FROM status_changes")
    await append(pool, contact_id, "later")

    (later,) = await changes_after(pool, BEGINNING, limit=10)
    assert [str(later.cursor)[:2], last_cursor(before)[:2]] == ["2-", "1-"]


async def test_a_contacts_history_comes_latest_first(pool: Pool, contact_id: int) -> None:
    for number in range(3):
        await append(pool, contact_id, f"line {number}")
    assert notes(await status_history(pool, contact_id, limit=2)) == ["line 2", "line 1"]
