"""What SES does as every provider does."""

from functools import cache
from typing import Any

from tests.providers.sns_conformance import SnsConformance
from worker.samples.amazon_ses import EVENT_TYPE, AmazonSesSamples


@cache
def shared_sender() -> AmazonSesSamples:
    """One for all tests: AWS has one key, rotates it by itself, and making one takes its time."""
    return AmazonSesSamples()


class TestAmazonSesConformance(SnsConformance):
    provider_name = "amazon_ses"
    event_field = EVENT_TYPE
    make_sender = shared_sender

    def stripped(self, document: Any) -> Any:
        recipients = [{"emailAddress": document["bounce"]["bouncedRecipients"][0]["emailAddress"]}]
        return {EVENT_TYPE: "Bounce", "bounce": {"bouncedRecipients": recipients}}
