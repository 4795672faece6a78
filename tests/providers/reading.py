"""Envelopes read by a provider whose source has nothing configured."""

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from worker.providers.provider import Provider


def parse_envelope(provider: Provider, envelope: Envelope) -> list[FeedbackEvent]:
    """The events of the envelope."""
    source = Source(name=envelope.source, provider=envelope.provider, account=envelope.account)
    return provider.bind(source).parse(envelope)
