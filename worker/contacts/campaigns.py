"""Campaigns and their recipients: written with the events that report them, and shown."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from schemas.campaign import CampaignValue, campaign_name, value_of_event
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Channel, System
from worker.policy.campaign_names import campaign_name_in
from worker.policy.campaign_value import recipients_value
from worker.store.campaign_recipients import (
    MOMENTS,
    CampaignReport,
    Recipient,
    campaigns_of_contact,
    count_recipients,
    merge_reports,
    recipients_page,
)
from worker.store.campaigns import Campaigns, campaign_id
from worker.store.pool import Executor, WriterConnection

SHOWN_CAMPAIGNS = 50  # of a contact


class RecipientView(Struct, frozen=True, kw_only=True):
    """The reports on a campaign's message to one contact; each moment is the earliest report."""

    value: CampaignValue  # one word for all moments
    name: str | None  # of the value in the system that the caller asked for
    first_at: datetime
    delivered_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    soft_bounced_at: datetime | None
    hard_bounced_at: datetime | None
    error_at: datetime | None
    complaint_at: datetime | None
    unsubscribed_at: datetime | None


class ContactCampaignView(RecipientView, frozen=True, kw_only=True):
    """One campaign of a contact."""

    campaign: str


class CampaignRecipientView(RecipientView, frozen=True, kw_only=True):
    """One recipient of a campaign."""

    address: str
    channel: Channel


class RecipientsAnswer(Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/campaigns/{campaign}/recipients`."""

    campaign: str
    account: str
    recipients: tuple[CampaignRecipientView, ...]
    next: int | None  # the `after` of the next page; None: this is the last one


class CampaignAnswer(Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/campaigns/{campaign}`."""

    campaign: str
    account: str
    first_at: datetime | None  # of all recipients
    latest_at: datetime | None  # the latest of their first moments
    recipients: dict[CampaignValue, int]  # per value; one recipient may have several


async def write_campaign_events(
    connection: WriterConnection, campaigns: Campaigns, events: Sequence[tuple[FeedbackEvent, int]]
) -> None:
    """Writes what new events report about recipients of their campaigns; each event comes with its contact's id."""
    reported = [
        ((event.account, event.campaign or ""), contact_id, value, event.occurred_at)
        for event, contact_id in events
        if (value := value_of_event(event)) is not None
    ]
    ids = await campaigns.ids_of(connection, {key for key, _, _, _ in reported})
    reports = [
        CampaignReport(contact_id=contact_id, campaign_id=ids[key], value=value, at=at)
        for key, contact_id, value, at in reported
    ]
    await merge_reports(connection, reports)


async def contact_campaigns(
    executor: Executor, contact_id: int, *, names: System | None
) -> tuple[ContactCampaignView, ...]:
    """The latest campaigns of a contact, latest first. Raises StoreUnavailable."""
    rows = await campaigns_of_contact(executor, contact_id, limit=SHOWN_CAMPAIGNS)
    return tuple(ContactCampaignView(campaign=row.name, **_shown(row, names)) for row in rows)


class KnownCampaign(Struct, frozen=True, kw_only=True):
    """A campaign that has recipients."""

    account: str
    name: str  # in its one spelling
    id: int


async def known_campaign(executor: Executor, account: str, campaign: str) -> KnownCampaign | None:
    """The campaign, whichever spelling is asked for; None if it has no recipients. Raises StoreUnavailable."""
    name = campaign_name(campaign)
    if name is None:
        return None
    row_id = await campaign_id(executor, account=account, name=name)
    return None if row_id is None else KnownCampaign(account=account, name=name, id=row_id)


async def recipients_of(
    executor: Executor,
    campaign: KnownCampaign,
    *,
    value: CampaignValue,
    after: int,
    limit: int,
    names: System | None,
) -> RecipientsAnswer:
    """A page of the campaign's recipients that have this value. Raises StoreUnavailable."""
    rows = await recipients_page(executor, campaign.id, value=value, after=after, limit=limit + 1)
    return RecipientsAnswer(
        campaign=campaign.name,
        account=campaign.account,
        recipients=tuple(
            CampaignRecipientView(address=row.address, channel=Channel(row.channel), **_shown(row, names))
            for row in rows[:limit]
        ),
        next=rows[limit - 1].contact_id if len(rows) > limit else None,
    )


async def campaign_report(executor: Executor, campaign: KnownCampaign) -> CampaignAnswer:
    """How many recipients have each value. Raises StoreUnavailable."""
    counts = await count_recipients(executor, campaign.id)
    return CampaignAnswer(
        campaign=campaign.name,
        account=campaign.account,
        first_at=counts.first_at,
        latest_at=counts.latest_at,
        recipients=counts.of_values,
    )


def _shown(row: Recipient, names: System | None) -> dict[str, Any]:
    value = recipients_value(row.moment)
    moments = {name: getattr(row, name) for name in MOMENTS}
    return {"value": value, "name": None if names is None else campaign_name_in(names, value), **moments}
