"""A block by a rule: a hold for a time, or until it is lifted."""

from datetime import datetime

from msgspec import Struct

from schemas.vocabulary import Blocks, Cause, Status
from worker.policy.rule import LiftBy


class Block(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A block by one rule. It is in force from `since` until `until` (None = until lifted)."""

    rule: str
    status: Status
    cause: Cause
    since: datetime
    until: datetime | None
    blocks: Blocks
    lift_by: frozenset[LiftBy]
    event_key: bytes  # the event that caused it


def is_in_force(block: Block, at: datetime) -> bool:
    """True until just before the block's end.

    The beginning does not matter, because facts hold only past events. A moment before it can only come from a clock
    that runs behind the one that dated the event, and must not allow the mail.
    """
    return block.until is None or at < block.until
