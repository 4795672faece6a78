"""The suite of all providers, for those whose webhooks are arrays of events."""

import json
from typing import Any, ClassVar

from tests.providers.conformance import ProviderConformance
from worker.providers.webhook_request import WebhookRequest


class BatchConformance(ProviderConformance):
    """A document is an element of the array."""

    array_field: ClassVar[str] = ""  # of the object around the array, where there is one

    def documents(self, request: WebhookRequest) -> list[Any]:
        content = json.loads(request.body)
        return list(content[self.array_field] if self.array_field else content)

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        del request
        return json.dumps({self.array_field: [document]} if self.array_field else [document]).encode()
