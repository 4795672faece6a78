"""A page of a contact's story: the last steps before a place of its log, with long calm stretches summed up.

The caller reads the log in its order and in slices, from its beginning or from known facts on. Of all that is read the
page holds its own items alone, so that a long log takes no more memory than a short one.

Calm entries of which nothing is to be told need not be read at all: `may_skip` says when, and `skip` takes their counts
in their place. What a stretch without ordered entries does is known from few of its entries (thinning.py says which).
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from schemas.entry import LASTING_KINDS, Entry, EntryKind
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Kind
from worker.policy.annotations import Annotations
from worker.policy.event_order import CALM_KINDS, is_inert, order_key
from worker.policy.explain import Passed, go_on
from worker.policy.facts import Facts, OrderKey
from worker.policy.rule import Policy

# So many calm entries in a row are told one by one.
TOLD_ALONE = 5
_DECIDING_MESSAGES = 3  # as in thinning.py


class Stretch(Struct, frozen=True, kw_only=True):
    """Calm entries in a row, of which none did anything but show life."""

    first: OrderKey
    first_at: datetime
    last_at: datetime
    counts: Mapping[EntryKind, int]
    facts: Facts  # after the last one


class StoryPage:
    """`items` are the last of what was fed, latest first; `more` says that there were earlier ones."""

    def __init__(self, facts: Facts, *, known: Annotations, policy: Policy, limit: int) -> None:
        self._facts, self._known, self._policy = facts, known, policy
        self._items: deque[Passed | Stretch] = deque(maxlen=limit)
        self._limit = limit
        self._run: list[Passed] = []
        self._summed: Stretch | None = None
        self._gap_kinds: set[EntryKind] = set()
        self._gap_messages: set[str] = set()
        self.more = False

    @property
    def is_in_stretch(self) -> bool:
        """True if the last entry that was fed belongs to a stretch that is summed up."""
        return self._summed is not None

    def feed(self, entries: Iterable[Entry]) -> None:
        """Takes the next entries of the log, in its order."""
        for entry in entries:
            passed = go_on(self._facts, entry, self._known, self._policy)
            self._facts = passed.facts
            if entry.kind in LASTING_KINDS:
                self._gap_kinds.clear()
                self._gap_messages.clear()
                self._end_stretch()
                self._add(passed)
                continue
            self._note_calm(entry)
            if _is_notable(passed):
                self._end_stretch()
                self._add(passed)
            else:
                self._lengthen(passed)

    def may_skip(self, kinds: Collection[EntryKind]) -> bool:
        """True if calm entries of these kinds, up to the next entry that is none, may be skipped."""
        if self._known.named() or self._summed is None:
            return False
        failures = self._facts.deliverability
        if not (failures.rules or failures.suppression):
            return True
        effective = CALM_KINDS & set(kinds)
        return effective <= self._gap_kinds and (
            Kind.DELIVERED not in effective or len(self._gap_messages) >= _DECIDING_MESSAGES
        )

    def skip(self, counts: Mapping[Kind, int], last_of_each: Sequence[Entry]) -> None:
        """Goes over calm entries that `may_skip` allows.

        `last_of_each`: the last of each sort of them, in the order of the log. The last of all is among them.
        """
        if self._summed is None:
            raise ValueError("only a stretch that is summed up already can be lengthened by a skip")
        for entry in last_of_each:
            self._facts = go_on(self._facts, entry, self._known, self._policy).facts
        self._summed = Stretch(
            first=self._summed.first,
            first_at=self._summed.first_at,
            last_at=last_of_each[-1].occurred_at,
            counts=_added(self._summed.counts, counts),
            facts=self._facts,
        )

    def items(self) -> list[Passed | Stretch]:
        """What the page tells, latest first. To be called when all has been fed."""
        self._end_stretch()
        return list(reversed(self._items))

    def _note_calm(self, entry: Entry) -> None:
        if is_inert(entry):
            return
        self._gap_kinds.add(entry.kind)
        if (
            len(self._gap_messages) < _DECIDING_MESSAGES
            and isinstance(entry, FeedbackEvent)
            and entry.kind is Kind.DELIVERED
            and entry.message_id is not None
        ):
            self._gap_messages.add(entry.message_id)

    def _lengthen(self, passed: Passed) -> None:
        if self._summed is None:
            self._run.append(passed)
            if len(self._run) > TOLD_ALONE:
                self._summed = _summed(self._run)
                self._run = []
            return
        entry, summed = passed.entry, self._summed
        counts = dict(summed.counts)
        counts[entry.kind] = counts.get(entry.kind, 0) + 1
        self._summed = Stretch(
            first=summed.first,
            first_at=summed.first_at,
            last_at=entry.occurred_at,
            counts=counts,
            facts=passed.facts,
        )

    def _end_stretch(self) -> None:
        for passed in self._run:
            self._add(passed)
        self._run = []
        if self._summed is not None:
            self._add(self._summed)
            self._summed = None

    def _add(self, item: Passed | Stretch) -> None:
        self.more = self.more or len(self._items) == self._limit
        self._items.append(item)


def _added(known: Mapping[EntryKind, int], more: Mapping[Kind, int]) -> dict[EntryKind, int]:
    counts = dict(known)
    for kind, count in more.items():
        counts[kind] = counts.get(kind, 0) + count
    return counts


def first_key(item: Passed | Stretch) -> OrderKey:
    """The place of the item's first entry: the page before it ends there."""
    return item.first if isinstance(item, Stretch) else order_key(item.entry)


def _is_notable(passed: Passed) -> bool:
    effect = passed.effect
    return passed.annotation is not None or bool(effect.reset or effect.excused or effect.restored)


def _summed(run: Sequence[Passed]) -> Stretch:
    return Stretch(
        first=order_key(run[0].entry),
        first_at=run[0].entry.occurred_at,
        last_at=run[-1].entry.occurred_at,
        counts=Counter(passed.entry.kind for passed in run),
        facts=run[-1].facts,
    )
