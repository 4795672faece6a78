"""What Postmark reports: whom it concerns, what it means, under which key."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.reading import parse_envelope
from tests.providers.sample_events import all_kinds_but
from worker.errors import UnreadablePayload
from worker.providers.vendors.postmark.postmark import BOUNCE_TYPES, PROVIDER
from worker.providers.webhook_request import WebhookRequest
from worker.samples.postmark import PostmarkSamples

HAPPENED = datetime(2026, 3, 4, 5, 6, 7, 123_456, tzinfo=UTC)
NOW = HAPPENED + timedelta(seconds=2)

# https://postmarkapp.com/developer/api/bounce-api#bounce-types: code, name, and what each means if the server's words
# say nothing.
VENDOR_TYPES = {
    1: ("HardBounce", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    2: ("Transient", Kind.DEFERRED, Cause.UNDETERMINED),
    16: ("Unsubscribe", Kind.UNSUBSCRIBE, Cause.NONE),
    32: ("Subscribe", Kind.OTHER, Cause.NONE),
    64: ("AutoResponder", Kind.OTHER, Cause.AUTO_REPLY),
    128: ("AddressChange", Kind.OTHER, Cause.ADDRESS_CHANGED),
    256: ("DnsError", Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
    512: ("SpamNotification", Kind.BLOCKED, Cause.CONTENT),
    1024: ("OpenRelayTest", Kind.OTHER, Cause.NONE),
    2048: ("Unknown", Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    4096: ("SoftBounce", Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    8192: ("VirusNotification", Kind.BLOCKED, Cause.VIRUS),
    16384: ("ChallengeVerification", Kind.OTHER, Cause.CHALLENGE_RESPONSE),
    100000: ("BadEmailAddress", Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
    100001: ("SpamComplaint", Kind.COMPLAINT, Cause.ABUSE_REPORT),
    100002: ("ManuallyDeactivated", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    100003: ("Unconfirmed", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    100006: ("Blocked", Kind.BLOCKED, Cause.SENDER_REPUTATION),
    100007: ("SMTPApiError", Kind.DROPPED, Cause.SENDER_CONFIGURATION),
    100008: ("InboundError", Kind.OTHER, Cause.NONE),
    100009: ("DMARCPolicy", Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
    100010: ("TemplateRenderingFailed", Kind.OTHER, Cause.SENDER_CONFIGURATION),
}


def envelope(body: bytes) -> Envelope:
    return Envelope(
        delivery_id=new_delivery_id(),
        source="postmark",
        provider="postmark",
        account="default",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=body,
    )


def one(content: dict[str, Any]) -> FeedbackEvent:
    (event,) = parse_envelope(PROVIDER, envelope(json.dumps(content).encode()))
    return event


def bounce(name: str | None = "HardBounce", code: int | None = 1, **other: Any) -> dict[str, Any]:
    return {
        "RecordType": "Bounce",
        "ID": 900719925474,
        "Type": name,
        "TypeCode": code,
        "Tag": "spring",
        "MessageID": "11111111-2222-3333-4444-555555555555",
        "Metadata": {"subscriber_ref": "u-1001"},
        "ServerID": 1234,
        "MessageStream": "broadcast",
        "Description": "Canned text.",
        "Email": "Gone@Example.com",
        "BouncedAt": "2026-03-04T05:06:07.1234567Z",
        "Inactive": False,
        "CanActivate": True,
        **other,
    }


def complaint(**other: Any) -> dict[str, Any]:
    return {**bounce("SpamComplaint", 100001, Inactive=True), "RecordType": "SpamComplaint", **other}


def about_message(record_type: str, time_key: str, **other: Any) -> dict[str, Any]:
    return {
        "RecordType": record_type,
        "MessageID": "11111111-2222-3333-4444-555555555555",
        "MessageStream": "broadcast",
        "Recipient": "reader@example.com",
        time_key: "2026-03-04T05:06:07.1234567Z",
        **other,
    }


def change(*, suppress: bool, reason: str | None, origin: str, **other: Any) -> dict[str, Any]:
    said = {"SuppressSending": suppress, "SuppressionReason": reason, "Origin": origin}
    return about_message("SubscriptionChange", "ChangedAt", **said, **other)


class TestPostmarkConformance(ProviderConformance):
    provider_name = "postmark"
    make_sender = PostmarkSamples
    event_field = "RecordType"
    told_at_least = ("RecordType", "Type", "Email")
    kinds = all_kinds_but(Kind.ACCEPTED)  # Postmark has no word for it

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        wrong = "Basic " + base64.b64encode(b"postmark:guess").decode()
        return msgspec.structs.replace(request, headers={**request.headers, "authorization": wrong})


class TestBounce:
    def test_each_of_the_vendors_types_is_known_by_its_code(self) -> None:
        assert {bounce.code: name for name, bounce in BOUNCE_TYPES.items()} == {
            code: name for code, (name, *_) in VENDOR_TYPES.items()
        }

    @pytest.mark.parametrize("code", VENDOR_TYPES)
    def test_means_what_its_type_says(self, code: int) -> None:
        name, kind, cause = VENDOR_TYPES[code]
        event = one(bounce(name, code))
        assert (event.kind, event.cause) == (kind, cause)
        assert event.vendor_event == f"Bounce/{name}"
        assert event.address == "gone@example.com"
        assert event.recognised

    @pytest.mark.parametrize("code", VENDOR_TYPES)
    @pytest.mark.parametrize("name", [None, "", "InventedYesterday"])
    def test_of_a_missing_or_new_name_is_known_by_its_code(self, code: int, name: str | None) -> None:
        event = one(bounce(name, code))
        assert (event.kind, event.cause) == VENDOR_TYPES[code][1:]

    def test_name_is_believed_before_the_code(self) -> None:
        # These pairs stand in Postmark's own skills repository, and their numbers are wrong.
        assert one(bounce("Blocked", 16)).kind is Kind.BLOCKED
        assert one(bounce("DMARCPolicy", 100000)).cause is Cause.SENDER_AUTHENTICATION
        assert one(bounce("SpamComplaint", 512)).kind is Kind.COMPLAINT

    @pytest.mark.parametrize(("name", "code"), [("New", 100011), ("New", None), (None, None), (None, 3), (7, "x")])
    def test_of_an_unknown_type_is_kept_by_name_and_harms_nobody(self, name: Any, code: Any) -> None:
        event = one(bounce(name, code))
        assert (event.kind, event.recognised) == (Kind.OTHER, False)
        assert event.vendor_event.startswith("Bounce")

    def test_time_has_seven_fraction_digits(self) -> None:
        event = one(bounce())
        assert (event.occurred_at, event.arrival_dated) == (HAPPENED, False)

    def test_time_may_have_an_offset(self) -> None:
        assert one(bounce(BouncedAt="2026-03-04T00:06:07.1234567-05:00")).occurred_at == HAPPENED

    def test_without_a_usable_time_is_dated_by_its_arrival(self) -> None:
        for stamp in (None, "yesterday", "2099-01-01T00:00:00Z"):
            event = one(bounce(BouncedAt=stamp))
            assert (event.occurred_at, event.arrival_dated) == (NOW, True)

    @pytest.mark.parametrize(
        ("name", "details", "kind", "cause"),
        [
            ("HardBounce", "smtp;550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ("HardBounce", "smtp;550 5.2.1 this account is disabled", Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
            ("HardBounce", "smtp;554 5.7.1 blocked using blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
            ("SoftBounce", "smtp;452 4.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            ("SoftBounce", "smtp;550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ("Transient", "smtp;452 4.2.2 mailbox full", Kind.DEFERRED, Cause.MAILBOX_FULL),
            ("Transient", "smtp;550 5.1.1 user unknown", Kind.DEFERRED, Cause.MAILBOX_DOES_NOT_EXIST),
            ("DnsError", "smtp;550 5.1.2 domain does not exist", Kind.SOFT_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
            ("Blocked", "smtp;421 4.7.28 unusual rate of mail", Kind.BLOCKED, Cause.RATE_LIMITED),
            ("Blocked", "smtp;550 5.1.1 user unknown", Kind.BLOCKED, Cause.SENDER_REPUTATION),
            ("BadEmailAddress", "smtp;552 5.2.2 mailbox full", Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
        ],
    )
    def test_is_refined_by_the_servers_words(self, name: str, details: str, kind: Kind, cause: Cause) -> None:
        event = one(bounce(name, None, Details=details))
        assert (event.kind, event.cause, event.diagnostic) == (kind, cause, details)
        assert event.smtp_code == int(details[5:8])
        assert event.enhanced_status == details[9:].split(maxsplit=1)[0]

    @pytest.mark.parametrize(
        ("name", "details", "kind"),
        [
            ("Transient", "", Kind.SOFT_BOUNCE),
            ("Transient", "smtp;452 4.2.2 mailbox full", Kind.SOFT_BOUNCE),
            ("SoftBounce", "smtp;452 4.2.2 mailbox full", Kind.HARD_BOUNCE),
            ("Unknown", "", Kind.HARD_BOUNCE),
            ("DnsError", "", Kind.HARD_BOUNCE),
            ("SoftBounce", "smtp;554 5.7.1 blocked using blocklist", Kind.BLOCKED),
            ("Blocked", "", Kind.BLOCKED),
        ],
    )
    def test_that_made_postmark_suppress_the_address_is_one_step_graver(
        self, name: str, details: str, kind: Kind
    ) -> None:
        assert one(bounce(name, None, Details=details, Inactive=True)).kind is kind

    def test_without_details_shows_the_canned_description(self) -> None:
        assert one(bounce()).diagnostic == "Canned text."

    def test_without_a_record_type_is_still_known(self) -> None:
        content = bounce()
        del content["RecordType"]
        event = one(content)
        assert (event.kind, event.event_key) == (Kind.HARD_BOUNCE, one(bounce()).event_key)

    @pytest.mark.parametrize("address", [None, 7, [], {}])
    def test_that_names_nobody_is_set_aside(self, address: object) -> None:
        with pytest.raises(UnreadablePayload, match="Email"):
            one(bounce(Email=address))

    def test_that_is_a_wish_is_limited_to_its_stream(self) -> None:
        assert one(bounce("Unsubscribe", None)).scope == "broadcast"
        assert one(bounce()).scope is None

    def test_that_is_a_complaint_names_the_stream_that_it_is_about(self) -> None:
        assert one(complaint()).scope == "broadcast"
        assert one(bounce("SpamComplaint", 100001)).scope == "broadcast"

    def test_of_the_testing_domain_is_a_real_event(self) -> None:
        event = one(bounce(Email="hardbounce@bounce-testing.postmarkapp.com"))
        assert (event.kind, event.cause) == (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)


class TestOtherRecords:
    def test_a_spam_complaint_is_a_complaint(self) -> None:
        event = one(complaint())
        assert (event.kind, event.cause, event.address) == (Kind.COMPLAINT, Cause.ABUSE_REPORT, "gone@example.com")
        assert event.occurred_at == HAPPENED

    @pytest.mark.parametrize(
        ("record_type", "time_key", "kind"),
        [
            ("Delivery", "DeliveredAt", Kind.DELIVERED),
            ("Open", "ReceivedAt", Kind.OPENED),
            ("Click", "ReceivedAt", Kind.CLICKED),
        ],
    )
    def test_a_message_on_its_way(self, record_type: str, time_key: str, kind: Kind) -> None:
        event = one(about_message(record_type, time_key))
        assert (event.kind, event.address, event.occurred_at) == (kind, "reader@example.com", HAPPENED)
        assert event.message_id == "11111111-2222-3333-4444-555555555555"
        with pytest.raises(UnreadablePayload, match="Recipient"):
            one(about_message(record_type, time_key, Recipient=None))

    @pytest.mark.parametrize(
        ("suppress", "reason", "origin", "kind", "cause"),
        [
            (True, "ManualSuppression", "Recipient", Kind.UNSUBSCRIBE, Cause.NONE),
            (True, "ManualSuppression", "Customer", Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
            (True, "ManualSuppression", "Admin", Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
            (True, "HardBounce", "Recipient", Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
            (True, "SpamComplaint", "Recipient", Kind.OTHER, Cause.COMPLAINED_AT_PROVIDER),
            (False, None, "Recipient", Kind.RESUBSCRIBE, Cause.NONE),
            (False, None, "Customer", Kind.OTHER, Cause.NONE),
            (False, None, "Admin", Kind.OTHER, Cause.NONE),
        ],
    )
    def test_a_subscription_change_counts_by_who_made_it(
        self,
        suppress: bool,  # noqa: FBT001 - a parameter of pytest's
        reason: str | None,
        origin: str,
        kind: Kind,
        cause: Cause,
    ) -> None:
        event = one(change(suppress=suppress, reason=reason, origin=origin))
        assert (event.kind, event.cause, event.recognised) == (kind, cause, True)
        assert event.scope == (None if kind is Kind.OTHER else "broadcast")

    def test_a_subscription_change_for_a_new_reason_is_noticed(self) -> None:
        event = one(change(suppress=True, reason="InventedYesterday", origin="Recipient"))
        assert (event.kind, event.recognised) == (Kind.OTHER, False)

    def test_a_subscription_change_by_hand_has_no_message(self) -> None:
        event = one(change(suppress=True, reason="ManualSuppression", origin="Customer", MessageID=None))
        assert (event.kind, event.message_id) == (Kind.OTHER, None)

    @pytest.mark.parametrize("value", [None, "true", 1, "false"])
    def test_a_subscription_change_to_neither_side_is_set_aside(self, value: object) -> None:
        content = {**change(suppress=True, reason=None, origin="Recipient"), "SuppressSending": value}
        with pytest.raises(UnreadablePayload, match="SuppressSending"):
            one(content)

    def test_inbound_mail_concerns_no_contact(self) -> None:
        event = one({"FromFull": {"Email": "a@example.com"}, "TextBody": "hello", "MessageID": "m", "Date": "x"})
        assert (event.kind, event.address, event.vendor_event) == (Kind.OTHER, None, "Inbound")

    def test_an_unknown_record_is_kept_by_name(self) -> None:
        event = one(about_message("SMTPApiError", "ReceivedAt"))
        assert (event.kind, event.vendor_event, event.recognised) == (Kind.OTHER, "SMTPApiError", False)
        assert one({"RecordType": "New"}).address is None


class TestOnlySubscriptionChanges:
    @pytest.mark.parametrize(
        ("reason", "kind", "cause"),
        [
            ("HardBounce", Kind.HARD_BOUNCE, Cause.UNDETERMINED),
            ("SpamComplaint", Kind.COMPLAINT, Cause.ABUSE_REPORT),
        ],
    )
    def test_where_nothing_else_tells_of_a_bounce_a_suppression_does(
        self, reason: str, kind: Kind, cause: Cause
    ) -> None:
        body = json.dumps(change(suppress=True, reason=reason, origin="Recipient")).encode()
        source = Source(name="postmark", provider="postmark", options={"only_subscription_changes": True})
        (event,) = PROVIDER.bind(source).parse(envelope(body))
        assert (event.kind, event.cause) == (kind, cause)
        assert event.scope == ("broadcast" if kind is Kind.COMPLAINT else None)


class TestSamples:
    @pytest.mark.parametrize(
        "content",
        [
            bounce(ID=42, Email="john@example.com", Details="Test bounce details"),
            bounce(MessageID="00000000-0000-0000-0000-000000000000"),
            complaint(MessageID="883953f4-6105-42a2-a16a-77a8eac79483"),
            about_message("Delivery", "DeliveredAt", MessageID="883953f4-6105-42a2-a16a-77a8eac79483"),
            change(
                suppress=True,
                reason="ManualSuppression",
                origin="Recipient",
                MessageID="883953f4-6105-42a2-a16a-77a8eac79483",
            ),
        ],
    )
    def test_of_a_new_webhook_count_for_nothing(self, content: dict[str, Any]) -> None:
        event = one(content)
        assert (event.kind, event.cause, event.scope) == (Kind.OTHER, Cause.TEST, None)

    def test_are_not_taken_for_ones_by_their_number_alone(self) -> None:
        assert one(bounce(ID=42, Details="smtp;550 5.1.1 user unknown")).kind is Kind.HARD_BOUNCE


class TestKeys:
    def test_are_the_same_however_often_postmark_sends(self) -> None:
        for content in (bounce(), complaint(), about_message("Open", "ReceivedAt"), {"TextBody": "x"}):
            assert one(content).event_key == one(content).event_key

    def test_of_bounces_come_from_their_id(self) -> None:
        assert one(bounce()).event_key != one(bounce(ID=900719925475)).event_key
        assert one(bounce()).event_key == one(bounce(BouncedAt="2026-03-04T05:06:08Z")).event_key
        assert one(bounce(ID=2**62)).event_key != one(bounce(ID=2**62 + 1)).event_key
        assert one(bounce(ID="900719925474")).event_key == one(bounce()).event_key

    def test_of_a_complaint_and_of_a_bounce_of_that_type_meet(self) -> None:
        assert one(complaint()).event_key == one(bounce("SpamComplaint", 100001)).event_key

    def test_of_the_rest_tell_recipients_times_and_links_apart(self) -> None:
        contents = [
            about_message("Open", "ReceivedAt"),
            about_message("Open", "ReceivedAt", Recipient="other@example.com"),
            about_message("Open", "ReceivedAt", ReceivedAt="2026-03-04T05:06:08Z"),
            about_message("Open", "ReceivedAt", MessageID="22222222-2222-3333-4444-555555555555"),
            about_message("Click", "ReceivedAt", OriginalLink="https://example.org/a"),
            about_message("Click", "ReceivedAt", OriginalLink="https://example.org/b"),
            about_message("Delivery", "DeliveredAt"),
            change(suppress=True, reason="HardBounce", origin="Recipient"),
            change(suppress=True, reason="HardBounce", origin="Recipient", MessageStream="outbound"),
            change(suppress=False, reason=None, origin="Customer"),
        ]
        assert len({one(content).event_key for content in contents}) == len(contents)

    def test_without_id_and_time_come_from_the_bytes(self) -> None:
        first, second = (bounce(ID=None, BouncedAt=None, Subject=subject) for subject in ("a", "b"))
        assert one(first).event_key == one(first).event_key != one(second).event_key


def test_tag_and_metadata_are_kept() -> None:
    event = one(bounce())
    assert (event.tags, event.metadata) == (("spring",), {"subscriber_ref": "u-1001"})
    event = one(bounce(Tag=None, Metadata={}))
    assert (event.tags, event.metadata) == ((), None)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"RecordType":"\xff"}', b"[" * 200_000])
def test_a_body_that_is_no_object_is_set_aside(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        parse_envelope(PROVIDER, envelope(body))
