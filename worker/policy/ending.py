"""What a lift or an opt-in has ended, and what it had to leave."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from schemas.entry import Entry
from worker.policy.permissions import why_not
from worker.policy.rule import LiftBy


class Ending(Struct, frozen=True, kw_only=True, gc=False):
    """The names of the facts that ended, and a sentence for each that stays: why, and what ends it."""

    ended: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def end(name: str, lift_by: frozenset[LiftBy], entry: Entry) -> Ending:
    """What the entry does to one fact."""
    refusal = why_not(name, lift_by, entry)
    if refusal is None:
        return Ending(ended=(name,))
    return Ending(kept=(f"{refusal.sentence} {refusal.remedy}",))


def listed(names: Sequence[str]) -> str:
    """The names in the middle of a sentence: "this, that and the other"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def together(endings: Iterable[Ending]) -> Ending:
    """What the entry does to several facts."""
    several = list(endings)
    return Ending(
        ended=tuple(name for one in several for name in one.ended),
        kept=tuple(sentence for one in several for sentence in one.kept),
    )
