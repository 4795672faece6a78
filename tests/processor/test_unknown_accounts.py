"""Events of an account that nobody has made: their source makes it, or they wait until a person does."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from schemas.lane import Lane
from schemas.source import Source
from tests.schemas.feedback_events import START
from worker.contacts.accounts import KnownAccounts, make_accounts
from worker.contacts.applying import BatchRules
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.processor.batch import BatchWriter
from worker.processor.load import Load, LoadWriter
from worker.processor.replay import replay_dead_letters
from worker.providers.bound_sources import BoundSources
from worker.queue.port import Lease
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.store.accounts import account_names, list_accounts
from worker.store.dead_letters import list_dead_letters
from worker.store.pool import Pool, WriterPool

CAREFUL = Source(name="scripts", provider="bouncekeeper", account_from="account", makes_accounts=False)
GENEROUS = Source(name="scripts", provider="bouncekeeper", account_from="account")


def webhook(*accounts: str, source: str = "scripts", account_from: str = "") -> Envelope:
    """One delivery of the receiver, with a bounce in each of the accounts."""
    events = [
        {"event": "bounce", "smtp_code": 550, "enhanced_status": "5.1.1", "address": f"{number}@example.org"}
        | ({"account": account} if account else {})
        for number, account in enumerate(accounts)
    ]
    return Envelope(
        delivery_id=new_delivery_id(),
        source=source,
        provider="bouncekeeper",
        account="default",
        received_at=START,
        content_type="application/json",
        headers={},
        body=json.dumps(events).encode(),
        account_from=account_from,
    )


def loads(
    pool: WriterPool, *sources: Source, named: Sequence[str] = ("default",), known: Sequence[str] = ()
) -> LoadWriter:
    """What a processor with these sources stores loads by."""
    rules = BatchRules(policies=Policies(recommended_policy()), oldest_kept=datetime(2020, 1, 1, tzinfo=UTC))
    accounts = KnownAccounts(of_sources=named, of_settings=known)
    return LoadWriter(
        queue="test",
        writer=BatchWriter(pool, rules, accounts=accounts),
        sources=BoundSources(sources),
        most_events_of_a_batch=1000,
        large_parcels=asyncio.Semaphore(1),
    )


async def process(writer: LoadWriter, *envelopes: Envelope) -> None:
    parcel = encode_parcel([encode_envelope(one) for one in envelopes])
    load = Load()
    assert writer.add(Lease(parcel=parcel, tag=1, lane=Lane(source="scripts"), delivery_count=0), load)
    await writer.store(load, asyncio.Semaphore(2))


async def contacts(pool: Pool) -> list[tuple[str, str]]:
    records = await pool.fetch("SELECT account, address FROM contacts ORDER BY account, address")
    return [tuple(record) for record in records]


async def test_an_account_is_made_by_its_first_event_and_the_log_says_by_which_source(
    pool: WriterPool, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = loads(pool, GENEROUS)
    await process(writer, webhook("shop-7", "shop-8"))
    await process(writer, webhook("shop-7"))
    assert [(one.name, one.added_by) for one in await list_accounts(pool)] == [
        ("shop-7", "source scripts"),
        ("shop-8", "source scripts"),
    ]
    assert await contacts(pool) == [("shop-7", "0@example.org"), ("shop-8", "1@example.org")]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    added = [(line["account"], line["actor"]) for line in lines if line["event"] == "account.added"]
    assert added == [("shop-7", "source scripts"), ("shop-8", "source scripts")]


async def test_where_the_source_makes_no_accounts_the_webhook_waits_and_is_replayed_after_the_account_is_added(
    pool: WriterPool, postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    await make_accounts(pool, ["shop-1"], now=START, actor="jane")
    writer = loads(pool, CAREFUL)
    await process(writer, webhook("shop-1", "it's new", "shop-1"), webhook("shop-1"))
    assert await account_names(pool, limit=9) == ["shop-1"]
    assert await contacts(pool) == [("shop-1", "0@example.org"), ("shop-1", "2@example.org")]
    [letter] = await list_dead_letters(pool)
    assert letter.reason == "unknown_account"
    assert "bouncekeeper accounts add 'it'\"'\"'s new'" in letter.detail

    await make_accounts(pool, ["it's new"], now=START, actor="jane")
    await replay_dead_letters(pool, postgres_writer, reason="unknown_account", person="jane", now=START)
    for lease in await postgres_reader.take(max_parcels=10, max_wait_seconds=1):
        load = Load()
        writer.add(lease, load)
        await writer.store(load, asyncio.Semaphore(2))
    assert await contacts(pool) == [
        ("it's new", "1@example.org"),
        ("shop-1", "0@example.org"),
        ("shop-1", "2@example.org"),
    ]
    assert await list_dead_letters(pool) == []
    assert await pool.fetchval("SELECT count(*) FROM status_changes") == 3


async def test_replayed_without_the_account_it_is_set_aside_again(
    pool: WriterPool, postgres_writer: PostgresWriter, postgres_reader: PostgresReader
) -> None:
    """Also by a processor that does not know the source's rule: it stays with the webhook."""
    careful = Source(name="scripts", provider="bouncekeeper", makes_accounts=False)
    await make_accounts(pool, ["default"], now=START, actor="configuration")
    writer = loads(pool, careful)
    await process(writer, webhook("shop-7", account_from="account"))
    await replay_dead_letters(pool, postgres_writer, person="jane", now=START)
    [lease] = await postgres_reader.take(max_parcels=10, max_wait_seconds=1)
    load = Load()
    writer.add(lease, load)
    await writer.store(load, asyncio.Semaphore(2))
    [letter] = await list_dead_letters(pool)
    assert (letter.reason, letter.attempts) == ("unknown_account", 2)
    assert await contacts(pool) == []


async def test_what_the_configuration_names_is_made_by_any_source(pool: WriterPool) -> None:
    writer = loads(pool, CAREFUL, named=["default"], known=["customer-*", "shop-2"])
    await process(writer, webhook("", "customer-7", "shop-2", "shop-3"))
    assert [(one.name, one.added_by) for one in await list_accounts(pool)] == [
        ("customer-7", "configuration"),
        ("default", "configuration"),
        ("shop-2", "configuration"),
    ]
    assert {account for account, _ in await contacts(pool)} == {"customer-7", "default", "shop-2"}


async def test_a_source_that_the_processor_does_not_know_makes_its_account(pool: WriterPool) -> None:
    await process(loads(pool, CAREFUL, named=()), webhook("", source="of-the-receiver-alone"))
    assert await account_names(pool, limit=9) == ["default"]


async def test_known_accounts_cost_no_look_up(pool: WriterPool) -> None:
    known = KnownAccounts()
    assert await known.make_missing(pool, {"shop": "scripts", "other": None}, now=START) == {"other"}
    await pool.execute("DELETE FROM accounts")
    assert await known.make_missing(pool, {"shop": "scripts"}, now=START) == frozenset()
    assert await account_names(pool, limit=9) == []


async def test_an_account_that_postgres_cannot_name_is_set_aside(pool: WriterPool) -> None:
    assert await KnownAccounts().make_missing(pool, {"a\x00b": "scripts", "": "scripts"}, now=START) == {"a\x00b", ""}


async def test_more_accounts_than_are_remembered_are_made_all_the_same(
    pool: WriterPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.contacts.accounts._CACHED", 2)
    known = KnownAccounts(of_settings=["customer-*"])
    makers: dict[str, str | None] = {f"shop-{number}": f"source-{number % 3}" for number in range(9)}
    makers |= dict.fromkeys(("customer-1", "customer-2"))
    for _ in range(2):
        assert await known.make_missing(pool, {**makers, "nosuch": None}, now=START) == {"nosuch"}
    assert set(await account_names(pool, limit=99)) == set(makers)
