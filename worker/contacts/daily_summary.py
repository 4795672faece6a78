"""An account's daily summary: made once a day, of the safelist requests that were decided before its hour."""

from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from schemas.safelist import RequestKind, RequestState
from worker.policy.summary_schedule import summary_day
from worker.policy.summary_text import MOST_SHOWN_REQUESTS, DecidedRequest, SummaryText, summary_text
from worker.process.logs import get_logger
from worker.store.accounts import Account, read_account
from worker.store.daily_summaries import (
    StoredSummary,
    SummaryContent,
    accounts_to_sum_up,
    insert_summary,
    mails_of_summary,
    next_summary_content,
    summary_content,
    summary_of_day,
)
from worker.store.pool import Executor, Pool
from worker.store.sessions import transaction

_log = get_logger()

DEFAULT_ZONE = "America/New_York"


class MailView(Struct, frozen=True, kw_only=True):
    """How far one recipient's mail is."""

    recipient: str
    state: str  # waiting, handing_over, accepted, refused or unsure
    attempts: int
    changed_at: datetime
    answer: str


class SummaryView(Struct, frozen=True, kw_only=True):
    """A summary for display. A summary that is not made yet may still grow."""

    account: str
    local_date: date
    time_zone: str
    made_at: datetime | None  # None: not made yet
    approved: int
    declined: int
    subject: str | None  # None: nothing to report
    text: str | None
    mails: tuple[MailView, ...]


def account_zone(account: Account) -> ZoneInfo:
    """The account's time zone; the default one, with a line in the log, if this machine's data does not have it."""
    try:
        return ZoneInfo(account.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        _log.warning(
            "summary.zone_unknown", account=account.name, time_zone=account.time_zone, reason=type(error).__name__
        )
        return ZoneInfo(DEFAULT_ZONE)


async def make_due_summaries(
    pool: Pool, *, hour: int, mailed: bool, now: datetime, account: str | None = None
) -> list[StoredSummary]:
    """Makes the summaries that are due at `now`, of one account or of all; returns the new ones.

    With `mailed` each recipient gets a mail. Without decided requests there is no summary. Raises StoreUnavailable.
    """
    summaries = []
    for one in await accounts_to_sum_up(pool, account=account):
        zone = account_zone(one)
        day = summary_day(now, zone=zone, hour=hour)
        if day is None:
            continue
        async with transaction(pool, "making a daily summary") as connection:
            summary = await insert_summary(
                connection,
                one.name,
                local_date=day.local_date,
                covers_until=day.due_at,
                recipients=one.summary_recipients if mailed else (),
                now=now,
            )
        if summary is None:
            continue
        summaries.append(summary)
        content = await summary_content(pool, summary.id, most=MOST_SHOWN_REQUESTS)
        text = _text(content, one.name, summary.local_date, zone)
        _log.info(
            "summary.made",
            account=one.name,
            local_date=summary.local_date.isoformat(),
            summary_id=summary.id,
            text=text.headline,
            approved=text.approved,
            declined=text.declined,
            recipients=len(set(one.summary_recipients)) if mailed else 0,
        )
    return summaries


async def text_of_summary(executor: Executor, summary: StoredSummary) -> SummaryText:
    """The text of a summary that was made; it never changes. Raises StoreUnavailable."""
    content = await summary_content(executor, summary.id, most=MOST_SHOWN_REQUESTS)
    return _text(content, summary.account, summary.local_date, await _zone_of(executor, summary.account))


async def summary_view(executor: Executor, name: str, *, local_date: date | None, now: datetime) -> SummaryView:
    """An account's summary of a day; without a day, what the next one would say now.

    Raises StoreUnavailable.
    """
    zone = await _zone_of(executor, name)
    stored = None if local_date is None else await summary_of_day(executor, name, local_date)
    content = None
    if stored is not None:
        content = await summary_content(executor, stored.id, most=MOST_SHOWN_REQUESTS)
    elif local_date is None:
        content = await next_summary_content(executor, name, most=MOST_SHOWN_REQUESTS)
    day = local_date or now.astimezone(zone).date()
    text = _text(content, name, day, zone) if content is not None and content.requests else None
    mails = [] if stored is None else await mails_of_summary(executor, stored.id)
    return SummaryView(
        account=name,
        local_date=day,
        time_zone=zone.key,
        made_at=None if stored is None else stored.made_at,
        approved=0 if text is None else text.approved,
        declined=0 if text is None else text.declined,
        subject=None if text is None else text.subject,
        text=None if text is None else text.plain,
        mails=tuple(
            MailView(
                recipient=mail.recipient,
                state=mail.state,
                attempts=mail.attempts,
                changed_at=mail.changed_at,
                answer=mail.answer,
            )
            for mail in mails
        ),
    )


async def local_date_of(executor: Executor, name: str, *, now: datetime) -> date:
    """The date in the account's time zone. Raises StoreUnavailable."""
    return now.astimezone(await _zone_of(executor, name)).date()


async def _zone_of(executor: Executor, name: str) -> ZoneInfo:
    """The account's time zone; the default one if only the configuration names the account so far."""
    account = await read_account(executor, name)
    return ZoneInfo(DEFAULT_ZONE) if account is None else account_zone(account)


def _text(content: SummaryContent, account: str, local_date: date, zone: ZoneInfo) -> SummaryText:
    decided = [
        DecidedRequest(
            id=one.id,
            address=one.address,
            kind=RequestKind(one.kind),
            state=RequestState(one.state),
            note=one.note,
            requested_by=one.requested_by,
            decided_at=one.decided_at,
            decided_by=one.decided_by,
            decline_reason=one.decline_reason,
            decision_note=one.decision_note,
        )
        for one in content.requests
        if one.decided_at is not None and one.decided_by is not None
    ]
    counts = {(RequestKind(kind), RequestState(state)): count for (kind, state), count in content.counts.items()}
    return summary_text(decided, counts, account=account, local_date=local_date, zone=zone, zone_name=zone.key)
