"""How well an account's mail is received, computed from its contacts at each question.

Limits: Google and Yahoo want complaints below 0.1 % and block senders at 0.3 %; Amazon SES reviews an account at 5 %
bounces and may stop it at 10 %.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from worker.store.account_counts import AccountCounts, count_contacts
from worker.store.pool import Executor

PERIOD = timedelta(days=30)
_FEWEST_CONTACTS = 100
_COMPLAINTS_AT_RISK, _COMPLAINTS_BAD = 0.001, 0.003
_BOUNCES_AT_RISK, _BOUNCES_BAD = 0.05, 0.10


class Standing(StrEnum):
    """What mailbox providers and ESPs are likely to think of the account."""

    UNKNOWN = "unknown"  # too few contacts to tell
    GOOD = "good"
    AT_RISK = "at_risk"
    BAD = "bad"


class AccountStanding(Struct, frozen=True, kw_only=True):
    """The standing, and the rates behind it. All of them cover the last 30 days."""

    standing: Standing
    contacts: int  # with a report
    complaint_rate: float  # of these contacts, from 0 to 1
    bounce_rate: float  # blocklisted contacts of these contacts, from 0 to 1
    sentence: str


async def account_standing(executor: Executor, account: str, *, now: datetime) -> AccountStanding:
    """The standing of an account that exists. Raises StoreUnavailable."""
    return standing_of(await count_contacts(executor, account, since=now - PERIOD))


def standing_of(counts: AccountCounts) -> AccountStanding:
    """The standing that follows from these contacts."""
    complaints = counts.complained / counts.contacts if counts.contacts else 0.0
    bounces = counts.blocklisted / counts.contacts if counts.contacts else 0.0
    if counts.contacts < _FEWEST_CONTACTS:
        standing = Standing.UNKNOWN
    elif complaints >= _COMPLAINTS_BAD or bounces >= _BOUNCES_BAD:
        standing = Standing.BAD
    elif complaints >= _COMPLAINTS_AT_RISK or bounces >= _BOUNCES_AT_RISK:
        standing = Standing.AT_RISK
    else:
        standing = Standing.GOOD
    return AccountStanding(
        standing=standing,
        contacts=counts.contacts,
        complaint_rate=complaints,
        bounce_rate=bounces,
        sentence=(
            f"of {counts.contacts} contacts with a report in the last {PERIOD.days} days, {counts.complained} "
            f"complained ({complaints:.2%}) and {counts.blocklisted} were blocklisted ({bounces:.2%})"
        ),
    )
