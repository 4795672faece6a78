"""One thing that an ESP reported about one recipient, in our own vocabulary."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Channel, Kind, Way

# Stored with each event. Raise it when any provider reads what came before in another way: it tells which rows an
# earlier reading made.
READER_VERSION = 2


class FeedbackEvent(Struct, frozen=True, gc=False, repr_omit_defaults=True):
    """Two events with the same `event_key` are the same event, however often it arrives.

    Name the fields when you make one. Only `worker.providers.payload.feedback.new_event`, which makes all incoming
    events, passes them in this order: with more than fifteen names CPython makes a dict for the call, and that costs
    as much as parsing the event's JSON.

    Events of one contact are folded in the order (occurred_at, rank, event_key). The rank is that of the kind, so
    two events of the same second keep their natural order. The key does not depend on the kind: a vendor's retry is
    the same event, even if a newer version reads it as another kind.
    """

    event_key: bytes  # 16 bytes, stable over the vendor's retries and over versions of ours
    provider: str
    source: str
    account: str
    address: str | None  # normalised (schemas.address); None if the event has no recipient
    kind: Kind
    occurred_at: datetime  # aware, UTC, never later than received_at
    received_at: datetime  # aware, UTC: when the receiver took the webhook
    delivery_id: UUID  # of the webhook that brought it
    cause: Cause = Cause.NONE
    channel: Channel = Channel.EMAIL
    arrival_dated: bool = False  # the vendor gave no usable time: occurred_at is the time of arrival
    vendor_event: str = ""  # the vendor's own words for it: "bounce/blocked", "Permanent/NoEmail"
    recognised: bool = True  # False: a name or class that this version does not know; it is logged by name
    message_id: str | None = None
    smtp_code: int | None = None  # RFC 5321 reply code
    enhanced_status: str | None = None  # RFC 3463 code, "5.1.1"
    diagnostic: str | None = None  # the server's own words
    scope: str | None = None  # a list or group that an opt-out is limited to; the stream that a complaint is about
    machine: bool = False  # an open or click made by a scanner or a privacy proxy
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    raw: bytes = b""  # the event as the vendor wrote it
    way: Way | None = None  # of an opt-out: how it came in; None if the source does not say
    # These recognise a repeat, in addition to key and time. They are not stored with the event.
    claimed_at: datetime | None = None  # the vendor's own time, if it was ahead of our clock
    known_by_id: bool = False  # the key alone identifies it, whatever time a repeat names
    former_key: bytes | None = None  # the key that an older version made from other parts
    campaign: str | None = None  # the campaign that the message belonged to; kept beside the log, not in it

    @property
    def rank(self) -> int:
        """Its place among events of the same instant."""
        return KIND_RANKS[self.kind]

    @property
    def blame(self) -> Blame:
        """Whose fault it was."""
        return CAUSE_BLAME[self.cause]
