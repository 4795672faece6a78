"""Dictionaries make vendors' words small, and hold nobody's address."""

import asyncpg
import pytest

from schemas.raw_keeping import KeepRaw
from schemas.vocabulary import Kind
from tests.schemas.feedback_events import make_event
from worker.commands.support.dictionary_training import (
    DICTIONARY_VERSION,
    mask_addresses,
    sample_payloads,
    store_dictionaries,
    train_dictionary,
)
from worker.samples.registry import SAMPLE_SENDERS
from worker.store.dictionaries import MOST_DICTIONARY_BYTES, dictionary_versions
from worker.store.event_rows import EventEncoder
from worker.store.pool import Pool
from worker.store.stored_entries import stored_entries

pytestmark = pytest.mark.slow

SEED = 1
CONTACT = """
    INSERT INTO contacts (account, channel, address, first_seen_at)
    VALUES ('default', 'email', 'gone@example.org', now()) RETURNING id
"""


@pytest.mark.parametrize("provider", sorted(SAMPLE_SENDERS))
def test_no_address_of_a_sample_is_in_the_dictionary_neither_whole_nor_its_parts(provider: str) -> None:
    content = train_dictionary(provider, seed=SEED).content
    addresses = {address for _, addresses in sample_payloads(provider, seed=SEED) for address in addresses}
    parts = {part for address in addresses for part in (address, *address.split("@"))}
    assert 0 < len(content) <= MOST_DICTIONARY_BYTES
    assert [part for part in parts if part.encode() in content] == []


@pytest.mark.parametrize(
    ("raw", "masked"),
    [
        (b'{"to":"jane@example.org"}', b'{"to":"xxxxxxxxxxxxxxxx"}'),
        (b"to=jane%40example.org&x=1", b"to=xxxxxxxxxxxxxxxxxx&x=1"),
        (b'{"user":"jane","domain":"example.org"}', b'{"user":"xxxx","domain":"xxxxxxxxxxx"}'),
        (b'{"from":"news@shop.example"}', b'{"from":"xxxxxxxxxxxxxxxxx"}'),
    ],
)
def test_addresses_are_masked_however_they_are_spelled(raw: bytes, masked: bytes) -> None:
    assert mask_addresses(raw, ["jane@example.org"]) == masked


async def test_each_provider_gets_one_dictionary_once(pool: Pool) -> None:
    await store_dictionaries(pool)
    before = await pool.fetch("SELECT id, content FROM dictionaries ORDER BY id")
    await store_dictionaries(pool)
    assert await pool.fetch("SELECT id, content FROM dictionaries ORDER BY id") == before
    assert await dictionary_versions(pool) == {(provider, DICTIONARY_VERSION) for provider in SAMPLE_SENDERS}


async def test_what_a_vendor_wrote_is_stored_in_a_fraction_of_its_bytes_and_read_as_it_was(
    pool: Pool,
) -> None:
    await store_dictionaries(pool)
    contact_id: int = await pool.fetchval(CONTACT)
    raws = [raw for raw, _ in sample_payloads("sendgrid", seed=2)][:60]
    events = [
        make_event(Kind.HARD_BOUNCE, key=str(number), provider="sendgrid", address="gone@example.org", raw=raw)
        for number, raw in enumerate(raws)
    ]
    encoder = EventEncoder(KeepRaw.FAILURES)
    await encoder.learn(pool, events)
    async with pool.acquire() as connection:
        await encoder.copy(connection, "entries", [(event, contact_id) for event in events])
    assert await pool.fetchval("SELECT sum(length(raw)) FROM entries") < sum(map(len, raws)) / 3
    assert {entry.event_key: entry for entry in await stored_entries(pool, contact_id)} == {
        event.event_key: event for event in events
    }


@pytest.mark.parametrize(
    "change", ["DELETE FROM dictionaries", "UPDATE dictionaries SET content = ''", "TRUNCATE dictionaries"]
)
async def test_a_dictionary_is_never_changed_nor_deleted(pool: Pool, change: str) -> None:
    await store_dictionaries(pool)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="a dictionary stays as it is"):
        await pool.execute(change)
