"""Dead letters: kept whole, shown, closed by a person, open again when they fail again."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.envelope import Envelope, new_delivery_id
from worker.store.dead_letters import (
    SetAsideDelivery,
    count_open_dead_letters,
    discard_dead_letters,
    list_dead_letters,
    mark_replayed,
    put_aside,
    read_dead_letters,
)
from worker.store.pool import Pool

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def delivery(
    source: str = "ses-main", body: bytes = b"{", *, reason: str = "unreadable_payload", detail: str = "no JSON"
) -> SetAsideDelivery:
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source=source,
        provider="amazon_ses",
        account="default",
        received_at=NOON - timedelta(minutes=1),
        content_type="application/json",
        headers={"x-amz-sns-message-type": "Notification"},
        body=body,
    )
    return SetAsideDelivery(envelope=envelope, reason=reason, detail=detail)


async def set_aside(pool: Pool, *deliveries: SetAsideDelivery, at: datetime = NOON) -> None:
    async with pool.acquire() as connection:
        await put_aside(connection, deliveries, at=at)


async def test_a_delivery_comes_back_exactly_as_it_was_received(pool: Pool) -> None:
    given = delivery(body=bytes(range(256)))
    await set_aside(pool, given)
    (letter,) = await list_dead_letters(pool)
    (content,) = await read_dead_letters(pool, [letter.id])
    assert content.envelope == given.envelope
    assert content.letter == letter
    assert (letter.reason, letter.detail, letter.body_bytes) == ("unreadable_payload", "no JSON", 256)
    assert letter.open
    assert letter.attempts == 1


async def test_many_are_set_aside_at_once_and_one_twice_in_a_batch_is_one(pool: Pool) -> None:
    deliveries = [delivery() for _ in range(50)]
    await set_aside(pool, *deliveries, deliveries[0])
    assert await count_open_dead_letters(pool) == 50


async def test_setting_nothing_aside_does_nothing(pool: Pool) -> None:
    await set_aside(pool)
    assert await list_dead_letters(pool) == []


async def test_nul_characters_in_its_texts_never_keep_a_delivery_out(pool: Pool) -> None:
    poison = delivery(body=b"\x00", detail="found '\x00' at 0")
    await set_aside(pool, poison)
    (letter,) = await list_dead_letters(pool)
    assert letter.detail == "found '' at 0"


async def test_the_list_is_filtered_and_continues_after_an_id(pool: Pool) -> None:
    await set_aside(
        pool,
        *[delivery("ses-main") for _ in range(3)],
        delivery("mailgun-eu"),
        delivery("mailgun-eu", reason="unknown_provider"),
    )
    assert len(await list_dead_letters(pool, source="ses-main")) == 3
    (found,) = await list_dead_letters(pool, source="mailgun-eu", reason="unknown_provider")
    assert found.reason == "unknown_provider"
    page = await list_dead_letters(pool, limit=2)
    rest = await list_dead_letters(pool, after_id=page[-1].id)
    assert len(page) == 2
    assert len(rest) == 3


async def test_a_replayed_letter_is_closed_and_open_again_when_it_fails_again(pool: Pool) -> None:
    given = delivery()
    await set_aside(pool, given)
    (letter,) = await list_dead_letters(pool)

    assert await mark_replayed(pool, [letter], at=NOON, person="ada", note="parser fixed") == [letter.id]
    assert await list_dead_letters(pool) == []
    (closed,) = await list_dead_letters(pool, only_open=False)
    assert (closed.replayed_at, closed.closed_by, closed.note) == (NOON, "ada", "parser fixed")

    await set_aside(pool, given, at=NOON + timedelta(hours=1))
    (again,) = await list_dead_letters(pool)
    assert (again.id, again.attempts, again.open) == (letter.id, 2, True)
    assert again.set_aside_at == NOON + timedelta(hours=1)


async def test_a_letter_that_failed_again_before_it_was_marked_stays_open(pool: Pool) -> None:
    """The worker can be faster than the one who replays."""
    given = delivery()
    await set_aside(pool, given)
    (as_read,) = await list_dead_letters(pool)
    await set_aside(pool, given)
    assert await mark_replayed(pool, [as_read], at=NOON, person="ada") == []
    assert await count_open_dead_letters(pool) == 1


async def test_discarding_closes_open_letters_once_and_keeps_them_readable(pool: Pool) -> None:
    await set_aside(pool, delivery(), delivery())
    first, second = await list_dead_letters(pool)
    assert await discard_dead_letters(pool, [first.id, 999], at=NOON, person="ada", note="a test") == [first.id]
    assert await discard_dead_letters(pool, [first.id], at=NOON, person="bob", note="again") == []
    (content,) = await read_dead_letters(pool, [first.id])
    assert (content.letter.discarded_at, content.letter.closed_by, content.letter.note) == (
        NOON,
        "ada",
        "a test",
    )
    assert [letter.id for letter in await list_dead_letters(pool)] == [second.id]


@pytest.mark.parametrize("ids", [[], [1, 2, 3]])
async def test_letters_that_do_not_exist_are_not_found(pool: Pool, ids: list[int]) -> None:
    assert await read_dead_letters(pool, ids) == []
