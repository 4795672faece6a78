"""What Lettermint reports, and how it signs."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.sample_events import EARLIER, NOW, all_kinds_but
from worker.errors import UnreadablePayload
from worker.providers.vendors.lettermint import SIGNATURE_HEADER
from worker.providers.verdict import Accepted, Refused
from worker.samples.lettermint import LettermintSamples

# https://docs.lettermint.co/platform/webhooks/events and Lettermint's own libraries.
VENDOR_EVENTS = {
    "message.created": (Kind.ACCEPTED, Cause.NONE),
    "message.sent": (Kind.ACCEPTED, Cause.NONE),
    "message.delivered": (Kind.DELIVERED, Cause.NONE),
    "message.auto_replied": (Kind.OTHER, Cause.AUTO_REPLY),
    "message.hard_bounced": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "message.soft_bounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "message.spam_complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "message.failed": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
    "message.suppressed": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "message.suppressed/hard_bounce": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "message.suppressed/spam_complaint": (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER),
    "message.suppressed/unsubscribe": (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER),
    "message.suppressed/manual": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "message.policy_rejected": (Kind.DROPPED, Cause.CONTENT),
    "message.unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "message.opened": (Kind.OPENED, Cause.NONE),
    "message.clicked": (Kind.CLICKED, Cause.NONE),
    "message.inbound": (Kind.OTHER, Cause.NONE),
    "message.scheduled": (Kind.OTHER, Cause.NONE),
    "message.rescheduled": (Kind.OTHER, Cause.NONE),
    "message.canceled": (Kind.OTHER, Cause.NONE),
    "message.released": (Kind.OTHER, Cause.NONE),
    "suppression.added": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "suppression.added/spam_complaint": (Kind.OTHER, Cause.COMPLAINED_AT_PROVIDER),
    "suppression.removed": (Kind.OTHER, Cause.NONE),
    "webhook.test": (Kind.OTHER, Cause.TEST),
}


class TestLettermint(ProviderConformance):
    provider_name = "lettermint"
    make_sender = LettermintSamples
    event_field = "event"
    told_at_least = ("event", "data.recipient")
    max_age = timedelta(seconds=300)
    # A delay is a soft bounce by its name; whether Lettermint tries again it does not say.
    kinds = all_kinds_but(Kind.DEFERRED)

    def all_of(self, name: str, data: dict[str, Any], **other: Any) -> list[FeedbackEvent]:
        request = LettermintSamples().signed({"id": "e1", "event": name, "data": data, **other}, now=NOW)
        return self.read(self.envelope(request))

    def one(self, name: str, data: dict[str, Any], **other: Any) -> FeedbackEvent:
        (event,) = self.all_of(name, data, **other)
        return event

    def test_a_failure_for_an_invalid_address_is_the_only_news_of_it(self) -> None:
        event = self.one("message.failed", {"recipient": "jane@example.org", "reason": "Invalid recipient address"})
        assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)

    @pytest.mark.parametrize("words", VENDOR_EVENTS)
    def test_means_what_its_name_and_reason_say(self, words: str) -> None:
        name, _, reason = words.partition("/")
        event = self.one(name, {"recipient": "jane@example.org"} | ({"reason": reason} if reason else {}))
        assert (event.kind, event.cause) == VENDOR_EVENTS[words] == self.provider.vocabulary[words]
        assert (event.recognised, event.vendor_event) == (True, words)

    def test_the_word_beside_a_sentence_says_why_a_recipient_is_suppressed(self) -> None:
        told = {"recipient": "jane@example.org", "reason": "The recipient has complained."}
        event = self.one("message.suppressed", told | {"reason_code": "spam_complaint"})
        assert (event.kind, event.cause) == (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER)
        assert (event.vendor_event, event.diagnostic) == ("message.suppressed/spam_complaint", told["reason"])
        alone = self.one("message.suppressed", told)
        assert (alone.cause, alone.vendor_event) == (Cause.SUPPRESSED_BY_PROVIDER, "message.suppressed")

    @pytest.mark.parametrize(
        ("name", "code", "status", "content", "meaning"),
        [
            ("hard_bounced", 550, "5.1.1", "user unknown", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
            ("hard_bounced", 550, "5.7.1", "listed on a blocklist", (Kind.BLOCKED, Cause.SENDER_REPUTATION)),
            ("hard_bounced", 550, "5.7.26", "unauthenticated", (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION)),
            ("soft_bounced", 452, "4.2.2", "mailbox full", (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
            ("soft_bounced", 550, "5.1.1", "user unknown", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
            ("failed", 550, "5.1.1", "user unknown", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
        ],
    )
    def test_the_servers_answer_has_the_last_say(
        self, name: str, code: int, status: str, content: str, meaning: tuple[Kind, Cause]
    ) -> None:
        answer = {"status_code": code, "enhanced_status_code": status, "content": content}
        event = self.one(f"message.{name}", {"recipient": "jane@example.org", "response": answer})
        assert (event.kind, event.cause) == meaning
        assert (event.smtp_code, event.enhanced_status, event.diagnostic) == (code, status, content)

    @pytest.mark.parametrize("response", [None, [], "", {}])
    def test_without_an_answer_the_name_decides(self, response: Any) -> None:
        event = self.one("message.hard_bounced", {"recipient": "jane@example.org", "response": response})
        assert (event.kind, event.smtp_code) == (Kind.HARD_BOUNCE, None)

    def test_a_new_message_is_an_event_for_each_of_its_recipients(self) -> None:
        to, cc, bcc = ["a@example.org", "b@example.org", 7], ["c@example.org", "a@example.org"], ["d@example.org"]
        events = self.all_of("message.created", {"message_id": "m1", "to": to, "cc": cc, "bcc": bcc})
        assert [event.address for event in events] == [f"{name}@example.org" for name in "abcd"]
        assert len({event.event_key for event in events}) == 4

    @pytest.mark.parametrize("name", ["message.policy_rejected", "message.inbound", "webhook.test"])
    def test_some_events_name_nobody(self, name: str) -> None:
        assert self.one(name, {"message_id": "m1", "to": ["us@example.com"]}).address is None

    def test_metadata_and_tags_are_kept_in_whatever_form(self) -> None:
        event = self.one("message.sent", {"metadata": {"order": "77"}, "tag": "spring"})
        assert (event.metadata, event.tags) == ({"order": "77"}, ("spring",))
        event = self.one("message.sent", {"metadata": [], "tag": None, "tags": ["spring", "shoes"]})
        assert (event.metadata, event.tags) == (None, ("spring", "shoes"))

    def test_the_time_had_another_name_once(self) -> None:
        assert self.one("message.sent", {}, created_at="2026-03-04T11:00:00.000Z").occurred_at == EARLIER

    def test_an_event_without_a_name_is_set_aside(self) -> None:
        with pytest.raises(UnreadablePayload, match="no event"):
            self.read(self.envelope(self.request(), json.dumps({"data": {}}).encode()))

    # -- how it signs --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("change", "accepted"),
        [
            (lambda given: given.replace(",", ", "), True),
            (lambda given: f"{given},v2=abc", True),
            (lambda given: given.replace("v1=", f"v1={'0' * 64},v1="), True),  # two secrets, one of them not ours
            (lambda given: f"{given},v1={'0' * 64}", True),
            (lambda given: f"v1={'0' * 64},v0={'0' * 64},{given},v1=", True),
            (lambda given: given.replace("v1=", f"v1={'0' * 64},"), False),
            (lambda given: f"{'v1=0,' * 5_000}{given}", False),
            (lambda given: f"{given},{given}", True),
            (lambda given: f"{given},t=1772625601", False),  # which of the two would be signed?
            (lambda given: given.replace("t=", "t=1"), False),
            (lambda given: given.replace("v1=", "v2="), False),
            (lambda given: given.partition(",")[0], False),
            (lambda given: given.partition(",")[2], False),
            (lambda given: given.partition("v1=")[2], False),
            (lambda _: ",=,t,=v1", False),
        ],
    )
    def test_the_header_is_read_by_its_parts(self, change: Any, *, accepted: bool) -> None:
        vendor = LettermintSamples()
        request = self.request(vendor)
        changed = {**request.headers, SIGNATURE_HEADER: change(request.headers[SIGNATURE_HEADER])}
        verdict = self.judge(msgspec.structs.replace(request, headers=changed), vendor.source("first"), vendor)
        assert isinstance(verdict, Accepted if accepted else Refused)
