"""Looking up contacts: every one that is known, and only those that were asked for."""

from datetime import UTC, datetime

from worker.store.contact_lookup import KnownStanding, find_contact, find_contacts, find_elsewhere, look_up
from worker.store.contact_rows import ContactKey
from worker.store.pool import Pool

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


async def add_contacts(pool: Pool, count: int) -> list[str]:
    records = await pool.fetch(
        """
        INSERT INTO contacts (account, channel, address, first_seen_at)
        SELECT 'default', 'email', md5(n::text) || '@example.org', $2 FROM generate_series(1, $1::integer) AS n
        RETURNING address
        """,
        count,
        NOON,
    )
    return [address for (address,) in records]


async def test_a_look_up_finds_what_is_known_and_nothing_else(pool: Pool, contact_id: int) -> None:
    await add_contacts(pool, 5)
    (row,) = await look_up(pool, ["gone@example.org", "nobody@example.org"], account="default", channel="email")
    assert row == KnownStanding(
        address="gone@example.org",
        status="blocklisted",
        blocks="all",
        status_since=NOON,
        status_until=None,
        cause="mailbox_does_not_exist",
        rule="hard",
        lift_by=["admin"],
        next_change_at=None,
        never_mailed=True,
    )
    assert contact_id
    assert await look_up(pool, ["gone@example.org"], account="shop", channel="email") == []
    assert await look_up(pool, ["gone@example.org"], account="default", channel="sms") == []


async def test_other_accounts_that_know_an_address_are_found(pool: Pool, contact_id: int) -> None:
    assert contact_id
    asked = ["gone@example.org", "nobody@example.org"]
    gone = ContactKey(address="gone@example.org", account="default", channel="email")
    assert await find_elsewhere(pool, asked, account="shop", channel="email", limit=5) == [gone]
    assert await find_elsewhere(pool, asked, account="default", channel="email", limit=5) == []
    assert await find_elsewhere(pool, asked, account="shop", channel="sms", limit=5) == []
    assert await find_elsewhere(pool, asked, account="shop", channel="email", limit=0) == []


async def test_thousands_are_found_each_once_whether_in_halves_or_as_a_whole(pool: Pool) -> None:
    addresses = await add_contacts(pool, 5000)
    asked = addresses[::2] + [f"stranger{number}@example.org" for number in range(500)]
    in_halves = await look_up(pool, asked, account="default", channel="email")
    async with pool.acquire() as connection:
        as_a_whole = await look_up(connection, asked, account="default", channel="email")
    found = sorted(row.address for row in in_halves)
    assert found == sorted(row.address for row in as_a_whole) == sorted(addresses[::2])


async def test_thousands_of_one_spelling_range_are_found_too(pool: Pool) -> None:
    """One half may be empty, or nearly."""
    addresses = ["gone@example.org"] * 2500
    await add_contacts(pool, 1)
    assert await look_up(pool, addresses, account="default", channel="email") == []


async def test_a_whole_row_comes_with_each_value_in_its_place(pool: Pool, contact_id: int) -> None:
    await pool.execute("UPDATE contacts SET last_delivered_message = 'm1', base = 'b', base_until = $1", NOON)
    row = await find_contact(pool, "gone@example.org", account="default", channel="email")
    assert row is not None
    assert (row.id, row.account, row.status, row.cause) == (
        contact_id,
        "default",
        "blocklisted",
        "mailbox_does_not_exist",
    )
    assert (row.last_delivered_message, row.base, row.base_until, row.first_seen_at) == ("m1", b"b", NOON, NOON)


async def test_an_unknown_contact_is_not_found(pool: Pool) -> None:
    assert await find_contact(pool, "nobody@example.org", account="default", channel="email") is None
    assert await find_contacts(pool, [], account="default", channel="email") == []
