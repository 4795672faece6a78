"""What became of a campaign's message to each recipient: the same in whatever order, and however often, it is told."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.campaign import CampaignValue
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Channel, Kind
from tests.contacts.test_decisions import JANE, POLICY, RULES
from tests.properties import examples, few
from tests.schemas.feedback_events import START, arrivals, histories, make_event
from tests.stored_contacts import EMPTY_LOG
from worker.contacts.applying import apply_events
from worker.contacts.campaigns import SHOWN_CAMPAIGNS, campaign_report, known_campaign, recipients_of
from worker.contacts.policies import Policies
from worker.contacts.report import ContactReport, contact_report
from worker.contacts.respelling import respell_contacts
from worker.contacts.retention import drop_old_recipients
from worker.store.event_rows import EventEncoder
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

NOW = datetime.now(UTC)
JOE = "joe@example.org"
_ROWS = """
    SELECT c.address, k.name, r.* FROM campaign_recipients r JOIN contacts c ON c.id = r.contact_id
      JOIN campaigns k ON k.id = r.campaign_id ORDER BY c.address, k.name
"""


async def apply(pool: WriterPool, *events: FeedbackEvent, encoder: EventEncoder | None = None) -> None:
    if encoder is not None:
        await encoder.learn(pool, events)
    async with writing(pool) as connection:
        applied = await apply_events(connection, events, rules=RULES, now=NOW, encoder=encoder)
    if applied.leftover:
        await apply(pool, *applied.leftover, encoder=encoder)


def of(campaign: str | None, kind: Kind, cause: Cause = Cause.NONE, **fields: Any) -> FeedbackEvent:
    return replace(make_event(kind, cause=cause, **fields), campaign=campaign)


async def report(pool: WriterPool, address: str = JANE) -> ContactReport:
    found = await contact_report(pool, address, policies=Policies(POLICY), now=NOW)
    assert found is not None
    return found


async def value(pool: WriterPool) -> CampaignValue:
    (campaign,) = (await report(pool)).campaigns
    return campaign.value


async def counts(pool: WriterPool, campaign: str = "spring") -> dict[str, int]:
    known = await known_campaign(pool, "default", campaign)
    assert known is not None
    answer = await campaign_report(pool, known)
    return {value.value: count for value, count in answer.recipients.items() if count}


async def recipients(pool: WriterPool, value: CampaignValue = CampaignValue.SENT, limit: int = 2) -> list[str]:
    """All of the campaign `spring`, read page by page."""
    spring = await known_campaign(pool, "default", "spring")
    assert spring is not None
    addresses, after = [], 0
    while True:
        page = await recipients_of(pool, spring, value=value, after=after, limit=limit, names=None)
        addresses += [one.address for one in page.recipients]
        if page.next is None:
            return addresses
        after = page.next


@pytest.mark.parametrize(
    ("events", "word"),
    few(
        [
            ([(Kind.ACCEPTED, Cause.NONE)], "sent"),
            ([(Kind.DEFERRED, Cause.GREYLISTED)], "sent"),
            ([(Kind.ACCEPTED, Cause.NONE), (Kind.DELIVERED, Cause.NONE)], "delivered"),
            ([(Kind.DELIVERED, Cause.NONE), (Kind.OPENED, Cause.NONE)], "opened"),
            ([(Kind.DELIVERED, Cause.NONE), (Kind.OPENED, Cause.NONE), (Kind.CLICKED, Cause.NONE)], "clicked"),
            ([(Kind.ACCEPTED, Cause.NONE), (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)], "soft_bounced"),
            ([(Kind.DELIVERED, Cause.NONE), (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)], "soft_bounced"),
            ([(Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL), (Kind.DELIVERED, Cause.NONE)], "delivered"),
            ([(Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST), (Kind.DELIVERED, Cause.NONE)], "hard_bounced"),
            ([(Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST), (Kind.CLICKED, Cause.NONE)], "clicked"),
            ([(Kind.BLOCKED, Cause.SENDER_REPUTATION)], "error"),
            ([(Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)], "error"),
            ([(Kind.CLICKED, Cause.NONE), (Kind.UNSUBSCRIBE, Cause.NONE)], "unsubscribed"),
            ([(Kind.DELIVERED, Cause.NONE), (Kind.FORBIDS_CONTACT, Cause.NONE)], "unsubscribed"),
            ([(Kind.COMPLAINT, Cause.ABUSE_REPORT), (Kind.UNSUBSCRIBE, Cause.NONE)], "complaint"),
        ],
        5,
        one_name=False,
    ),
)
async def test_a_recipient_has_the_gravest_or_most_advanced_value(
    pool: WriterPool, events: Sequence[tuple[Kind, Cause]], word: str
) -> None:
    await apply(pool, *(of("spring", kind, cause, day=day) for day, (kind, cause) in enumerate(events)))
    assert await value(pool) == word


async def test_each_value_has_the_moment_at_which_it_was_first_reported(pool: WriterPool) -> None:
    for day in (5, 3, 4):
        await apply(pool, of("spring", Kind.OPENED, day=day), of("spring", Kind.DELIVERED, day=day - 2))
    (campaign,) = (await report(pool)).campaigns
    assert campaign.campaign == "spring"
    assert campaign.first_at == campaign.delivered_at == START + timedelta(days=1)
    assert campaign.opened_at == START + timedelta(days=3)
    assert campaign.clicked_at is None


async def test_a_machine_that_opens_and_clicks_tells_only_that_there_is_a_message(pool: WriterPool) -> None:
    await apply(pool, of("spring", Kind.OPENED, machine=True), of("spring", Kind.CLICKED, machine=True, day=1))
    assert await value(pool) == "sent"


@pytest.mark.parametrize(
    ("kind", "cause"), [(Kind.OTHER, Cause.NONE), (Kind.RESUBSCRIBE, Cause.NONE), (Kind.DELIVERED, Cause.TEST)]
)
async def test_what_tells_nothing_of_a_message_makes_no_recipient(pool: WriterPool, kind: Kind, cause: Cause) -> None:
    await apply(pool, of("spring", kind, cause))
    assert not (await report(pool)).campaigns


@pytest.mark.parametrize("encoder", [None, EventEncoder()])
async def test_what_tells_nothing_of_a_message_makes_no_campaign(
    pool: WriterPool, encoder: EventEncoder | None
) -> None:
    await apply(pool, of("spring", Kind.DELIVERED, Cause.TEST), encoder=encoder)
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 0


async def test_a_campaign_without_recipients_is_unknown(pool: WriterPool) -> None:
    await pool.execute("INSERT INTO campaigns (account, name) VALUES ('default', 'spring')")
    assert await known_campaign(pool, "default", "spring") is None


async def test_an_event_without_a_campaign_leaves_no_trace(pool: WriterPool) -> None:
    await apply(pool, of(None, Kind.DELIVERED), encoder=EventEncoder())
    assert not (await report(pool)).campaigns
    assert await pool.fetchval("SELECT count(*) FROM campaigns") == 0


async def test_the_recipients_of_a_campaign_are_listed_by_value_in_pages(pool: WriterPool) -> None:
    addresses = [f"user{number}@example.org" for number in range(5)]
    await apply(pool, *(of("spring", Kind.DELIVERED, address=address) for address in addresses))
    await apply(pool, of("autumn", Kind.DELIVERED, address=JOE))
    await apply(pool, of("spring", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, address=addresses[3], day=1))
    await apply(pool, of("spring", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, address="new@example.org", day=1))
    assert sorted(await recipients(pool)) == sorted([*addresses, "new@example.org"])
    assert await recipients(pool, CampaignValue.HARD_BOUNCED) == [addresses[3], "new@example.org"]
    assert await recipients(pool, CampaignValue.CLICKED) == []
    assert await counts(pool) == {"sent": 6, "delivered": 5, "hard_bounced": 2}
    assert await counts(pool, "autumn") == {"sent": 1, "delivered": 1}


async def test_accounts_have_campaigns_of_their_own(pool: WriterPool) -> None:
    encoder = EventEncoder()
    await apply(pool, of("spring", Kind.DELIVERED), encoder=encoder)
    await apply(pool, of("spring", Kind.DELIVERED, account="shop", address=JOE), encoder=encoder)
    assert await recipients(pool) == [JANE]
    assert await known_campaign(pool, "elsewhere", "spring") is None


async def test_a_contact_shows_its_latest_campaigns(pool: WriterPool) -> None:
    most = SHOWN_CAMPAIGNS
    await apply(pool, *(of(f"c{number}", Kind.DELIVERED, day=number) for number in range(most + 5)))
    shown = (await report(pool)).campaigns
    assert [one.campaign for one in shown] == [f"c{number}" for number in range(most + 4, 4, -1)]


async def test_contacts_that_become_one_have_the_earliest_moments_of_both(pool: WriterPool) -> None:
    await apply(pool, of("spring", Kind.DELIVERED, day=2), of("spring", Kind.CLICKED, day=3))
    await apply(pool, of("spring", Kind.DELIVERED, day=1, address=JOE), of("autumn", Kind.OPENED, day=4, address=JOE))
    await pool.execute("UPDATE contacts SET address = 'Jane@Example.org' WHERE address = $1", JOE)
    await respell_contacts(pool, Policies(POLICY))
    shown = {one.campaign: one for one in (await report(pool)).campaigns}
    assert shown["spring"].delivered_at == START + timedelta(days=1)
    assert shown["spring"].clicked_at == START + timedelta(days=3)
    assert set(shown) == {"spring", "autumn"}
    assert await pool.fetchval("SELECT count(DISTINCT contact_id) FROM campaign_recipients") == 1


async def test_old_recipients_are_dropped_and_their_contacts_stay(pool: WriterPool) -> None:
    await apply(pool, *(of(f"c{day}", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, day=day) for day in range(7)))
    await drop_old_recipients(pool, now=START + timedelta(days=14), days=0)
    assert len((await report(pool)).campaigns) == 7
    await drop_old_recipients(pool, now=START + timedelta(days=14), days=10, rows_at_once=2)
    found = await report(pool)
    assert [one.campaign for one in found.campaigns] == ["c6", "c5", "c4"]
    assert len(found.events) == 7


async def test_ids_of_campaigns_are_not_used_up_by_those_that_are_there(pool: WriterPool) -> None:
    for day in range(5):
        await apply(pool, of("spring", Kind.OPENED, day=day), encoder=EventEncoder())
    await apply(pool, of("autumn", Kind.OPENED, day=9), encoder=EventEncoder())
    assert [row["id"] for row in await pool.fetch("SELECT id FROM campaigns ORDER BY id")] == [1, 2]


def with_campaigns(events: Sequence[FeedbackEvent], campaigns: Sequence[str | None]) -> list[FeedbackEvent]:
    return [replace(event, campaign=campaign) for event, campaign in zip(events, campaigns, strict=False)]


async def _stored(pool: WriterPool, batches: Sequence[Sequence[FeedbackEvent]]) -> list[tuple[Any, ...]]:
    await pool.execute(EMPTY_LOG)
    encoder = EventEncoder()
    for batch in batches:
        await apply(pool, *batch, encoder=encoder)
    rows = await pool.fetch(_ROWS)
    return [tuple(value for name, value in row.items() if name not in {"contact_id", "campaign_id"}) for row in rows]


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_any_order_repeats_and_batches_leave_the_same_rows(pool: WriterPool, data: st.DataObject) -> None:
    events = data.draw(histories([JANE, JOE]))
    campaigns = data.draw(
        st.lists(st.sampled_from(["spring", "autumn", None]), min_size=len(events), max_size=len(events))
    )
    events = with_campaigns(events, campaigns)
    at_once = await _stored(pool, [[event] for event in sorted(events, key=lambda event: event.occurred_at)])
    assert await _stored(pool, data.draw(arrivals(events))) == at_once


async def test_text_messages_have_campaigns_too(pool: WriterPool) -> None:
    await apply(pool, of("spring", Kind.DELIVERED, address="+491701234567", channel=Channel.SMS))
    spring = await known_campaign(pool, "default", "spring")
    assert spring is not None
    page = await recipients_of(pool, spring, value=CampaignValue.DELIVERED, after=0, limit=10, names=None)
    assert [(one.address, one.channel) for one in page.recipients] == [("+491701234567", Channel.SMS)]
