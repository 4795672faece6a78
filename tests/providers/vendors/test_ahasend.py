"""What AhaSend reports: by its names, and by what the receiving server said where that is told."""

import json
from datetime import timedelta
from typing import Any

import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.sample_events import NOW, all_kinds_but, sample
from worker.errors import UnreadablePayload
from worker.samples.ahasend import AhaSendSamples, sample_values

# https://ahasend.com/docs/api-reference/webhooks
VENDOR_EVENTS = {
    "message.reception": (Kind.ACCEPTED, Cause.NONE),
    "message.delivered": (Kind.DELIVERED, Cause.NONE),
    "message.transient_error": (Kind.DEFERRED, Cause.UNDETERMINED),
    "message.failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "message.bounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
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
    make_sender = AhaSendSamples
    event_field = "type"
    told_at_least = ("type", "data.recipient")
    max_age = timedelta(seconds=300)
    # It says nothing of unsubscribes.
    kinds = all_kinds_but(Kind.UNSUBSCRIBE)

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
        refined = {
            "message.bounced/delivery_attempt": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
            "suppression.created/complain": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
        }
        assert self.provider.vocabulary == VENDOR_EVENTS | refined

    @pytest.mark.parametrize(
        ("name", "code", "status", "response", "meaning"),
        [
            ("bounced", 550, "5.1.1", "user unknown", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
            ("bounced", 552, "5.2.2", "mailbox full", (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
            ("bounced", 550, "5.7.26", "unauthenticated", (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION)),
            ("bounced", 550, None, "no thanks", (Kind.HARD_BOUNCE, Cause.UNDETERMINED)),
            ("bounced", 0, None, "internal error", (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE)),
            ("transient_error", 452, "4.2.2", "mailbox full", (Kind.DEFERRED, Cause.MAILBOX_FULL)),
            ("transient_error", 550, "5.1.1", "user unknown", (Kind.DEFERRED, Cause.MAILBOX_DOES_NOT_EXIST)),
        ],
    )
    def test_the_servers_answer_has_the_last_say(
        self, name: str, code: int, status: str | None, response: str, meaning: tuple[Kind, Cause]
    ) -> None:
        attempt = {"smtp_code": code, "enhanced_status_code": status, "response": response, "command": "RCPT TO"}
        data = {"recipient": "jane@example.org", "delivery_attempt": attempt}
        event = self.one({"type": f"message.{name}", "data": data})
        assert (event.kind, event.cause) == meaning
        assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (code or None, status, response)

    @pytest.mark.parametrize("attempt", [None, {}, [], "550"])
    def test_a_bounce_of_which_nothing_is_told_proves_no_mailbox_dead(self, attempt: Any) -> None:
        event = self.one({"type": "message.bounced", "data": {"delivery_attempt": attempt}})
        assert (event.kind, event.cause) == (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)

    def test_a_suppression_for_a_complaint_is_the_only_word_of_it(self) -> None:
        for reason in ("Spam complaint", "The recipient complained"):
            event = self.one(
                {"type": "suppression.created", "data": {"recipient": "jane@example.org", "reason": reason}}
            )
            assert (event.kind, event.cause, event.diagnostic) == (Kind.COMPLAINT, Cause.ABUSE_REPORT, reason)

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
