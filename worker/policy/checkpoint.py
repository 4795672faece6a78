"""Checkpoints: the facts at places along a long log, so that an entry that comes late need not fold all of it again."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from worker.policy.facts import Facts, OrderKey

# Of the record of the facts. Raise it whenever a field of the facts is added, renamed, removed or means something else:
# facts of another shape would never be met again, or be met by mistake. tests/policy/test_late_fold.py says when.
FACTS_SHAPE = 2


class Checkpoint(Struct, frozen=True, kw_only=True):
    """The facts after the entry at `key` and all before it, as `at_a_place` gives them."""

    key: OrderKey
    facts: Facts
    policy_id: int
    shape: int = FACTS_SHAPE


def at_a_place(facts: Facts) -> Facts:
    """The facts without what is of the whole log: the last entries, and those that have not arrived."""
    return replace(facts, latest=None, latest_ordered=None, awaited=())


def usable(checkpoints: Iterable[Checkpoint], policy_id: int) -> list[Checkpoint]:
    """Those that this version can go on from under the policy, in the order of the log."""
    known = [one for one in checkpoints if one.policy_id == policy_id and one.shape == FACTS_SHAPE]
    return sorted(known, key=lambda one: one.key)
