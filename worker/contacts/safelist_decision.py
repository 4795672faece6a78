"""The entry of the log that an approved request comes to: `lifted`, or `listed`."""

from datetime import datetime

from schemas.decision import Decision, DecisionKind, Origin, Role
from schemas.safelist import RequestKind
from worker.contacts.single_decision import new_decision
from worker.store.safelist_requests import StoredRequest

RULES_NAME = "safelist rules"  # the actor of what they decide


def approval(
    request: StoredRequest, *, act_id: int, by: str, role: Role, origin: Origin, note: str | None, now: datetime
) -> Decision:
    """The decision that carries out the request."""
    kind = DecisionKind.LIFTED if request.kind == RequestKind.LIFT else DecisionKind.LISTED
    said = f"safelist request {request.id} by {request.requested_by}: {request.note}"
    return new_decision(
        request.key,
        kind,
        act_id=act_id,
        actor=by,
        role=role,
        origin=origin,
        note=said if note is None else f"{said} ({note})",
        now=now,
    )
