"""Followers of the feed: each is told everything once, a contact's changes in their order, whatever is bulk."""

import random
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from schemas.outgoing import StatusChanged
from tests.store.conftest import NOON
from worker.store.feed_followers import Follower, ensure_follower, move_follower, next_changes, read_follower
from worker.store.overview import backlogs
from worker.store.pool import Pool
from worker.store.status_feed import number_changes


async def add_contacts(pool: Pool, count: int) -> list[int]:
    records = await pool.fetch(
        "INSERT INTO contacts (account, channel, address, first_seen_at)"
        " SELECT 'default', 'email', 'contact' || n || '@example.org', $2 FROM generate_series(1, $1) n RETURNING id",
        count,
        NOON,
    )
    return [record["id"] for record in records]


async def append(pool: Pool, contact_id: int, note: str, *, bulk: bool = False) -> None:
    await pool.execute(
        """
        INSERT INTO status_changes (contact_id, recorded_at, old_status, new_status, old_blocks, new_blocks, cause,
            actor, note, bulk)
        VALUES ($1, $2, 'new', 'blocklisted', 'none', 'all', 'mailbox_does_not_exist', 'events', $3, $4)
        """,
        contact_id,
        NOON,
        note,
        bulk,
    )


async def follow(pool: Pool, name: str, limit: int) -> list[StatusChanged]:
    """What this follower is told next, its place kept."""
    await number_changes(pool)
    follower = await read_follower(pool, name)
    assert follower is not None
    portion = await next_changes(pool, follower, limit=limit)
    for step in portion.steps:  # one by one, as webhooks out are sent
        assert await move_follower(pool, before=follower, after=step.after)
        follower = step.after
    assert await move_follower(pool, before=follower, after=portion.end)
    return portion.changes


def notes(changes: Sequence[StatusChanged]) -> list[str | None]:
    return [change.note for change in changes]


@pytest.mark.parametrize("seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 12))])
async def test_followers_of_any_pace_are_told_everything_once_and_each_contacts_changes_in_order(
    pool: Pool, seed: int
) -> None:
    chance = random.Random(seed)
    contacts, share = await add_contacts(pool, 4), chance.choice((0.1, 0.3, 0.6))
    paces = {"quick": (0.5, 9), "slow": (0.05, 4)}
    told: dict[str, list[StatusChanged]] = {name: [] for name in paces}
    for name in paces:
        await ensure_follower(pool, name)
    for number in range(90):
        await append(pool, chance.choice(contacts), f"{number}", bulk=chance.random() < share)
        for name, (probability, limit) in paces.items():
            if chance.random() < probability:
                told[name] += await follow(pool, name, limit)
    for name, (_, limit) in paces.items():
        while changes := await follow(pool, name, limit):
            told[name] += changes

    for name in paces:
        assert sorted(notes(told[name]), key=lambda note: int(note or "")) == [f"{number}" for number in range(90)]
        for address in {change.address for change in told[name]}:
            in_order = [int(change.note or "") for change in told[name] if change.address == address]
            assert in_order == sorted(in_order), f"{name} of {address}"
    assert [backlog.waiting for backlog in await backlogs(pool)] == [0, 0]


async def test_a_follower_that_is_set_back_is_told_again_in_one_order(pool: Pool) -> None:
    """What was fresh and what was bulk for others then says nothing about what this one has still to be told."""
    (contact_id,) = await add_contacts(pool, 1)
    await ensure_follower(pool, "other")
    for number in range(6):
        await append(pool, contact_id, f"{number}", bulk=number % 2 == 0)
        await follow(pool, "other", 10)
    assert await pool.fetchval("SELECT count(*) FROM status_changes WHERE bulk") == 3
    await pool.execute("INSERT INTO feed_followers VALUES ('set back', 0, 0, 6)")
    await append(pool, contact_id, "6")

    told = await follow(pool, "set back", 4)
    told += await follow(pool, "set back", 4)
    told += await follow(pool, "set back", 4)
    assert notes(told) == [f"{number}" for number in range(7)]


async def test_a_follower_with_nothing_to_be_told_keeps_up_with_the_feeds_end(pool: Pool) -> None:
    """Else it would look through the other lane's changes anew each time."""
    (contact_id,) = await add_contacts(pool, 1)
    await ensure_follower(pool, "only")
    for number in range(5):
        await append(pool, contact_id, f"{number}", bulk=True)
    assert len(await follow(pool, "only", 10)) == 5
    place = Follower(name="only", fresh_position=5, bulk_position=5, one_order_until=0)
    assert await read_follower(pool, "only") == place
    assert not await move_follower(
        pool, before=replace(place, bulk_position=4), after=place
    )  # somebody else has moved it
    assert await read_follower(pool, "absent") is None


async def test_what_waits_for_each_follower_is_counted(pool: Pool) -> None:
    (contact_id,) = await add_contacts(pool, 1)
    await ensure_follower(pool, "a")
    await ensure_follower(pool, "b")
    for number in range(4):
        await append(pool, contact_id, f"{number}", bulk=number > 1)
    await follow(pool, "a", 3)
    await append(pool, contact_id, "without its place yet")
    waiting = {backlog.follower: (backlog.waiting, backlog.oldest_at) for backlog in await backlogs(pool)}
    assert waiting == {"a": (3, NOON), "b": (5, NOON)}
