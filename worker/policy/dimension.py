"""What each dimension of the facts gives: standings. The gravest of all dimensions is the status that is shown.

A dimension is one file: the facts that it remembers, how an entry of the log changes them (its fold), the standings
that follow from them, and the sentences that tell it. Its record is also its encoding (facts_encoding). The
dimensions: consent.py, complaint.py, deliverability.py, engagement.py.
"""

from datetime import datetime

from msgspec import Struct

from schemas.vocabulary import STATUS_GRAVITY, Blocks, Cause, Status
from worker.policy.rule import LiftBy

WIDTH = {blocks: width for width, blocks in enumerate(Blocks)}  # how much mail each forbids


class Standing(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The status that follows from one fact, or from all facts together, at one moment."""

    status: Status
    blocks: Blocks
    since: datetime | None  # when it began; None for one of FREE_STATUSES
    until: datetime | None  # when it ends by itself
    cause: Cause = Cause.NONE
    rule: str | None = None
    event_key: bytes | None = None  # the entry of the log that caused it
    lift_by: frozenset[LiftBy] = frozenset()
    name: str = ""  # the fact, in the middle of a sentence: "the complaint"
    scope: str | None = None  # of an opt-out; empty for everything


def precedence(one: Standing) -> tuple[int, bool, float, int, float, bytes]:
    """Sorts standings by gravity, how long they last, how much mail they forbid, and their age."""
    return (
        STATUS_GRAVITY[one.status],
        one.until is None,
        one.until.timestamp() if one.until is not None else 0.0,
        WIDTH[one.blocks],
        -one.since.timestamp() if one.since is not None else 0.0,
        one.event_key or b"",
    )
