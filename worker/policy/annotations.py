"""Annotations: decisions that other entries of the contact never happened, wait, or wait no longer.

They are no steps of the fold. They say which entries are folded, and are applied before it. They are resolved from the
newest down: an annotation that a newer one voids, or holds back, says nothing. So a void of a void restores what the
older one named, and a void of a hold releases it.
"""

from collections.abc import Iterable

from msgspec import Struct

from schemas.decision import ANNOTATIONS, Decision, DecisionKind
from schemas.entry import Entry
from worker.policy.event_order import order_key
from worker.policy.permissions import may_decide


class Annotations(Struct, frozen=True, kw_only=True):
    """Which entries of a contact are out of the fold, and the decision that put each out."""

    voided: dict[bytes, Decision] = {}
    held_back: dict[bytes, Decision] = {}

    def out(self, entry: Entry) -> Decision | None:
        """The decision because of which the entry is not folded; None if it is folded."""
        return self.voided.get(entry.event_key) or self.held_back.get(entry.event_key)

    def named(self) -> frozenset[bytes]:
        """The keys of all entries that are out of the fold."""
        return frozenset(self.voided) | frozenset(self.held_back)


NO_ANNOTATIONS = Annotations()


def annotations(entries: Iterable[Entry]) -> Annotations:
    """What the annotations among the entries come to. The entries are of one contact, in any order."""
    found = [entry for entry in entries if isinstance(entry, Decision) and entry.kind in ANNOTATIONS]
    if not found:
        return NO_ANNOTATIONS
    voided: dict[bytes, Decision] = {}
    holds: dict[bytes, Decision] = {}  # the newest hold or release of each entry
    for annotation in sorted(found, key=order_key, reverse=True):
        hold = holds.get(annotation.event_key)
        is_held = hold is not None and hold.kind is DecisionKind.HELD_BACK
        if annotation.event_key in voided or is_held or not may_decide(annotation):
            continue
        decided = voided if annotation.kind is DecisionKind.VOIDED else holds
        for key in annotation.entry_keys:
            decided.setdefault(key, annotation)
    held_back = {key: hold for key, hold in holds.items() if hold.kind is DecisionKind.HELD_BACK}
    return Annotations(voided=voided, held_back=held_back)


def effective(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that are folded: without annotations, and without what these void or hold back."""
    several = list(entries)
    known = annotations(several)
    return [entry for entry in several if entry.kind not in ANNOTATIONS and known.out(entry) is None]
