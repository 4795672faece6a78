"""Which of a contact's old entries must stay, so that its facts can be folded again under any policy.

Ordered entries (bounces, complaints, opt-outs, resubscribes, decisions) stay for good. Calm ones (delivered, opened,
clicked) come by the million, and few of those between two ordered entries matter: they clear and excuse strikes, and
show when the person was last engaged. Inert events never matter.

A void of a single calm event that is made after its neighbours were dropped finds only those that stayed: the last
delivery may then seem to be earlier than it was.
"""

from collections.abc import Iterable, Sequence

from schemas.decision import Decision
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.policy.event_order import is_inert, is_ordered, order_key

# Deliveries of three messages decide about every strike: those of its own message and of the message that excuses it
# do not clear it, but a third does.
_DECIDING_MESSAGES = 3


def thin_out(entries: Iterable[Entry], *, after_strikes: bool = False) -> set[bytes]:
    """The keys of the entries that must stay. The entries are those of one contact, in any order.

    Between two ordered entries these stay: the first delivery of each of the first three messages, the first delivery
    without a message id, and the last delivery, open, click and drop. Before the first ordered entry there is no
    strike, so only the last ones stay, unless older events that may have left strikes are gone (`after_strikes`).

    What an annotation names stays, so that it can come back. So the annotations of the contact must be among the
    entries, however young they are.

    The remaining entries give the same facts under every policy, with any later entries, with annotations of ordered
    entries, and with opt-outs, complaints, resubscribes and calm events that arrive late. Thinning may be repeated as
    more events grow old.
    """
    ordered = sorted(entries, key=order_key)
    named = {key for entry in ordered if isinstance(entry, Decision) for key in entry.entry_keys}
    kept = named & {entry.event_key for entry in ordered}
    gap: list[FeedbackEvent] = []
    has_strikes = after_strikes
    for entry in ordered:
        if is_ordered(entry):
            kept |= _of_gap(gap, has_strikes=has_strikes)
            kept.add(entry.event_key)
            gap, has_strikes = [], True
        elif isinstance(entry, FeedbackEvent) and not is_inert(entry) and entry.event_key not in named:
            gap.append(entry)
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
