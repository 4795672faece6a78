"""The entry of the log that an approved request comes to: `lifted`, or `listed`."""

from datetime import datetime

from schemas.decision import Decision, DecisionKind, Origin, Role, decision_key
from schemas.safelist import RequestKind
from schemas.vocabulary import Channel
from worker.contacts.applying import apply_decisions
from worker.contacts.batch_terms import Applied, BatchRules
from worker.store.pool import WriterConnection
from worker.store.safelist_requests import StoredRequest

RULES_NAME = "safelist rules"  # the actor of what they decide


class ContactAppeared(Exception):  # noqa: N818 - named after what happened
    """Somebody else has inserted the contact meanwhile: the transaction is to be repeated."""


def approval(
    request: StoredRequest, *, act_id: int, by: str, role: Role, origin: Origin, note: str | None, now: datetime
) -> Decision:
    """The decision that carries out the request."""
    kind = DecisionKind.LIFTED if request.kind == RequestKind.LIFT else DecisionKind.LISTED
    channel = Channel(request.channel)
    said = f"safelist request {request.id} by {request.requested_by}: {request.note}"
    return Decision(
        event_key=decision_key(act_id, account=request.account, channel=channel, address=request.address, kind=kind),
        act_id=act_id,
        account=request.account,
        address=request.address,
        channel=channel,
        kind=kind,
        occurred_at=now,  # and dated under the lock
        received_at=now,
        origin=origin,
        role=role,
        actor=by,
        note=said if note is None else f"{said} ({note})",
    )


async def carry_out(
    connection: WriterConnection, decision: Decision, *, rules: BatchRules, now: datetime, bulk: bool = False
) -> Applied:
    """Applies it inside the caller's transaction. Raises ContactAppeared."""
    applied = await apply_decisions(connection, [decision], rules=rules, now=now, bulk=bulk)
    if applied.leftover_decisions:
        raise ContactAppeared
    return applied
