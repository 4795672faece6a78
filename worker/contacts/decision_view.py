"""A decision as the report and the explanation show it."""

from datetime import datetime

from msgspec import Struct

from schemas.decision import ConsentProof, Decision, DecisionKind, Origin, Permission, Role, Strength
from schemas.vocabulary import Blocks, Cause, Way


class DecisionView(Struct, frozen=True, kw_only=True):
    """A decision."""

    event_key: str  # hexadecimal
    kind: DecisionKind
    occurred_at: datetime
    received_at: datetime
    actor: str
    role: Role
    origin: Origin
    by_contact: bool
    note: str | None  # the reason, in the actor's words
    reason: Cause | None
    blocks: Blocks | None  # of a listing
    until: datetime | None
    scope: str | None
    way: Way | None  # how the person said it
    permission: Permission | None  # of a contact that was added
    strength: Strength | None  # of an opt-in
    proof: ConsentProof | None  # of an opt-in


def decision_view(decision: Decision) -> DecisionView:
    """The decision as the API shows it."""
    is_listing = decision.kind is DecisionKind.LISTED
    return DecisionView(
        event_key=decision.event_key.hex(),
        kind=decision.kind,
        occurred_at=decision.occurred_at,
        received_at=decision.received_at,
        actor=decision.actor,
        role=decision.role,
        origin=decision.origin,
        by_contact=decision.by_contact,
        note=decision.note,
        reason=None if decision.cause is Cause.NONE else decision.cause,
        blocks=decision.blocks if is_listing else None,
        until=decision.until,
        scope=decision.scope,
        way=decision.way,
        permission=decision.permission,
        strength=decision.strength,
        proof=decision.proof,
    )
