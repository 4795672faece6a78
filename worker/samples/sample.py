"""What a sample webhook is made from, and what each provider's sender of samples offers.

Samples are real requests: signed with real keys that are made when the sender is made, in the shape that the
vendor documents. The demo, `sources test`, the benchmarks and the tests all send these.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol

from msgspec import Struct

from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from worker.providers.webhook_request import WebhookRequest

SAMPLE_REMOTE_ADDRESS = "192.0.2.10"  # RFC 5737: a network for documentation


class SampleEvent(Struct, frozen=True, kw_only=True):
    """One thing that a vendor is to report, in our words; the sender finds the vendor's words for it.

    A provider that cannot say a kind or cause exactly uses the nearest thing it has.
    """

    address: str
    kind: Kind
    occurred_at: datetime  # aware, UTC
    message_id: str
    cause: Cause = Cause.NONE
    smtp_code: int | None = None
    enhanced_status: str | None = None
    diagnostic: str | None = None
    scope: str | None = None  # of an unsubscribe: the vendor's list or group
    machine: bool = False  # of an open or click
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    vendor_event_id: str | None = None  # the vendor's own id; made up from the rest when None


class SampleSender(Protocol):
    """A make-believe ESP that signs for real."""

    provider: ClassVar[str]  # the name in worker.providers.registry

    def secrets_for_source(self) -> tuple[Secret, ...]:
        """What the operator would copy into the source's configuration to accept this sender."""
        ...

    def source(self, name: str) -> Source:
        """A source that accepts this sender's requests."""
        ...

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """Signed webhooks that carry the events, in the vendor's batching, as posted at `now`."""
        ...
