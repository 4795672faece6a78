"""Remarks on a description: its content, and omissions of fields that most vendors have."""

from worker.providers.described.description import Description
from worker.providers.remark import Remark

_TELLING_KINDS = {"bounce", "hard_bounce", "soft_bounce", "dropped", "complaint", "unsubscribe"}


def remarks_on(description: Description, what: str) -> list[Remark]:
    """The remarks; `what` is the name of their subject."""
    remarks = [
        Remark(what=what, detail=f"{description.title or description.name}, events: {len(description.events)}"),
    ]
    if not any(meaning.kind in _TELLING_KINDS for meaning in description.events.values()):
        remarks.append(
            Remark(
                what=what,
                detail="none of its [events] is a bounce, a complaint or an unsubscribe: it can block nobody",
                remedy="name the vendor's events for them, and try one with `bouncekeeper sources try`",
            )
        )
    if not description.fields.occurred_at:
        remarks.append(
            Remark(
                what=what,
                detail="tells no time of an event: each counts for when it came in",
                remedy="name the field as occurred_at in [fields], if the vendor tells it",
            )
        )
    return remarks
