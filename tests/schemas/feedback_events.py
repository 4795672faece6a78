"""Events as tests need them: a few words each, everything else filled in; and a strategy that makes histories."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import strategies as st

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind, Way
from worker.providers.payload.event_key import make_event_key

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
One = TypeVar("One")
DELIVERY = UUID("01900000-0000-7000-8000-000000000001")


def make_event(
    kind: Kind,
    *,
    day: float = 0,
    cause: Cause = Cause.NONE,
    message: str | None = "m1",
    address: str | None = "jane@example.org",
    key: str | None = None,
    **fields: Any,
) -> FeedbackEvent:
    """An event `day` days after START. Its key follows from what it says, as with a real provider, or from `key`."""
    occurred_at = START + timedelta(days=day)
    said = key or f"{kind}|{cause}|{message}|{address}|{occurred_at.isoformat()}|{sorted(fields.items())}"
    event_key = make_event_key([said])
    fields.setdefault("received_at", occurred_at + timedelta(seconds=30))
    fields.setdefault("raw", b"{}")
    return FeedbackEvent(
        event_key=event_key,
        provider=fields.pop("provider", "postmark"),
        source=fields.pop("source", "test"),
        account=fields.pop("account", "default"),
        address=address,
        kind=kind,
        cause=cause,
        occurred_at=occurred_at,
        delivery_id=fields.pop("delivery_id", DELIVERY),
        message_id=message,
        **fields,
    )


_CAUSED: Sequence[tuple[Kind, Cause]] = [
    (Kind.ACCEPTED, Cause.NONE),
    (Kind.DEFERRED, Cause.GREYLISTED),
    (Kind.DELIVERED, Cause.NONE),
    (Kind.OPENED, Cause.NONE),
    (Kind.CLICKED, Cause.NONE),
    (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    (Kind.SOFT_BOUNCE, Cause.RECIPIENT_RESTRICTED),
    (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
    (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
    (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    (Kind.UNSUBSCRIBE, Cause.NONE),
    (Kind.RESUBSCRIBE, Cause.NONE),
    (Kind.PREFERS_FEWER, Cause.NONE),
    (Kind.DECLINES_COMMERCIAL, Cause.NONE),
    (Kind.FORBIDS_CONTACT, Cause.NONE),
    (Kind.OTHER, Cause.NONE),
]


_SCOPED = frozenset(
    {
        Kind.UNSUBSCRIBE,
        Kind.RESUBSCRIBE,
        Kind.PREFERS_FEWER,
        Kind.DECLINES_COMMERCIAL,
        Kind.FORBIDS_CONTACT,
        Kind.COMPLAINT,
    }
)

# Of the year after START. They repeat often, so that ties are met.
DAYS = st.sampled_from([0, 0.25, 1, 1.5, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 300])


@st.composite
def one_event(draw: st.DrawFn, addresses: Sequence[str] = ("jane@example.org",)) -> FeedbackEvent:
    """Any event of the year after START."""
    kind, cause = draw(st.sampled_from(_CAUSED))
    return make_event(
        kind,
        day=draw(DAYS),
        cause=cause,
        message=draw(st.sampled_from([None, "m1", "m2", "m3"])),
        address=draw(st.sampled_from(list(addresses))),
        machine=kind in {Kind.OPENED, Kind.CLICKED} and draw(st.booleans()),
        scope=draw(st.sampled_from([None, None, "list-a"])) if kind in _SCOPED else None,
        way=draw(st.sampled_from([None, *Way])) if kind in _SCOPED else None,
        tags=draw(st.sampled_from([(), ("news",)])) if kind is Kind.COMPLAINT else (),
    )


def histories(
    addresses: Sequence[str] = ("jane@example.org",), max_size: int = 24
) -> st.SearchStrategy[list[FeedbackEvent]]:
    """Events of one or more contacts, each event once."""
    return st.lists(one_event(addresses), max_size=max_size, unique_by=lambda event: event.event_key)


@st.composite
def arrivals(draw: st.DrawFn, events: Sequence[One]) -> list[list[One]]:
    """The same events, or entries, as they may come in: shuffled, some more than once, in batches of any size."""
    extra = draw(st.lists(st.sampled_from(list(events)), max_size=8)) if events else []
    shuffled = draw(st.permutations([*events, *extra]))
    batches: list[list[One]] = []
    while shuffled:
        size = draw(st.integers(min_value=1, max_value=len(shuffled)))
        batches.append(list(shuffled[:size]))
        shuffled = shuffled[size:]
    return batches
