"""Many contacts, half of whom the recommended policy blocks and the one of ESPs does not; and an SMTP server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from schemas.vocabulary import Cause, Kind
from tests.jobs.smtp_server import SmtpServer, smtp_server
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies, configure_policy
from worker.policy.policy_file import preset
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

NOW = datetime.now(UTC)  # a job's own clock is the real one
AT_ONCE = 2000
_LAST_DAY = (NOW - START) / timedelta(days=1) - 1
DAYS = tuple(_LAST_DAY - ago for ago in (16, 12, 8, 4, 0))


@pytest.fixture
def fill(pool: WriterPool) -> Callable[[int], Awaitable[None]]:
    """Makes so many contacts under the recommended policy: the even ones have five strikes, the others one."""

    async def make(count: int) -> None:
        await configure_policy(pool, preset("recommended"), now=NOW)
        rules = BatchRules(policies=Policies(preset("recommended")), oldest_kept=START - timedelta(days=400))
        for first in range(0, count, AT_ONCE):
            events = [
                make_event(
                    Kind.SOFT_BOUNCE,
                    cause=Cause.MAILBOX_FULL,
                    day=day,
                    message=f"m{day}",
                    address=f"contact-{number}@example.org",
                    account="shop-eu" if number % 3 == 0 else "default",
                )
                for number in range(first, min(first + AT_ONCE, count))
                for day in (DAYS if number % 2 == 0 else DAYS[:1])
            ]
            async with writing(pool) as connection:
                await apply_events(connection, events, rules=rules, now=NOW)

    return make


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as server:
        yield server
