"""The verdict about decisions finds what is not as it was answered."""

from datetime import UTC, datetime

import msgspec
import pytest

from schemas.decision import Role
from schemas.decision_request import DecisionTerms, RequestedKind
from schemas.vocabulary import Channel
from tests.faults.deciders import Answer, DecisionOutcome
from tests.faults.decision_verdict import judge_decisions
from tests.faults.decision_workload import DecisionCall, Way
from worker.contacts.batch_terms import BatchRules
from worker.contacts.decisions import Question, decide_contacts
from worker.contacts.policies import Policies
from worker.contacts.principal import Principal
from worker.policy.policy_file import recommended_policy
from worker.store.pool import WriterPool

ADDRESSES = ("jane@example.org", "joe@example.org")
CALL = DecisionCall(
    way=Way.MANY, key="one", kind=RequestedKind.LISTED, terms={"note": "spam traps"}, addresses=ADDRESSES
)
ONCE_MORE = """
    INSERT INTO entries (contact_id, occurred_at, received_at, act_id, rank, reader_version, machine, entry_key, detail)
    SELECT contact_id, occurred_at + interval '1 second', received_at, act_id, rank, reader_version, machine,
           substring(sha256(entry_key) FOR 16), detail
      FROM entries LIMIT 1
"""


async def decide(pool: WriterPool) -> Answer:
    question = Question(
        terms=DecisionTerms(kind=CALL.kind, note="spam traps"),
        addresses=ADDRESSES,
        account="default",
        channel=Channel.EMAIL,
        principal=Principal(token_id=None, name="anna", role=Role.OPERATOR, account=None),
        what="call",
        idempotency_key=CALL.key,
    )
    rules = BatchRules(policies=Policies(recommended_policy()), oldest_kept=datetime.now(UTC))
    return msgspec.convert(await decide_contacts(pool, question, rules=rules), Answer, from_attributes=True)


async def problems(pool: WriterPool, *answers: Answer) -> str:
    outcome = DecisionOutcome(answers={0: list(answers)})
    async with pool.acquire() as connection:
        return "; ".join((await judge_decisions(connection, [CALL], outcome)).broken)


async def test_what_is_as_it_was_answered_breaks_nothing(pool: WriterPool) -> None:
    answer, again = await decide(pool), await decide(pool)

    assert await problems(pool, answer, again) == ""


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("DELETE FROM entries WHERE act_id IS NOT NULL", "answered that 2 decisions are made; 0 are in effect"),
        ("UPDATE acts SET finished_at = NULL", "is not finished"),
        (ONCE_MORE, "is in effect more than once for"),
        ("UPDATE acts SET idempotency_key = 'another'", "was answered 2xx and is not stored"),
        ("UPDATE acts SET idempotency_key = 'another'", "acts are stored that nobody asked for"),
        ("UPDATE entries SET rank = 220", "has decided what was not asked for"),
    ],
)
async def test_what_is_not_as_it_was_answered_is_found(pool: WriterPool, change: str, problem: str) -> None:
    answer = await decide(pool)
    await pool.execute(change)

    assert problem in await problems(pool, answer)


async def test_an_unanswered_call_may_be_in_effect_or_not_but_never_twice(pool: WriterPool) -> None:
    assert await problems(pool) == ""
    await decide(pool)
    assert await problems(pool) == ""
    await pool.execute(ONCE_MORE)
    assert "is in effect more than once for" in await problems(pool)
