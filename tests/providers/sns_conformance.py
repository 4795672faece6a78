"""The suite of all providers, for those whose events come as the messages of an SNS topic."""

import json
from typing import Any

import msgspec

from tests.providers.conformance import ProviderConformance
from worker.providers.webhook_request import WebhookRequest


class SnsConformance(ProviderConformance):
    """A document is the JSON in a notification's `Message`."""

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        fields = json.loads(request.body)
        kept = {name: value for name, value in fields.items() if not name.startswith("Sign")}
        return msgspec.structs.replace(request, body=json.dumps(kept).encode())

    def documents(self, request: WebhookRequest) -> list[Any]:
        return [json.loads(json.loads(request.body)["Message"])]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        return json.dumps({**json.loads(request.body), "Message": json.dumps(document)}).encode()
