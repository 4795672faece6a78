"""The recipients of campaigns: one row for each campaign and contact, with the first moment of each reported value.

Callers that write have locked the contact's row.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from schemas.campaign import CampaignValue
from worker.store.named_statement import NamedStatement
from worker.store.pool import Connection, Executor, WriterConnection, store_errors
from worker.store.row import Row

COLUMNS: Mapping[CampaignValue, str] = {
    CampaignValue.SENT: "first_at",  # every recipient has one
    **{value: f"{value}_at" for value in CampaignValue if value is not CampaignValue.SENT},
}
MOMENTS = tuple(COLUMNS.values())


class Recipient(Row, frozen=True):
    """The reports about one campaign's message to one contact."""

    contact_id: int
    campaign_id: int
    first_at: datetime
    delivered_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    soft_bounced_at: datetime | None
    hard_bounced_at: datetime | None
    error_at: datetime | None
    complaint_at: datetime | None
    unsubscribed_at: datetime | None

    def moment(self, value: CampaignValue) -> datetime | None:
        """When it was first reported."""
        at: datetime | None = getattr(self, COLUMNS[value])
        return at


class AddressedRecipient(Recipient, frozen=True):
    """A recipient with its contact."""

    address: str
    channel: str


class ContactCampaign(Recipient, frozen=True):
    """A recipient with its campaign."""

    name: str


class CampaignCounts(Struct, frozen=True, kw_only=True):
    """How many recipients have each value."""

    first_at: datetime | None  # None without any recipient
    latest_at: datetime | None
    of_values: dict[CampaignValue, int]


class CampaignReport(Struct, frozen=True, kw_only=True, gc=False):
    """The report of one event about one recipient."""

    contact_id: int
    campaign_id: int
    value: CampaignValue
    at: datetime


_PLACES = {value: place for place, value in enumerate(CampaignValue)}
_KNOWN = ", ".join(f"r.{column}" for column in MOMENTS)
_MERGED = ", ".join(f"least(r.{column}, EXCLUDED.{column})" for column in MOMENTS)

# Grouped and ordered, so that neighbours in the index are written together. Rows without a change are not written.
_MERGE = NamedStatement(f"""
    INSERT INTO campaign_recipients AS r (campaign_id, contact_id, {", ".join(MOMENTS)})
    SELECT campaign_id, contact_id, min(at), {
    ", ".join(f"min(at) FILTER (WHERE value = {place})" for place in range(1, len(MOMENTS)))
}
      FROM unnest(:campaign_ids::integer[], :contact_ids::bigint[], :values::smallint[], :moments::timestamptz[])
        AS e (campaign_id, contact_id, value, at)
     GROUP BY campaign_id, contact_id ORDER BY campaign_id, contact_id
    ON CONFLICT (campaign_id, contact_id) DO UPDATE SET ({", ".join(MOMENTS)}) = ROW ({_MERGED})
     WHERE ({_KNOWN}) IS DISTINCT FROM ({_MERGED})
""")  # noqa: S608 - the column lists are made of the names above

# LIMIT 1: so that each contact is looked up by its id. With a join Postgres may read all contacts up to the page.
_PAGE = f"""
    SELECT {AddressedRecipient.select_list()}
      FROM campaign_recipients r, LATERAL (SELECT address, channel FROM contacts WHERE id = r.contact_id LIMIT 1) c
     WHERE r.campaign_id = :campaign_id AND r.contact_id > :after AND r.{{column}} IS NOT NULL
     ORDER BY r.contact_id LIMIT {{limit:d}}
"""  # noqa: S608 - as above; with the limit as a parameter Postgres may read the whole campaign for each page

_COUNTS = f"""
    SELECT min(first_at) AS earliest, max(first_at) AS latest, {
    ", ".join(f"count({column}) AS {column}" for column in MOMENTS)
}
      FROM campaign_recipients WHERE campaign_id = $1
"""  # noqa: S608 - as above

_OF_CONTACT = NamedStatement(f"""
    SELECT {ContactCampaign.select_list()}
      FROM campaign_recipients r JOIN campaigns k ON k.id = r.campaign_id
     WHERE r.contact_id = :contact_id ORDER BY r.first_at DESC, r.campaign_id DESC LIMIT :limit
""")  # noqa: S608 - as above

# Contacts that are joined may have received the same campaign.
_MOVE = NamedStatement(f"""
    INSERT INTO campaign_recipients AS r (campaign_id, contact_id, {", ".join(MOMENTS)})
    SELECT campaign_id, i.new, {", ".join(f"min({column})" for column in MOMENTS)}
      FROM campaign_recipients o JOIN unnest(:old::bigint[], :new::bigint[]) AS i (old, new) ON i.old = o.contact_id
     GROUP BY campaign_id, i.new
    ON CONFLICT (campaign_id, contact_id) DO UPDATE SET ({", ".join(MOMENTS)}) = ROW ({_MERGED})
""")  # noqa: S608 - as above

_DROP = """
    DELETE FROM campaign_recipients r
     WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM campaign_recipients WHERE first_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED
     ))
"""


async def merge_reports(connection: WriterConnection, reports: Sequence[CampaignReport]) -> None:
    """Adds the reports to the recipients; a repeat changes nothing."""
    if reports:
        await connection.execute(
            *_MERGE(
                campaign_ids=[report.campaign_id for report in reports],
                contact_ids=[report.contact_id for report in reports],
                values=[_PLACES[report.value] for report in reports],
                moments=[report.at for report in reports],
            )
        )


async def recipients_page(
    executor: Executor, campaign_id: int, *, value: CampaignValue, after: int, limit: int
) -> list[AddressedRecipient]:
    """Up to `limit` recipients with this value, in the order of their contacts' ids. Raises StoreUnavailable."""
    with store_errors("reading recipients of a campaign"):
        statement = NamedStatement(_PAGE.format(column=COLUMNS[value], limit=limit))
        return AddressedRecipient.rows(await executor.fetch(*statement(campaign_id=campaign_id, after=after)))


async def count_recipients(executor: Executor, campaign_id: int) -> CampaignCounts:
    """Counts the recipients by value. Reads the whole campaign. Raises StoreUnavailable."""
    with store_errors("counting recipients of a campaign"):
        record = await executor.fetchrow(_COUNTS, campaign_id)
    if record is None:
        raise AssertionError("an aggregate has a row")
    return CampaignCounts(
        first_at=record["earliest"],
        latest_at=record["latest"],
        of_values={value: record[column] for value, column in COLUMNS.items()},
    )


async def campaigns_of_contact(executor: Executor, contact_id: int, *, limit: int) -> list[ContactCampaign]:
    """The contact's latest campaigns, latest first. Raises StoreUnavailable."""
    with store_errors("reading a contact's campaigns"):
        return ContactCampaign.rows(await executor.fetch(*_OF_CONTACT(contact_id=contact_id, limit=limit)))


async def move_recipients(connection: Connection, into: Mapping[int, int]) -> None:
    """Moves the campaigns of contacts that are keys to those that are values; the keys are about to be deleted."""
    old = list(into.keys())
    await connection.execute(*_MOVE(old=old, new=list(into.values())))
    await connection.execute("DELETE FROM campaign_recipients WHERE contact_id = ANY ($1::bigint[])", old)


async def drop_recipients_before(connection: Connection, moment: datetime, *, limit: int) -> int:
    """Drops up to `limit` rows that were first reported before the moment. Returns how many."""
    tag = await connection.execute(_DROP, moment, limit)
    return int(tag.rpartition(" ")[2])
