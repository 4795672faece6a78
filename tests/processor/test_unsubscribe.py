"""What was asked for by an unsubscribe link becomes a status, in the account that the token names."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from schemas.envelope import Envelope, new_delivery_id
from schemas.source import Secret
from schemas.vocabulary import Kind
from tests.processor.test_unknown_accounts import loads, process
from tests.schemas.feedback_events import START, make_event
from worker.contacts.accounts import make_accounts
from worker.contacts.applying import apply_events
from worker.contacts.batch_terms import BatchRules
from worker.contacts.policies import Policies
from worker.contacts.report import contact_report
from worker.policy.policy_file import recommended_policy
from worker.processor.load import Load
from worker.processor.replay import replay_dead_letters
from worker.providers.vendors.unsubscribe_page.unsubscribe_page import NAME, PATH, PROVIDER, source_of
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink
from worker.providers.verdict import Accepted
from worker.providers.webhook_request import WebhookRequest
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.store.accounts import account_names
from worker.store.dead_letters import list_dead_letters
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

SECRETS = (Secret("0123456789abcdef0123456789abcdef"),)
LINK = UnsubscribeLink(address="jane@example.org", list="newsletter", account="shop-7")
FORM: Mapping[str, str] = {"content-type": "application/x-www-form-urlencoded"}


def queued(body: bytes, *, link: UnsubscribeLink = LINK, after: timedelta = timedelta()) -> Envelope:
    """The request as the receiver queues it."""
    request = WebhookRequest(
        method="POST",
        path=f"{PATH}{UnsubscribeKeys(SECRETS).make(link)}",
        query={},
        headers=FORM,
        body=body,
        remote_address="192.0.2.1",
    )
    source = source_of(SECRETS)
    verdict = PROVIDER.bind(source).authenticate(request, now=START, certificates={})
    assert isinstance(verdict, Accepted)
    return Envelope(
        delivery_id=new_delivery_id(),
        source=NAME,
        provider=NAME,
        account=source.account,
        received_at=START + after,
        content_type=FORM["content-type"],
        headers={},
        body=verdict.body or b"",
        account_from=source.account_from,
    )


async def status(pool: WriterPool, account: str, *, now: datetime = START + timedelta(days=1)) -> tuple[str, list[str]]:
    report = await contact_report(
        pool,
        LINK.address,
        policies=Policies(recommended_policy()),
        now=now,
        account=account,
    )
    assert report is not None
    return report.status, [change.new_status for change in report.history]


@pytest.fixture
async def shop(pool: WriterPool) -> None:
    """The account that the link names."""
    await make_accounts(pool, [LINK.account], now=START, actor="jane")


@pytest.mark.usefixtures("shop")
async def test_one_click_unsubscribes_once_however_often_it_comes(pool: WriterPool) -> None:
    writer = loads(pool)
    click = queued(b"List-Unsubscribe=One-Click")
    await process(writer, click, click)
    await process(writer, click)
    for seconds in (5, 600):
        await process(writer, queued(b"List-Unsubscribe=One-Click", after=timedelta(seconds=seconds)))
    assert await account_names(pool, limit=9) == ["shop-7"]
    assert await status(pool, "shop-7") == ("unsubscribed", ["unsubscribed"])
    assert await pool.fetchval("SELECT count(*) FROM entries") == 3


async def test_choices_of_the_page_add_up_to_the_strictest(pool: WriterPool) -> None:
    writer = loads(pool)
    link = UnsubscribeLink(address=LINK.address)
    for minute, choice in enumerate((b"fewer", b"list", b"commercial", b"never", b"list")):
        await process(writer, queued(b"choice=" + choice, link=link, after=timedelta(minutes=minute)))
    shown, history = await status(pool, "default")
    assert shown == "do_not_contact"
    assert history == ["do_not_contact", "declined_commercial", "unsubscribed"]


async def test_a_link_without_an_account_is_of_the_default_one(pool: WriterPool) -> None:
    await process(loads(pool), queued(b"choice=list", link=UnsubscribeLink(address=LINK.address, list="offers")))
    assert await pool.fetchval("SELECT account FROM contacts") == "default"


async def test_a_token_that_names_an_unknown_account_makes_none_and_its_wish_waits_for_a_person(
    pool: WriterPool,
    postgres_writer: PostgresWriter,
    postgres_reader: PostgresReader,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The script that makes the tokens misspells the account."""
    misspelt = replace(LINK, account="shop-77")
    writer = loads(pool)
    await process(writer, queued(b"List-Unsubscribe=One-Click", link=misspelt), queued(b"choice=list", link=LINK))
    assert await account_names(pool, limit=9) == []
    letters = await list_dead_letters(pool)
    assert [letter.reason for letter in letters] == ["unknown_account", "unknown_account"]
    details = " ".join(letter.detail for letter in letters)
    assert "`bouncekeeper accounts add shop-77`" in details
    assert "`bouncekeeper accounts add shop-7`" in details
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    aside = [line for line in lines if line["event"] == "delivery.set_aside"]
    assert [(line["source"], line["reason"]) for line in aside] == [(NAME, "unknown_account")] * 2

    await make_accounts(pool, ["shop-77", "shop-7"], now=START, actor="jane")
    await replay_dead_letters(pool, postgres_writer, reason="unknown_account", person="jane", now=START)
    for lease in await postgres_reader.take(max_parcels=10, max_wait_seconds=1):
        load = Load()
        writer.add(lease, load)
        await writer.store(load, asyncio.Semaphore(2))
    assert await status(pool, "shop-77") == ("unsubscribed", ["unsubscribed"])
    assert await status(pool, "shop-7") == ("unsubscribed", ["unsubscribed"])
    assert await list_dead_letters(pool) == []


@pytest.mark.usefixtures("shop")
async def test_of_two_acts_of_opposite_sense_within_a_minute_the_later_one_counts(pool: WriterPool) -> None:
    """She unsubscribes, signs up again by the form, and unsubscribes once more, within one minute by the clock."""
    writer = loads(pool)
    begin = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    rules = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START)

    async def click(second: int) -> None:
        await process(writer, queued(b"List-Unsubscribe=One-Click", after=begin + timedelta(seconds=second) - START))

    async def shown() -> str:
        return (await status(pool, LINK.account, now=datetime.now(UTC)))[0]

    await click(5)
    assert await shown() == "unsubscribed"
    resubscribed = make_event(
        Kind.RESUBSCRIBE,
        address=LINK.address,
        account=LINK.account,
        scope=LINK.list,
        day=(begin + timedelta(seconds=20) - START) / timedelta(days=1),
    )
    async with writing(pool) as connection:
        await apply_events(connection, [resubscribed], rules=rules, now=datetime.now(UTC))
    assert await shown() == "new"
    await click(50)
    assert await shown() == "unsubscribed"
    await click(50)
    assert await pool.fetchval("SELECT count(*) FROM entries") == 3
