"""What most make-believe vendors share: one secret, and a source that accepts it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Self

from schemas.source import Secret, Source
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import made_up_secret
from worker.samples.sample import SampleEvent


class MakeBelieveVendor(ABC):
    """A SampleSender with one secret. The same seed makes the same secret; without one it is random."""

    provider: ClassVar[str]
    authentication: ClassVar[str] = ""  # the scheme by which it proves itself
    sample_address: ClassVar[str] = ""  # whom a sample is about, where that can be no e-mail address

    def __init__(self, *, seed: bytes | None = None) -> None:
        self.secret = self.make_secret(made_up_secret(self.provider, seed))

    def make_secret(self, made_up: str) -> str:
        """The secret in the vendor's form, from 64 hex digits."""
        return made_up

    def secrets_for_source(self) -> tuple[Secret, ...]:
        """What the operator would copy into the source's configuration."""
        return (Secret(self.secret),)

    def source(self, name: str) -> Source:
        """A source that accepts this sender's requests."""
        return Source(
            name=name,
            provider=self.provider,
            authentication=self.authentication,
            secrets=self.secrets_for_source(),
        )

    def speaking_as(self, source: Source) -> Self:
        """A sender that signs with this source's first secret; of its options, what the vendor's way of signing needs.

        A vendor of which the operator holds only a public key cannot be spoken as: its requests stay its own.
        """
        speaking = type(self)()
        if source.secrets:
            speaking.secret = source.secrets[0].reveal()
        return speaking

    @abstractmethod
    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """Signed webhooks that carry the events, in the vendor's batching, as posted at `now`."""
