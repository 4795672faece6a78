"""Signed webhooks of real vendors, through receiver, queue and processor, become recipients of a campaign."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from schemas.campaign import CampaignValue
from schemas.envelope import Envelope, new_delivery_id
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from tests.processor.test_unknown_accounts import loads, process
from tests.processor.test_unsubscribe import LINK, queued
from tests.properties import few
from tests.receiver.running_receiver import RunningReceiver, take_envelopes
from worker.contacts.campaigns import CampaignRecipientView, known_campaign, recipients_of
from worker.queue.postgres import PostgresReader, PostgresWriter
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.sample import SampleEvent
from worker.store.pool import WriterPool

NOW = datetime.now(UTC).replace(microsecond=0)  # where nothing is signed
GONE, KEEN, FULL = "gone@example.org", "keen@example.org", "full@example.org"
TOLD = [
    (GONE, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (FULL, Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (KEEN, Kind.DELIVERED, Cause.NONE),
]
# Where each vendor carries what its sender calls the campaign: its own variables, or a field of the vendor's.
CASES = [
    ("sendgrid", "", {"metadata": {"singlesend_id": "spring"}}),
    ("sendgrid", "tag.campaign-", {"tags": ("campaign-spring",)}),
    ("mailgun", "metadata.campaign", {"metadata": {"campaign": "spring"}}),
    ("postmark", "metadata.campaign", {"metadata": {"campaign": "spring"}}),
    ("sparkpost", "metadata.campaign", {"metadata": {"campaign": "spring"}}),
    ("mandrill", "metadata.campaign", {"metadata": {"campaign": "spring"}}),
    ("mailjet", "", {"tags": ("spring",)}),
    ("resend", "raw.data.tags.campaign", {"metadata": {"campaign": "spring"}}),
    ("brevo", "metadata.campaign", {"metadata": {"campaign": "spring"}}),
    ("bouncekeeper", "metadata.campaign", {"metadata": {"campaign": "spring"}}),
]


async def recipients(pool: WriterPool) -> dict[str, CampaignRecipientView]:
    spring = await known_campaign(pool, "default", "spring")
    assert spring is not None
    page = await recipients_of(pool, spring, value=CampaignValue.SENT, after=0, limit=100, names=None)
    return {one.address: one for one in page.recipients}


@pytest.mark.parametrize(("provider", "rule", "fields"), few(CASES, 3, one_name=False))
async def test_signed_webhooks_become_recipients_of_the_campaign_once(
    pool: WriterPool, database_dsn: str, provider: str, rule: str, fields: dict[str, object]
) -> None:
    sender, now = SAMPLE_SENDERS[provider](), datetime.now(UTC).replace(microsecond=0)
    source = replace(sender.source("esp"), campaign_from=rule)
    events = [
        SampleEvent(
            address=address,
            kind=kind,
            cause=cause,
            occurred_at=now - timedelta(minutes=1),
            message_id=f"message-{address}",
            **fields,  # type: ignore[arg-type]
        )
        for address, kind, cause in TOLD
    ]
    webhooks = sender.requests(events, now=now)
    queue, reader = await PostgresWriter.open(database_dsn), await PostgresReader.open(database_dsn)
    receiver = await RunningReceiver.start(sources=[source], writer=queue)
    answers = [(await receiver.post(webhook, "esp"))[0] for webhook in webhooks]
    assert set(answers) == {200}
    envelopes = await take_envelopes(reader, len(webhooks))
    await receiver.stop()
    writer = loads(pool, source)
    for _ in range(2):  # as a broker lends parcels again
        await process(writer, *reversed(envelopes))
    await reader.close()
    await queue.close()

    found = await recipients(pool)
    assert {address: one.value.value for address, one in found.items()} == {
        GONE: "hard_bounced",
        FULL: "soft_bounced",
        KEEN: "delivered",
    }
    assert found[KEEN].delivered_at == now - timedelta(minutes=1)
    assert await pool.fetchval("SELECT count(*) FROM campaign_recipients") == len(TOLD)


async def test_an_unsubscribe_link_names_the_campaign_of_its_mail(pool: WriterPool) -> None:
    link = replace(LINK, campaign="spring", account="")
    await process(loads(pool), queued(b"List-Unsubscribe=One-Click", link=link))
    assert (await recipients(pool))[LINK.address].value is CampaignValue.UNSUBSCRIBED


async def test_two_processors_that_meet_a_new_campaign_at_once_agree_on_its_id(pool: WriterPool) -> None:
    sender = SAMPLE_SENDERS["sparkpost"]()
    source = replace(sender.source("esp"), campaign_from="metadata.campaign")

    def of(address: str, *campaigns: str) -> Sequence[SampleEvent]:
        return [
            SampleEvent(
                address=address,
                kind=Kind.DELIVERED,
                occurred_at=NOW - timedelta(minutes=1),
                message_id=f"{campaign}-{address}",
                metadata={"campaign": campaign},
            )
            for campaign in campaigns
        ]

    names = [f"c{number}" for number in range(40)]
    envelopes = [
        _envelope(source, sender.requests(of(f"user{number}@example.org", *order), now=NOW)[0].body)
        for number, order in enumerate((names, names[::-1], names[20:] + names[:20], names))
    ]
    await asyncio.gather(*(process(loads(pool, source), one) for one in envelopes))
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == len(names)
    assert await pool.fetchval("SELECT count(*) FROM campaign_recipients") == len(names) * len(envelopes)


def _envelope(source: Source, body: bytes) -> Envelope:
    return Envelope(
        delivery_id=new_delivery_id(),
        source=source.name,
        provider=source.provider,
        account=source.account,
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=body,
    )
