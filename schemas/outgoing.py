"""What Bouncekeeper tells the sending applications when a contact's status changes."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from schemas.vocabulary import Blocks, Cause, Channel, Status


class StatusChanged(Struct, frozen=True, kw_only=True):
    """The body of a message on the topic exchange, as JSON; delivered at least once, `message_id` tells repeats."""

    message_id: UUID
    account: str
    channel: Channel
    address: str
    old_status: Status
    new_status: Status
    blocks: Blocks  # which mail is forbidden now
    since: datetime | None
    until: datetime | None
    cause: Cause
    rule: str | None
    recorded_at: datetime
