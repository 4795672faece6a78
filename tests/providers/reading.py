"""What a provider reads in a webhook when its source has nothing configured."""

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from tests.providers.sample_events import NOW
from worker.providers.provider import Provider
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import post


def parse_envelope(provider: Provider, envelope: Envelope) -> list[FeedbackEvent]:
    """The events of the envelope."""
    source = Source(name=envelope.source, provider=envelope.provider, account=envelope.account)
    return provider.bind(source).parse(envelope)


def parse_request(provider: Provider, request: WebhookRequest) -> list[FeedbackEvent]:
    """The events of the request, whatever it proves."""
    return parse_envelope(provider, wrap(provider, request))


def parse_body(provider: Provider, body: bytes, content_type: str = "application/json") -> list[FeedbackEvent]:
    """The events of a body that arrives without a header of the vendor's."""
    return parse_request(provider, post(provider.name, body, {"content-type": content_type}))


def wrap(provider: Provider, request: WebhookRequest) -> Envelope:
    """The request as the receiver wraps it for the source `first`."""
    return Envelope(
        delivery_id=new_delivery_id(),
        source="first",
        provider=provider.name,
        account="default",
        received_at=NOW,
        content_type=request.headers.get("content-type", ""),
        headers={name: value for name, value in request.headers.items() if name in provider.kept_headers},
        body=request.body,
    )
