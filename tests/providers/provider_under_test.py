"""What a test class tells of its provider, and what its tests do with it."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from tests.providers.reading import wrap
from tests.providers.sample_events import ALL_KINDS, NOW, one_of_each, sample
from worker.providers.provider import Provider
from worker.providers.registry import provider_named
from worker.providers.verdict import Judgement
from worker.providers.webhook_request import WebhookRequest
from worker.samples.sample import SampleSender

_PLAIN_HEADERS = frozenset({"content-type", "user-agent"})

_SIGNED_REQUESTS: dict[type, tuple[SampleSender, list[WebhookRequest]]] = {}  # by the class that tests its provider


class ProviderUnderTest:
    """What the suite of all providers knows of one of them.

    Class variables describe most vendors; where one is not as simple as that, its class overrides a method.
    """

    provider_name: ClassVar[str]
    make_sender: ClassVar[Callable[[], SampleSender]]  # a make-believe vendor with keys of its own
    event_field: ClassVar[str]  # where an event's name stands: "type", or "data.type"
    told_at_least: ClassVar[tuple[str, ...]]  # the fields, `event_field` among them, that no event goes without
    max_age: ClassVar[timedelta | None] = None  # None: the vendor signs no time, an old webhook is as good
    kinds: ClassVar[tuple[tuple[Kind, Cause], ...]] = ALL_KINDS  # those that the vendor can say
    unknown_event: ClassVar[str] = "invented"
    signs_body: ClassVar[bool] = True  # False: the vendor signs nothing and shows a secret in a header or the URL
    tells_time: ClassVar[bool] = True
    tells_reply: ClassVar[bool] = True  # the codes of the server's reply
    tells_message_id: ClassVar[bool] = True
    empty_bodies: ClassVar[tuple[bytes, ...]] = (b"[]", b"{}")

    # -- what a subclass tells -------------------------------------------------------------------------------

    def new_sender(self) -> SampleSender:
        """A make-believe vendor with keys of its own."""
        return type(self).make_sender()

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        """The request as somebody would send it who has not the key."""
        if self.signs_body:
            return msgspec.structs.replace(request, body=request.body.replace(b"jane@", b"john@"))
        shown = {name: value[::-1] for name, value in request.headers.items() if name not in _PLAIN_HEADERS}
        query = {name: value[::-1] for name, value in request.query.items()}
        return msgspec.structs.replace(request, headers={**request.headers, **shown}, query=query)

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        """The request without its proof."""
        return msgspec.structs.replace(
            request, headers={"content-type": request.headers.get("content-type", "application/json")}, query={}
        )

    def certificates(self, sender: SampleSender) -> Mapping[str, bytes]:
        """What the receiver would have fetched for this sender."""
        del sender
        return {}

    def documents(self, request: WebhookRequest) -> list[Any]:
        """The JSON values in the request that stand for one event each."""
        return [json.loads(request.body)]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        """The request's body with this document in the place of its own."""
        del request
        return json.dumps(document).encode()

    def unknown(self, document: Any) -> Any:
        """The document with an event name that the vendor never had: `unknown_event`."""
        return _with(document, self.event_field.split("."), self.unknown_event)

    def stripped(self, document: Any) -> Any:
        """The document with nothing but its event name and its recipient."""
        kept: dict[str, Any] = {}
        for field in self.told_at_least:
            value = document
            for name in field.split("."):
                value = value[name]
            kept = _with(kept, field.split("."), value)
        return kept

    def recipient(self, email: str) -> str:
        """How the vendor's events name the person of this e-mail address: by it, or by a made-up phone number."""
        return email

    # -- what the tests use ----------------------------------------------------------------------------------

    @property
    def provider(self) -> Provider:
        """The provider under test."""
        return provider_named(self.provider_name)

    def judge(self, request: WebhookRequest, source: Source, sender: SampleSender, *, now: datetime = NOW) -> Judgement:
        """The provider's verdict."""
        return self.provider.bind(source).authenticate(request, now=now, certificates=self.certificates(sender))

    def envelope(self, request: WebhookRequest, body: bytes | None = None) -> Envelope:
        """The request, or one with another body, as the receiver wraps it."""
        return wrap(self.provider, request if body is None else msgspec.structs.replace(request, body=body))

    def read(self, envelope: Envelope) -> list[FeedbackEvent]:
        """The events of one envelope, as the provider's own make-believe vendor is configured."""
        return self.provider.bind(self.new_sender().source("first")).parse(envelope)

    def parse(self, requests: Sequence[WebhookRequest]) -> list[FeedbackEvent]:
        """The events of all requests."""
        return [event for request in requests for event in self.read(self.envelope(request))]

    def one_request_of_each(self) -> tuple[SampleSender, list[WebhookRequest]]:
        """Webhooks about one event of each kind and who sent them; the same ones for every example of a property."""
        kept = _SIGNED_REQUESTS.get(type(self))
        if kept is None:
            sender = self.new_sender()
            kept = _SIGNED_REQUESTS[type(self)] = (sender, sender.requests(one_of_each(self.kinds), now=NOW))
        return kept

    def request(self, sender: SampleSender | None = None, *, now: datetime = NOW) -> WebhookRequest:
        """One signed webhook about a hard bounce."""
        return (sender or self.new_sender()).requests([sample()], now=now)[0]


def _with(document: dict[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    name, *below = path
    return document | {name: _with(document.get(name, {}), below, value) if below else value}
