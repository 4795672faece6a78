"""One decision about one contact that depends on its facts: made in one transaction, which is repeated if needed."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from schemas.decision import Decision, DecisionKind, Origin, Role, decision_key
from schemas.vocabulary import Channel
from worker.contacts.applying import apply_decisions
from worker.contacts.batch_terms import Applied, BatchRules
from worker.errors import Deadlocked
from worker.store.contact_rows import ContactKey
from worker.store.pool import WriterConnection, WriterPool
from worker.store.writer_pool import rehearsing, writing

_Result = TypeVar("_Result")
_TRIES = 5


class ContactAppeared(Exception):  # noqa: N818 - named after what happened
    """Somebody else has inserted the contact meanwhile: repeat the transaction."""


async def in_one_transaction(
    pool: WriterPool, doing: str, decide: Callable[[WriterConnection], Awaitable[_Result]], *, dry_run: bool
) -> _Result:
    """The result of `decide` in a transaction, which is committed when this returns, or rolled back for a dry run.

    Calls `decide` again if its contact was inserted meanwhile, or if another transaction was in the way. Raises
    Deadlocked or ContactAppeared if that goes on, and StoreUnavailable.
    """
    open_transaction = rehearsing if dry_run else writing
    for further_tries in reversed(range(_TRIES)):
        try:
            async with open_transaction(pool, doing) as connection:
                return await decide(connection)
        except (Deadlocked, ContactAppeared):
            if not further_tries:
                raise
    raise AssertionError("the last try returns or raises")


def new_decision(
    key: ContactKey,
    kind: DecisionKind,
    *,
    act_id: int,
    actor: str,
    role: Role,
    origin: Origin,
    note: str,
    now: datetime,
) -> Decision:
    """The act's decision about this contact, which is dated when it is applied."""
    channel = Channel(key.channel)
    return Decision(
        event_key=decision_key(act_id, account=key.account, channel=channel, address=key.address, kind=kind),
        act_id=act_id,
        account=key.account,
        address=key.address,
        channel=channel,
        kind=kind,
        occurred_at=now,  # dated finally under the lock
        received_at=now,
        origin=origin,
        role=role,
        actor=actor,
        note=note,
    )


async def carry_out(
    connection: WriterConnection, decision: Decision, *, rules: BatchRules, now: datetime, bulk: bool = False
) -> Applied:
    """Applies the decision inside the caller's transaction. Raises ContactAppeared."""
    applied = await apply_decisions(connection, [decision], rules=rules, now=now, bulk=bulk)
    if applied.leftover_decisions:
        raise ContactAppeared
    return applied
