"""Which of a contact's old events must stay, so that its facts can be folded again under any policy.

Ordered events (bounces, complaints, opt-outs, resubscribes) stay for good. Calm ones (delivered, opened, clicked) come
by the million, and few of those between two ordered events matter: they clear and excuse strikes, and show when the
person was last engaged. Inert events never matter.
"""

from collections.abc import Iterable, Sequence

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.policy.event_order import CALM_KINDS, is_inert, order_key

# Deliveries of three messages decide about every strike: those of its own message and of the message that excuses it
# do not clear it, but a third does.
_DECIDING_MESSAGES = 3


def thin_out(events: Iterable[FeedbackEvent], *, after_strikes: bool = False) -> set[bytes]:
    """The keys of the events that must stay. The events are those of one contact, in any order.

    Between two ordered events these stay: the first delivery of each of the first three messages, the first delivery
    without a message id, and the last delivery, open and click. Before the first ordered event there is no strike, so
    only the last ones stay, unless older events that may have left strikes are gone (`after_strikes`).

    The remaining events give the same facts under every policy, with any later events, and with opt-outs, complaints,
    resubscribes and calm events that arrive late. Thinning may be repeated as more events grow old.
    """
    kept: set[bytes] = set()
    gap: list[FeedbackEvent] = []
    has_strikes = after_strikes
    for event in sorted(events, key=order_key):
        if is_inert(event):
            continue
        if event.kind in CALM_KINDS:
            gap.append(event)
            continue
        kept |= _of_gap(gap, has_strikes=has_strikes)
        kept.add(event.event_key)
        gap, has_strikes = [], True
    return kept | _of_gap(gap, has_strikes=has_strikes)


def _of_gap(gap: Sequence[FeedbackEvent], *, has_strikes: bool) -> set[bytes]:
    last = {event.kind: event.event_key for event in gap}
    deliveries = [event for event in gap if event.kind is Kind.DELIVERED]
    kept = set(last.values())
    if deliveries:
        # Of messages that were delivered at the same instant the fold remembers the one with the greatest id.
        remembered = max(deliveries, key=lambda event: (event.occurred_at, event.message_id or ""))
        kept.add(remembered.event_key)
    if has_strikes:
        kept |= _deciding(deliveries)
    return kept


def _deciding(deliveries: Sequence[FeedbackEvent]) -> set[bytes]:
    first: dict[str | None, bytes] = {}
    for event in deliveries:
        if event.message_id is None or sum(known is not None for known in first) < _DECIDING_MESSAGES:
            first.setdefault(event.message_id, event.event_key)
    return set(first.values())
