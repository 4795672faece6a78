"""A listing: blocklisted by a decision of a person, an import or a rule of this program."""

from datetime import datetime

from msgspec import Struct

from schemas.decision import Decision
from schemas.vocabulary import Blocks, Cause
from worker.policy.permissions import LOCKS, Fact
from worker.policy.rule import LiftBy


class Listing(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Several may be in force. Each forbids mail from `since` until `until` (None = until lifted)."""

    since: datetime
    until: datetime | None
    cause: Cause
    blocks: Blocks
    event_key: bytes

    def is_in_force(self, at: datetime) -> bool:
        """True until just before its end."""
        return self.until is None or at < self.until

    @property
    def lift_by(self) -> frozenset[LiftBy]:
        """What ends it."""
        return LOCKS[Fact.LISTING] if self.until is None else LOCKS[Fact.LISTING] | {LiftBy.EXPIRY}


LISTING_NAME = "the listing"


def with_listing(known: tuple[Listing, ...], decision: Decision) -> tuple[Listing, ...]:
    """The listings with one more. Those that have ended by then are forgotten."""
    at = decision.occurred_at
    listing = Listing(
        since=at,
        until=decision.until,
        cause=decision.cause,
        blocks=decision.blocks,
        event_key=decision.event_key,
    )
    return (*(other for other in known if other.is_in_force(at)), listing)
