"""What Postal reports, and which of its two signatures counts."""

import base64
import json
from itertools import cycle
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.sample_events import EARLIER, all_kinds_but, sample
from worker.errors import UnreadablePayload
from worker.providers.vendors.postal import SHA1_HEADER, SHA256_HEADER
from worker.providers.verdict import Accepted, Refused
from worker.samples.postal import PostalSamples, sample_values
from worker.samples.sample import SampleSender

# Making an RSA key takes its time: a few vendors with keys of their own serve all tests in turn.
VENDORS = cycle([PostalSamples(), PostalSamples(), PostalSamples()])

# https://docs.postalserver.io/developer/webhooks. What failed is soft until the server's words say more.
VENDOR_EVENTS = {
    "MessageSent": (Kind.DELIVERED, Cause.NONE),
    "MessageDelayed": (Kind.DEFERRED, Cause.UNDETERMINED),
    "MessageDeliveryFailed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "MessageHeld": (Kind.OTHER, Cause.SENDER_CONFIGURATION),
    "MessageBounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "MessageLinkClicked": (Kind.CLICKED, Cause.NONE),
    "MessageLoaded": (Kind.OPENED, Cause.NONE),
    "DomainDNSError": (Kind.OTHER, Cause.NONE),
    "SendLimitApproaching": (Kind.OTHER, Cause.NONE),
    "SendLimitExceeded": (Kind.OTHER, Cause.NONE),
}
# https://github.com/postalserver/postal/tree/main/app/lib/message_dequeuer: what Postal writes into `details` if it
# gave up or never tried.
VENDOR_DETAILS = [
    (
        "MessageDeliveryFailed",
        "Maximum number of delivery attempts (18) has been reached. Added jane@example.org to suppression list",
        (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    ),
    (
        "MessageDeliveryFailed",
        "Message is likely spam. Threshold is 5.0 and the message scored 7.1.",
        (Kind.DROPPED, Cause.CONTENT),
    ),
    ("MessageDeliveryFailed", "Message's domain no longer exist", (Kind.DROPPED, Cause.SENDER_CONFIGURATION)),
    ("MessageDeliveryFailed", "Message doesn't have an RCPT to", (Kind.DROPPED, Cause.SENDER_CONFIGURATION)),
    (
        "MessageDeliveryFailed",
        "Raw message has been removed. Cannot send message.",
        (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
    ),
    ("MessageDeliveryFailed", "Scope sideways is not valid", (Kind.DROPPED, Cause.SENDER_CONFIGURATION)),
    (
        "MessageHeld",
        "Recipient (jane@example.org) is on the suppression list (reason: too many soft fails)",
        (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    ),
    (
        "MessageHeld",
        "Credential is configured to hold all messages authenticated by it.",
        (Kind.OTHER, Cause.SENDER_CONFIGURATION),
    ),
    ("MessageHeld", "Server is in development mode.", (Kind.OTHER, Cause.SENDER_CONFIGURATION)),
    (
        "MessageHeld",
        "Message held because send limit (100) has been reached.",
        (Kind.OTHER, Cause.SENDER_CONFIGURATION),
    ),
    (
        "MessageHeld",
        "Mail server has been suspended. No e-mails can be processed at present.",
        (Kind.OTHER, Cause.SENDER_CONFIGURATION),
    ),
]


class TestPostal(ProviderConformance):
    provider_name = "postal"
    event_field = "event"
    told_at_least = ("event", "payload.message.to")
    # It says nothing of complaints and unsubscribes, nor of messages that it has just taken.
    kinds = all_kinds_but(Kind.ACCEPTED, Kind.COMPLAINT, Kind.UNSUBSCRIBE)

    def new_sender(self) -> SampleSender:
        return next(VENDORS)

    def one(self, name: str, payload: dict[str, Any], **other: Any) -> FeedbackEvent:
        body = json.dumps({"event": name, "timestamp": EARLIER.timestamp(), "payload": payload, "uuid": "u1", **other})
        (event,) = self.read(self.envelope(self.request(), body.encode()))
        return event

    @pytest.mark.parametrize("name", VENDOR_EVENTS)
    def test_means_what_its_name_says(self, name: str) -> None:
        event = self.one(name, {})
        assert (event.kind, event.cause) == VENDOR_EVENTS[name] == self.provider.vocabulary[name]
        assert event.recognised
        assert event.occurred_at == EARLIER

    @pytest.mark.parametrize(("name", "details", "expected"), VENDOR_DETAILS)
    def test_postals_own_reasons_are_known_by_their_words(
        self, name: str, details: str, expected: tuple[Kind, Cause]
    ) -> None:
        event = self.one(name, {"details": details, "output": ""})
        assert (event.kind, event.cause) == expected == self.provider.vocabulary[event.vendor_event]
        assert event.diagnostic == details

    @pytest.mark.parametrize(
        ("name", "output", "kind", "cause"),
        [
            ("MessageDeliveryFailed", "550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ("MessageDeliveryFailed", "552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            ("MessageDeliveryFailed", "554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
            # Postal calls every 5yz a hard failure: that alone proves no mailbox dead.
            ("MessageDeliveryFailed", "550 no thanks", Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
            ("MessageDeliveryFailed", "554 transaction failed", Kind.BLOCKED, Cause.POLICY),
            ("MessageDeliveryFailed", "", Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
            ("MessageDelayed", "452 4.2.2 mailbox full", Kind.DEFERRED, Cause.MAILBOX_FULL),
        ],
    )
    def test_the_servers_reply_has_the_last_say(self, name: str, output: str, kind: Kind, cause: Cause) -> None:
        event = self.one(name, {"details": "An SMTP delivery error occurred", "output": output})
        assert (event.kind, event.cause) == (kind, cause)

    def test_a_bounce_mail_is_about_the_recipient_of_the_message_that_bounced(self) -> None:
        event = self.one(
            "MessageBounced",
            {
                "original_message": {"to": "gone@example.org", "message_id": "m1", "direction": "outgoing"},
                "bounce": {"to": "x@rp.example.com", "from": "mailer-daemon@mx.example", "direction": "incoming"},
            },
        )
        assert (event.kind, event.address, event.message_id) == (Kind.SOFT_BOUNCE, "gone@example.org", "m1")

    @pytest.mark.parametrize("name", ["MessageSent", "MessageDelayed", "MessageDeliveryFailed", "MessageHeld"])
    def test_mail_to_us_concerns_no_contact(self, name: str) -> None:
        event = self.one(name, {"message": {"to": "us@example.com", "direction": "incoming"}, "output": "550 5.1.1 no"})
        assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)

    def test_the_tag_is_kept(self) -> None:
        assert self.one("MessageSent", {"message": {"tag": "spring"}}).tags == ("spring",)

    def test_a_payload_without_its_envelope_is_set_aside(self) -> None:
        with pytest.raises(UnreadablePayload, match="envelope"):
            self.read(self.envelope(self.request(), json.dumps(sample_values(sample())["payload"]).encode()))

    # -- which signature counts ----------------------------------------------------------------------------------

    def test_nobody_gets_by_with_the_weaker_signature(self) -> None:
        vendor = PostalSamples()
        request, source = self.request(vendor), vendor.source("first")
        older = msgspec.structs.replace(source, authentication="sha1")
        assert self.provider.check_source(older) == []
        for header, accepting, refusing in ((SHA256_HEADER, source, older), (SHA1_HEADER, older, source)):
            alone = msgspec.structs.replace(request, headers={header: request.headers[header]})
            assert isinstance(self.judge(alone, accepting, vendor), Accepted)
            assert isinstance(self.judge(alone, refusing, vendor), Refused)

    def test_user_and_password_keep_the_other_tenants_of_an_installation_out(self) -> None:
        vendor = PostalSamples()
        basic = msgspec.structs.replace(vendor.source("first"), authentication="basic", secrets=(Secret("me:pass"),))
        request = self.request(vendor)
        assert isinstance(self.judge(request, basic, vendor), Refused)
        shown = "Basic " + base64.b64encode(b"me:pass").decode()
        shown_too = msgspec.structs.replace(request, headers={**request.headers, "authorization": shown})
        assert isinstance(self.judge(shown_too, basic, vendor), Accepted)

    def test_a_secret_that_is_no_rsa_key_is_reported(self) -> None:
        source = msgspec.structs.replace(next(VENDORS).source("first"), secrets=(Secret("a password"),))
        (problem,) = self.provider.check_source(source)
        assert "RSA" in problem
