"""What AhaSend reports: by its names alone, as it tells no reasons."""

import json
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import NOW, ProviderConformance, sample
from worker.errors import UnreadablePayload
from worker.samples.ahasend import AhaSendSamples, sample_values
from worker.samples.sample import SampleSender

# https://ahasend.com/docs/api-reference/webhooks
VENDOR_EVENTS = {
    "message.reception": (Kind.ACCEPTED, Cause.NONE),
    "message.delivered": (Kind.DELIVERED, Cause.NONE),
    "message.transient_error": (Kind.DEFERRED, Cause.UNDETERMINED),
    "message.failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "message.bounced": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "message.suppressed": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "message.opened": (Kind.OPENED, Cause.NONE),
    "message.clicked": (Kind.CLICKED, Cause.NONE),
    "suppression.created": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "domain.dns_error": (Kind.OTHER, Cause.NONE),
    "message.routing": (Kind.OTHER, Cause.NONE),
    "route.message": (Kind.OTHER, Cause.NONE),
}


class TestAhaSend(ProviderConformance):
    provider_name = "ahasend"
    max_age: ClassVar[timedelta | None] = timedelta(seconds=300)
    tells_reply: ClassVar[bool] = False
    # It says nothing of complaints, unsubscribes and the reasons of a failure.
    kinds: ClassVar[tuple[tuple[Kind, Cause], ...]] = (
        *(meaning for meaning in VENDOR_EVENTS.values() if meaning[0] is not Kind.OTHER),
        (Kind.OTHER, Cause.NONE),
    )

    def new_sender(self) -> SampleSender:
        return AhaSendSamples()

    def unknown(self, document: Any) -> Any:
        return document | {"type": self.unknown_event}

    def stripped(self, document: Any) -> Any:
        return {"type": document["type"], "data": {"recipient": document["data"]["recipient"]}}

    def one(self, document: dict[str, Any], event_id: str = "e1", *, later_seconds: int = 0) -> FeedbackEvent:
        posted_at = NOW + timedelta(seconds=later_seconds)
        (event,) = self.read(self.envelope(AhaSendSamples().signed(document, event_id, now=posted_at)))
        return event

    @pytest.mark.parametrize("name", VENDOR_EVENTS)
    def test_means_what_its_name_says(self, name: str) -> None:
        event = self.one({"type": name, "data": {"recipient": "jane@example.org"}})
        assert (event.kind, event.cause) == VENDOR_EVENTS[name] == self.provider.vocabulary[name]
        assert (event.recognised, event.vendor_event) == (True, name)

    def test_the_table_has_no_gap(self) -> None:
        assert self.provider.vocabulary == VENDOR_EVENTS

    @pytest.mark.parametrize("name", ["message.routing", "route.message"])
    def test_mail_to_us_concerns_no_contact(self, name: str) -> None:
        data = {"id": "r1", "from": "customer@example.org", "to": "support@example.com"}
        assert self.one({"type": name, "data": data}).address is None

    @pytest.mark.parametrize(("is_bot", "machine"), [(True, True), (False, False), ("", False), (None, False)])
    def test_a_robots_open_is_one_of_a_machine(self, is_bot: Any, *, machine: bool) -> None:
        event = self.one({"type": "message.opened", "data": {"recipient": "jane@example.org", "is_bot": is_bot}})
        assert event.machine is machine

    def test_the_key_is_the_id_in_the_headers_and_not_that_of_the_webhook(self) -> None:
        document = sample_values(sample())
        first, again, other = self.one(document), self.one(document, later_seconds=60), self.one(document, "e2")
        assert first.event_key == again.event_key != other.event_key

    def test_the_message_id_is_the_one_that_the_api_answered_with(self) -> None:
        data = {"recipient": "jane@example.org", "id": "internal", "message_id_header": "<m1@example.com>"}
        assert self.one({"type": "message.bounced", "data": data}).message_id == "<m1@example.com>"
        assert self.one({"type": "message.bounced", "data": {"id": "internal"}}).message_id == "internal"

    def test_a_suppression_says_why(self) -> None:
        data = {"recipient": "jane@example.org", "reason": "Too many hard bounces"}
        event = self.one({"type": "suppression.created", "data": data})
        assert (event.address, event.diagnostic) == ("jane@example.org", "Too many hard bounces")

    def test_an_event_without_a_type_is_set_aside(self) -> None:
        with pytest.raises(UnreadablePayload, match="no type"):
            self.read(self.envelope(self.request(), json.dumps({"data": {}}).encode()))
