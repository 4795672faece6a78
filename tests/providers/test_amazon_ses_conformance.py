"""What SES does as every provider does."""

import json
from functools import cache
from typing import Any

import msgspec

from tests.providers.conformance import ProviderConformance
from worker.providers.provider import WebhookRequest
from worker.samples.amazon_ses import EVENT_TYPE, AmazonSesSamples
from worker.samples.sample import SampleSender


@cache
def shared_sender() -> AmazonSesSamples:
    """One for all tests: AWS has one key, rotates it by itself, and making one takes its time."""
    return AmazonSesSamples()


class TestAmazonSesConformance(ProviderConformance):
    provider_name = "amazon_ses"

    def new_sender(self) -> SampleSender:
        return shared_sender()

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        fields = json.loads(request.body)
        kept = {name: value for name, value in fields.items() if not name.startswith("Sign")}
        return msgspec.structs.replace(request, body=json.dumps(kept).encode())

    def documents(self, request: WebhookRequest) -> list[Any]:
        return [json.loads(json.loads(request.body)["Message"])]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        return json.dumps({**json.loads(request.body), "Message": json.dumps(document)}).encode()

    def unknown(self, document: Any) -> Any:
        return {**document, EVENT_TYPE: self.unknown_event}

    def stripped(self, document: Any) -> Any:
        recipients = [{"emailAddress": document["bounce"]["bouncedRecipients"][0]["emailAddress"]}]
        return {EVENT_TYPE: "Bounce", "bounce": {"bouncedRecipients": recipients}}
