"""Folding what comes late into a long log: from the checkpoint before it, and only until the facts meet another one.

The caller reads the log in pages, feeds them one by one, and may stop between any two of them and go on later:

    folding = LateFold(late, ...)
    for page in pages_after(folding.after):
        if folding.feed(page):
            break
    facts = folding.finish(now)

Nearly always a late entry is soon without consequence: a late delivery is older than the one known, a late failure was
cleared by deliveries since. Then the facts are those of the next checkpoint, all that follows stays as it is, and few
entries are read.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from schemas.decision import ANNOTATIONS
from schemas.entry import Entry
from worker.policy.annotations import NO_ANNOTATIONS, Annotations
from worker.policy.checkpoint import Checkpoint, at_a_place, usable
from worker.policy.event_order import is_inert, is_ordered, order_key
from worker.policy.facts import Facts, OrderKey
from worker.policy.fold import fold, pass_over
from worker.policy.rule import Policy

_UNTOUCHED = Facts()


def changed_by(before: Annotations, after: Annotations) -> frozenset[bytes]:
    """The keys of the entries that new annotations put out of the fold, or back into it."""
    return before.named() ^ after.named()


def places_changed(late: Iterable[Entry]) -> list[OrderKey]:
    """The places at which these entries change the log: an annotation does so at those that it names alone."""
    return [order_key(entry) for entry in late if entry.kind not in ANNOTATIONS]


class LateFold:
    """One pass over the log of one contact.

    `after` is the place behind which the caller begins to read; None for the beginning. `made` are checkpoints to store
    in place of those with the same key. `folded` counts the entries that were read.
    """

    def __init__(
        self,
        late: Sequence[Entry] = (),
        *,
        policy: Policy,
        policy_id: int,
        checkpoints: Iterable[Checkpoint] = (),
        annotations: Annotations = NO_ANNOTATIONS,
        changed: Iterable[OrderKey] = (),
        awaited: Iterable[bytes] = (),
        base: Facts = _UNTOUCHED,
        resume: Checkpoint | None = None,
        last_late: OrderKey | None = None,
        every: int | None = None,
    ) -> None:
        """
        `late`: entries that are not folded yet, in any order; in the log already or not.
        `annotations`: of the whole log, those among the late entries included.
        `changed`: the places of the entries that late annotations put out of the fold, or back (`changed_by`).
        `awaited`: the keys of annotated entries that are not in the log.
        `base`: what was known before the first entry.
        `resume`: where an earlier pass over the same entries stopped (`here`).
        `last_late`: the last place of what came late and is in the log; it is not among `late`.
        `every`: how many entries to read between two new checkpoints; None makes no new ones.
        """
        self._all_late = tuple(late)
        self._late_keys = {entry.event_key for entry in late}
        self._policy, self._policy_id, self._every = policy, policy_id, every
        self._annotations, self._awaited = annotations, tuple(sorted(awaited))
        affected = sorted([*places_changed(late), *changed])
        known = usable(checkpoints, policy_id)
        before = [one for one in known if affected and one.key < affected[0]]
        start = resume or (before[-1] if before else None)
        self.after = start.key if start else None
        self._facts = start.facts if start else base
        self._place = self.after
        self._last_affected = _last(last_late, *affected[-1:])
        self._late = deque(entry for entry in sorted(late, key=order_key) if not self._is_behind(order_key(entry)))
        # One at the very place where an earlier pass stopped has not been passed yet.
        self._ahead = deque(one for one in known if one.key == (resume and resume.key) or not self._is_behind(one.key))
        self._since_checkpoint = 0
        self.met = False  # the facts are those of a checkpoint: what follows it stays as it is
        self.folded = 0
        self.made: list[Checkpoint] = []

    def feed(self, page: Iterable[Entry]) -> bool:
        """Folds the next entries of the log, in its order. True if nothing that follows needs to be read."""
        for entry in page:
            if self.met:
                break
            if entry.event_key not in self._late_keys:
                self._fold_late(before=order_key(entry))
                self._fold(entry)
        return self.met

    def finish(self, now: Facts) -> Facts:
        """The contact's facts, all late entries included. Call it after `feed` gave True, or after the last page.

        `now`: its facts without the late entries, read under its lock. They may hold later entries than were fed if
        `met`; otherwise everything that they hold must have been fed.
        """
        if not self.met:
            self._fold_late(before=None)
            self._pass_checkpoints(before=None)
        known, reached = now if self.met else self._facts, self._facts
        late = [entry for entry in self._all_late if not is_inert(entry)]
        return replace(
            known,
            latest=_last(now.latest, reached.latest, *map(order_key, late)),
            latest_ordered=_last(now.latest_ordered, reached.latest_ordered, *map(order_key, filter(is_ordered, late))),
            awaited=self._awaited,
        )

    @property
    def here(self) -> Checkpoint | None:
        """Where it stands, to go on from later; None at the beginning of the log."""
        if self._place is None:
            return None
        return Checkpoint(key=self._place, facts=at_a_place(self._facts), policy_id=self._policy_id)

    def _is_behind(self, key: OrderKey) -> bool:
        return self.after is not None and key <= self.after

    def _fold_late(self, *, before: OrderKey | None) -> None:
        while self._late and not self.met and (before is None or order_key(self._late[0]) < before):
            self._fold(self._late.popleft())

    def _fold(self, entry: Entry) -> None:
        key = order_key(entry)
        self._pass_checkpoints(before=key)
        if self.met:
            return
        out = self._annotations.out(entry)
        self._facts = fold(self._facts, entry, self._policy) if out is None else pass_over(self._facts, entry)
        self._place = key
        self.folded += 1
        self._since_checkpoint += 1
        if self._every is not None and self._since_checkpoint >= self._every:
            self._make(key)

    def _pass_checkpoints(self, *, before: OrderKey | None) -> None:
        """Meets the checkpoints that lie before the next entry, or writes them anew."""
        while self._ahead and not self.met and (before is None or self._ahead[0].key < before):
            checkpoint = self._ahead.popleft()
            complete = self._last_affected is not None and self._last_affected <= checkpoint.key
            if complete and checkpoint.facts == at_a_place(self._facts):
                self.met = True
            else:
                self._make(checkpoint.key)

    def _make(self, key: OrderKey) -> None:
        self.made.append(Checkpoint(key=key, facts=at_a_place(self._facts), policy_id=self._policy_id))
        self._since_checkpoint = 0


def _last(*keys: OrderKey | None) -> OrderKey | None:
    return max((key for key in keys if key is not None), default=None)
