"""Safelist requests as tests make and review them, on a real Postgres."""

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.decision import Role
from schemas.safelist import DeclineReason, Medium, PersonsWish, RequestKind
from schemas.vocabulary import Cause, Channel, Kind
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import apply_events
from worker.contacts.batch_terms import BatchRules
from worker.contacts.policies import Policies
from worker.contacts.principal import Principal
from worker.contacts.safelist_answer import SafelistAnswer
from worker.contacts.safelist_facts import AccountFacts, SafelistQuestion
from worker.contacts.safelist_requests import request_contacts
from worker.contacts.safelist_review import Review, ReviewAnswer, review_request
from worker.policy.policy_file import recommended_policy
from worker.policy.safelist import AttemptLimits, Reputation
from worker.policy.safelist_presets import safelist_rules
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

BATCH = BatchRules(policies=Policies(recommended_policy()), oldest_kept=datetime(2020, 1, 1, tzinfo=UTC))
KIM = Principal(token_id=None, name="kim", role=Role.READER, account=None)
ANNA = Principal(token_id=None, name="anna", role=Role.OPERATOR, account=None)
JANE = "jane@example.org"
GOOD = AccountFacts(since=datetime(2020, 1, 1, tzinfo=UTC), reputation=Reputation.GOOD)


async def report(
    pool: WriterPool, kind: Kind, cause: Cause = Cause.NONE, *, address: str = JANE, **fields: Any
) -> None:
    """An ESP reports this a moment ago, unless told otherwise."""
    ago = fields.pop("ago", timedelta(seconds=1))
    now = datetime.now(UTC)
    day = (now - ago - START) / timedelta(days=1)
    event = make_event(kind, cause=cause, address=address, day=day, received_at=now - ago, **fields)
    async with writing(pool) as connection:
        await apply_events(connection, [event], rules=BATCH, now=now)


async def filled(pool: WriterPool, address: str = JANE) -> None:
    """The mailbox was full for weeks, until yesterday: held by the rule."""
    for week in range(5, 0, -1):
        ago = timedelta(days=7 * week)
        await report(
            pool,
            Kind.SOFT_BOUNCE,
            Cause.MAILBOX_FULL,
            address=address,
            ago=ago,
            message=f"full {week}",
            diagnostic="452 4.2.2 over quota",
        )


async def complained(pool: WriterPool, address: str = JANE, *, days_ago: int = 3) -> None:
    """The person pressed "spam"."""
    await report(pool, Kind.COMPLAINT, Cause.ABUSE_REPORT, address=address, ago=timedelta(days=days_ago))


def a_wish(*, days_ago: int = 1) -> PersonsWish:
    """What the person said on the phone."""
    return PersonsWish(who="Jane Doe", when=datetime.now(UTC) - timedelta(days=days_ago), how=Medium.PHONE)


async def ask(pool: WriterPool, *addresses: str, preset: str = "recommended", **asked: Any) -> SafelistAnswer:
    """A request by kim, for jane if nobody else is named."""
    question = SafelistQuestion(
        kind=asked.pop("kind", RequestKind.LIFT),
        note=asked.pop("note", "she wants her receipts"),
        wish=asked.pop("wish", None),
        addresses=addresses or (JANE,),
        account="default",
        channel=Channel.EMAIL,
        principal=asked.pop("principal", KIM),
        what="call",
        account_facts=asked.pop("account_facts", GOOD),
        **asked,
    )
    limits = AttemptLimits()
    return await request_contacts(pool, question, batch=BATCH, rules=safelist_rules(preset, limits=limits))


async def review(pool: WriterPool, request_id: int, decline: DeclineReason | None = None, **said: Any) -> ReviewAnswer:
    """Anna decides."""
    asked = Review(
        request_id=request_id,
        account=said.pop("account", None),
        principal=said.pop("principal", ANNA),
        what="call",
        decline=decline,
        **said,
    )
    return await review_request(pool, asked, batch=BATCH)


async def status(pool: WriterPool, address: str = JANE) -> tuple[str, str]:
    """The contact's status and what it forbids, as stored."""
    row = await pool.fetchrow("SELECT status, blocks FROM contacts WHERE address = $1", address)
    assert row is not None
    return row["status"], row["blocks"]
