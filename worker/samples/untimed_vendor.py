"""Make-believe vendors of whose requests nothing says when they were sent: most of those that sign no time."""

import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import post
from worker.samples.sample import SampleEvent
from worker.samples.vendor import MakeBelieveVendor


class UntimedVendor(MakeBelieveVendor):
    """Posts JSON: an object for each event, or arrays of them.

    A vendor with another body overrides `posted`; what it is given is what `document` makes, or a list of those.
    """

    events_per_request: ClassVar[int | None] = None  # None: one, without an array around it
    shown: Callable[[str], dict[str, str]] | None = None  # the header that shows the secret, where one does

    @abstractmethod
    def document(self, event: SampleEvent) -> Any:
        """The event as the vendor writes it."""

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event, or for each `events_per_request` of them."""
        del now
        documents = [self.document(event) for event in events]
        size = self.events_per_request
        if size is None:
            return [self.posted(document) for document in documents]
        return [self.posted(documents[start : start + size]) for start in range(0, len(documents), size)]

    def posted(self, content: Any) -> WebhookRequest:
        """The POST of this JSON value."""
        return self.posted_body(json.dumps(content).encode())

    def posted_body(self, body: bytes, content_type: str = "application/json") -> WebhookRequest:
        """The POST of any body, with its proof."""
        return post(self.provider, body, self.proof(body), content_type=content_type, query=self.query())

    def proof(self, body: bytes) -> Mapping[str, str]:
        """The headers that stand for the vendor with this body; one that signs it says how."""
        del body
        return {} if self.shown is None else self.shown(self.secret)

    def query(self) -> Mapping[str, str]:
        """What the operator has put behind the URL: nothing, unless the vendor's proof stands there."""
        return {}
