"""Decisions as tests need them: a few words each, everything else filled in; and a strategy that makes whole logs."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from schemas.decision import ANNOTATIONS, Decision, DecisionKind, Permission, Role, Strength
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Blocks, Cause, Way
from tests.schemas.feedback_events import DAYS, START
from worker.providers.payload.event_key import make_event_key


def make_decision(
    kind: DecisionKind,
    *,
    day: float = 0,
    address: str = "jane@example.org",
    actor: str = "anna",
    note: str | None = "asked by phone",
    key: str | None = None,
    **fields: Any,
) -> Decision:
    """A decision `day` days after START, by an operator with a reason. Its key follows from what it says."""
    occurred_at = START + timedelta(days=day)
    said = key or f"{kind}|{address}|{actor}|{note}|{occurred_at.isoformat()}|{sorted(fields.items())}"
    return Decision(
        event_key=make_event_key([said]),
        act_id=fields.pop("act_id", 1),
        account=fields.pop("account", "default"),
        address=address,
        kind=kind,
        occurred_at=occurred_at,
        received_at=fields.pop("received_at", occurred_at),
        actor=actor,
        note=note,
        **fields,
    )


def lift(day: float, **fields: Any) -> Decision:
    """An operator's lift."""
    return make_decision(DecisionKind.LIFTED, day=day, **fields)


def listing(day: float, **fields: Any) -> Decision:
    """A listing by hand."""
    fields.setdefault("cause", Cause.MAILBOX_DOES_NOT_EXIST)
    return make_decision(DecisionKind.LISTED, day=day, **fields)


def optin(day: float, strength: Strength = Strength.DOUBLE, *, by_contact: bool = True, **fields: Any) -> Decision:
    """An opt-in, the person's own and confirmed unless told otherwise."""
    return make_decision(DecisionKind.OPTED_IN, day=day, strength=strength, by_contact=by_contact, **fields)


def added(day: float, permission: Permission = Permission.UNKNOWN, **fields: Any) -> Decision:
    """The contact was added."""
    return make_decision(DecisionKind.ADDED, day=day, permission=permission, **fields)


def wish(kind: DecisionKind, day: float, **fields: Any) -> Decision:
    """What the person wants, as an operator was told: an opt-out, no commercial messages, no contact at all."""
    return make_decision(kind, day=day, **fields)


def void(day: float, *entries: Entry, **fields: Any) -> Decision:
    """These entries never happened."""
    return _annotation(DecisionKind.VOIDED, day, entries, **fields)


def hold(day: float, *entries: Entry, **fields: Any) -> Decision:
    """These entries wait."""
    return _annotation(DecisionKind.HELD_BACK, day, entries, **fields)


def release(day: float, *entries: Entry, **fields: Any) -> Decision:
    """These entries wait no longer."""
    return _annotation(DecisionKind.RELEASED, day, entries, **fields)


def _annotation(kind: DecisionKind, day: float, entries: Sequence[Entry], **fields: Any) -> Decision:
    return make_decision(kind, day=day, entry_keys=tuple(entry.event_key for entry in entries), **fields)


# Opt-ins and lifts are drawn more often: they end what the others begin.
DECIDED = [
    *(kind for kind in DecisionKind if kind not in ANNOTATIONS),
    DecisionKind.OPTED_IN,
    DecisionKind.OPTED_IN,
    DecisionKind.LIFTED,
]


@st.composite
def one_decision(draw: st.DrawFn) -> Decision:
    """Any decision but an annotation, of the year after START, by anybody."""
    kind = draw(st.sampled_from(DECIDED))
    day = draw(DAYS)
    fields: dict[str, Any] = {
        "role": draw(st.sampled_from([Role.OPERATOR, Role.OPERATOR, Role.ADMINISTRATOR, Role.READER])),
        "by_contact": draw(st.booleans()) if kind not in {DecisionKind.LIFTED, DecisionKind.LISTED} else False,
        "note": draw(st.sampled_from(["because", "because", None])),
        "received_at": START + timedelta(days=day + draw(st.sampled_from([0, 500]))),
    }
    match kind:
        case DecisionKind.ADDED:
            fields["permission"] = draw(st.sampled_from([None, *Permission]))
        case DecisionKind.OPTED_IN:
            fields["strength"] = draw(st.sampled_from([None, *Strength]))
            fields["scope"] = draw(st.sampled_from([None, None, "list-a"]))
        case DecisionKind.LISTED:
            lasting = draw(st.sampled_from([None, 0, 10, 100]))
            fields["until"] = None if lasting is None else START + timedelta(days=day + lasting)
            fields["blocks"] = draw(st.sampled_from([Blocks.ALL, Blocks.COMMERCIAL, Blocks.MARKETING]))
        case DecisionKind.UNSUBSCRIBED | DecisionKind.UNSUBSCRIBED_BY_US:
            fields["scope"] = draw(st.sampled_from([None, None, "list-a"]))
            fields["way"] = draw(st.sampled_from([None, *Way]))
        case _:
            pass
    return make_decision(kind, day=day, **fields)


@st.composite
def logs(draw: st.DrawFn, events: st.SearchStrategy[list[FeedbackEvent]], *, annotated: bool = True) -> list[Entry]:
    """The log of one contact: events, decisions and, if `annotated`, voids, holds and releases of any of them."""
    entries: list[Entry] = [*draw(events), *draw(st.lists(one_decision(), max_size=6))]
    for _ in range(draw(st.integers(0, 4)) if annotated and entries else 0):
        make = draw(st.sampled_from([void, void, hold, release]))
        several = draw(st.lists(st.sampled_from(entries), min_size=1, max_size=3))
        entries.append(make(draw(DAYS), *several))
    return list({entry.event_key: entry for entry in entries}.values())
