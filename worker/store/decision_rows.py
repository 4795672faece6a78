"""Writes decisions into the entries, and reads them back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from schemas.decision import DECISION_RANKS, ConsentProof, Decision, Origin, Permission, Role, Strength
from schemas.feedback_event import READER_VERSION
from schemas.vocabulary import Blocks, Cause, Channel, Way
from worker.store.pool import WriterConnection
from worker.store.row import Row

DecisionOfContact = tuple[Decision, int]  # with its contact's id

DECISION_KINDS = {rank: kind for kind, rank in DECISION_RANKS.items()}


class _Detail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields that decisions have and events do not."""

    origin: Origin
    role: Role
    by_contact: bool = False
    actor: str
    note: str | None = None
    way: Way | None = None
    blocks: Blocks = Blocks.ALL
    until: datetime | None = None
    permission: Permission | None = None
    strength: Strength | None = None
    proof: ConsentProof | None = None
    entry_keys: tuple[bytes, ...] = ()


class _NewDecision(Row, frozen=True):
    """A decision on its way into `entries`, with the word of its cause instead of the word's id."""

    contact_id: int
    entry_key: bytes
    occurred_at: datetime
    received_at: datetime
    act_id: int
    cause: str
    rank: int
    scope: str | None
    detail: dict[str, Any]


# The statement looks up the id of a cause: `words` contains all from the start; otherwise the cause goes into `beside`.
_INSERT = f"""
    INSERT INTO entries (contact_id, occurred_at, received_at, act_id, cause, rank, reader_version, machine, entry_key,
        scope, beside, detail)
    SELECT d.contact_id, d.occurred_at, d.received_at, d.act_id, w.id, d.rank, {READER_VERSION}, false, d.entry_key,
           d.scope, CASE WHEN w.id IS NULL AND d.cause <> 'none' THEN jsonb_build_object('cause', d.cause) END, d.detail
      FROM {_NewDecision.unnest("d")}
      LEFT JOIN words w ON w.word = d.cause AND w.brought_by = '' AND d.cause <> 'none'
     ORDER BY d.contact_id, d.entry_key
    ON CONFLICT (contact_id, entry_key) DO NOTHING
    RETURNING entry_key
"""  # noqa: S608 - the column list is made of the names above


async def insert_decisions(connection: WriterConnection, decisions: Sequence[DecisionOfContact]) -> set[bytes]:
    """Stores decisions about contacts that this transaction has locked; returns the keys of the new ones.

    Their act is stored already (worker.store.acts). A decision whose key its contact has already is a repeat, whatever
    else is in it.
    """
    if not decisions:
        return set()
    rows = [
        _NewDecision(
            contact_id=contact_id,
            entry_key=decision.event_key,
            occurred_at=decision.occurred_at,
            received_at=decision.received_at,
            act_id=decision.act_id,
            cause=decision.cause.value,
            rank=decision.rank,
            scope=decision.scope,
            detail=msgspec.to_builtins(_detail(decision)),
        )
        for decision, contact_id in decisions
    ]
    records = await connection.fetch(_INSERT, *_NewDecision.arrays(rows))
    return {key for (key,) in records}


def decision_of(
    row: asyncpg.Record, contact: asyncpg.Record | dict[str, Any], *, cause: Cause, channel: Channel
) -> Decision:
    """The decision of a row of `entries`, and of its contact's columns; its rank is among DECISION_KINDS."""
    detail = msgspec.convert(row["detail"], _Detail)
    return Decision(
        event_key=row["entry_key"],
        act_id=row["act_id"],
        account=contact["account"],
        address=contact["address"],
        channel=channel,
        kind=DECISION_KINDS[row["rank"]],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        scope=row["scope"],
        cause=cause,
        **{name: getattr(detail, name) for name in _Detail.__struct_fields__},
    )


def _detail(decision: Decision) -> _Detail:
    return _Detail(**{name: getattr(decision, name) for name in _Detail.__struct_fields__})
