"""The entry of the log for an approved request: `lifted` or `listed`."""

from datetime import datetime

from schemas.decision import Decision, DecisionKind, Origin, Role
from schemas.safelist import RequestKind
from worker.contacts.single_decision import new_decision
from worker.store.safelist_requests import StoredRequest

RULES_NAME = "safelist rules"  # the actor of their decisions


def approval(
    request: StoredRequest, *, act_id: int, by: str, role: Role, origin: Origin, note: str | None, now: datetime
) -> Decision:
    """The decision that carries out the request."""
    kind = DecisionKind.LIFTED if request.kind == RequestKind.LIFT else DecisionKind.LISTED
    reason = f"safelist request {request.id} by {request.requested_by}: {request.note}"
    return new_decision(
        request.key,
        kind,
        act_id=act_id,
        actor=by,
        role=role,
        origin=origin,
        note=reason if note is None else f"{reason} ({note})",
        now=now,
    )
