"""A base: the facts that a former version kept of a contact's dropped events.

No new base is made. If a contact has one, its events are folded onto it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from schemas.decision import DecisionKind
from schemas.entry import Entry
from schemas.list_name import list_key
from schemas.vocabulary import Kind
from worker.policy.block import Block
from worker.policy.consent import Consent, Wish
from worker.policy.deliverability import Deliverability
from worker.policy.engagement import Engagement
from worker.policy.facts import Facts
from worker.policy.fold import fold_all
from worker.policy.rule import Policy
from worker.policy.strikes import RuleState

_Named = TypeVar("_Named", RuleState, Block)
_Entry = TypeVar("_Entry", bound=Entry)
_NEVER = datetime.min.replace(tzinfo=UTC)

# A base says what its events came to, and not in which order: an opt-in may be older than an opt-out in it. So of
# events that come in after it was made only those are added that forbid.
_RESTRICTIVE = frozenset({Kind.UNSUBSCRIBE, Kind.COMPLAINT, DecisionKind.LISTED})


def since(entries: Iterable[_Entry], base_until: datetime) -> list[_Entry]:
    """The entries that the base does not contain."""
    return [entry for entry in entries if entry.occurred_at >= base_until]


def with_late(base: Facts, base_until: datetime, new: Sequence[Entry], policy: Policy) -> Facts:
    """The base with the new events that belong into it; the base itself if there are none."""
    late = [event for event in new if event.occurred_at < base_until and event.kind in _RESTRICTIVE]
    return fold_all(base, late, policy) if late else base


def joined(one: Facts, other: Facts) -> Facts:
    """What two bases come to that turn out to be of one contact.

    Each says what its events came to, and not in which order those of both happened: whatever forbids in either
    forbids, the later times and the longer ladder count, and no strike counts twice.
    """
    return Facts(
        engagement=_later_times(one.engagement, other.engagement),
        deliverability=Deliverability(
            rules=_by_name([*one.deliverability.rules, *other.deliverability.rules], _joined_rule),
            blocks=_by_name([*one.deliverability.blocks, *other.deliverability.blocks], _longer_block),
            listings=tuple(
                sorted(
                    {*one.deliverability.listings, *other.deliverability.listings},
                    key=lambda listing: (listing.since, listing.event_key),
                )
            ),
        ),
        consent=Consent(
            optouts=_by_scope(one.consent.optouts, other.consent.optouts),
            taken_off=_by_scope(one.consent.taken_off, other.consent.taken_off),
            declined=_by_scope(one.consent.declined, other.consent.declined),
            no_contact=_by_scope(one.consent.no_contact, other.consent.no_contact),
            fewer=_by_scope(one.consent.fewer, other.consent.fewer),
            permission=one.consent.permission or other.consent.permission,
            unknown=one.consent.unknown or other.consent.unknown,
        ),
        complaint=min(
            (facts.complaint for facts in (one, other) if facts.complaint is not None),
            key=lambda complaint: (complaint.at, complaint.event_key),
            default=None,
        ),
        latest=max((key for key in (one.latest, other.latest) if key is not None), default=None),
        latest_ordered=max(
            (key for key in (one.latest_ordered, other.latest_ordered) if key is not None), default=None
        ),
    )


def _later_times(one: Engagement, other: Engagement) -> Engagement:
    newer = max(one, other, key=lambda known: _sortable(known.last_delivered_at))
    return Engagement(
        last_delivered_at=newer.last_delivered_at,
        last_delivered_message=newer.last_delivered_message,
        last_opened_at=max(one.last_opened_at, other.last_opened_at, key=_sortable),
        last_clicked_at=max(one.last_clicked_at, other.last_clicked_at, key=_sortable),
    )


def _by_scope(one: Sequence[Wish], other: Sequence[Wish]) -> tuple[Wish, ...]:
    return tuple(sorted({list_key(wish.scope): wish for wish in (*other, *one)}.values(), key=lambda wish: wish.scope))


def _by_name(items: Sequence[_Named], join: Callable[[_Named, _Named], _Named]) -> tuple[_Named, ...]:
    by_name: dict[str, _Named] = {}
    for item in items:
        known = by_name.get(item.rule)
        by_name[item.rule] = item if known is None else join(known, item)
    return tuple(by_name[name] for name in sorted(by_name))


def _joined_rule(one: RuleState, other: RuleState) -> RuleState:
    strikes = {strike.event_key: strike for strike in (*other.strikes, *one.strikes)}
    return RuleState(
        rule=one.rule,
        strikes=tuple(sorted(strikes.values(), key=lambda strike: (strike.at, strike.event_key))),
        rung=max(one.rung, other.rung),
        last_strike_at=max(one.last_strike_at, other.last_strike_at, key=_sortable),
    )


def _longer_block(one: Block, other: Block) -> Block:
    return max(one, other, key=lambda block: (block.until is None, _sortable(block.until)))


def _sortable(time: datetime | None) -> datetime:
    return _NEVER if time is None else time
