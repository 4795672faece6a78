"""What MailerSend reports, and how it tries a webhook out."""

import json
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.meanings import meanings
from tests.providers.sample_events import EARLIER, sample
from worker.errors import UnreadablePayload
from worker.providers.vendors.mailersend import EVENTS, PING_SECRET
from worker.providers.verdict import Accepted, Answered, Refused
from worker.providers.webhook_request import WebhookRequest
from worker.samples.mailersend import MailerSendSamples, sample_values

# https://developers.mailersend.com/api/v1/webhooks.html#available-events, and activity.suppressed, which only other
# people's code knows.
MEANINGS = meanings(
    {
        (Kind.ACCEPTED, Cause.NONE): "activity.sent",
        (Kind.DELIVERED, Cause.NONE): "activity.delivered",
        # Which bounce it is, the name says; why, only the reason.
        (Kind.DEFERRED, Cause.UNDETERMINED): "activity.deferred",
        (Kind.SOFT_BOUNCE, Cause.UNDETERMINED): "activity.soft_bounced",
        (Kind.HARD_BOUNCE, Cause.UNDETERMINED): "activity.hard_bounced",
        (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER): "activity.suppressed",
        (Kind.COMPLAINT, Cause.ABUSE_REPORT): "activity.spam_complaint",
        (Kind.UNSUBSCRIBE, Cause.NONE): "activity.unsubscribed",
        (Kind.OPENED, Cause.NONE): "activity.opened activity.opened_unique",
        (Kind.CLICKED, Cause.NONE): "activity.clicked activity.clicked_unique",
        # The recipient is put on MailerSend's own list, for an event that was reported before.
        (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER): "recipient.on_hold_added",
        (Kind.OTHER, Cause.TEST): "webhook.test",
        # Nothing of these is about mail to somebody: surveys, the account, incoming mail, verifications, text messages.
        (Kind.OTHER, Cause.NONE): (
            "activity.survey_opened activity.survey_submitted recipient.on_hold_removed sender_identity.verified "
            "maintenance.start maintenance.end inbound_forward.failed inbound_message.rejected email_single.verified "
            "email_list.verified bulk_email.completed sms.sent sms.delivered sms.failed"
        ),
    }
)
PING = {"type": "webhook.test", "message": "Just a test", "created_at": "2026-03-04T11:00:00.000000Z"}


def posted(document: Any, secret: str) -> WebhookRequest:
    """The POST of this document, signed by a secret that is not the source's."""
    vendor = MailerSendSamples()
    vendor.secret = secret
    return vendor.posted(document)


class TestMailerSend(ProviderConformance):
    provider_name = "mailersend"
    make_sender = MailerSendSamples
    event_field = "type"
    told_at_least = ("type", "data.email.recipient.email")

    def one(self, document: dict[str, Any]) -> FeedbackEvent:
        (event,) = self.read(self.envelope(self.request(), json.dumps(document).encode()))
        return event

    def test_every_documented_event_is_mapped(self) -> None:
        assert set(EVENTS) == set(MEANINGS)

    @pytest.mark.parametrize("name", MEANINGS)
    def test_an_event_without_a_reason_means_what_its_name_says(self, name: str) -> None:
        event = self.one({"type": name, "data": {"email": "jane@example.org"}})
        assert (event.kind, event.cause) == MEANINGS[name]
        assert event.recognised
        assert event.vendor_event == name

    @pytest.mark.parametrize(
        ("name", "reason", "kind", "cause"),
        [
            ("hard_bounced", "550 5.1.1 no such user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ("hard_bounced", "554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
            ("hard_bounced", "552 5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            ("soft_bounced", "550 5.1.1 no such user", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ("soft_bounced", "452 4.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            ("deferred", "452 4.2.2 mailbox full", Kind.DEFERRED, Cause.MAILBOX_FULL),
            ("hard_bounced", "", Kind.HARD_BOUNCE, Cause.UNDETERMINED),
        ],
    )
    @pytest.mark.parametrize("field", ["morph", "meta"])
    def test_the_servers_words_have_the_last_say_in_either_version(
        self, field: str, name: str, reason: str, kind: Kind, cause: Cause
    ) -> None:
        event = self.one({"type": f"activity.{name}", "data": {field: {"reason": reason}}})
        assert (event.kind, event.cause, event.diagnostic) == (kind, cause, reason or None)

    def test_a_readable_reason_is_shown_and_decides_nothing(self) -> None:
        event = self.one({"type": "activity.hard_bounced", "data": {"morph": {"readable_reason": "mailbox full"}}})
        assert (event.kind, event.diagnostic) == (Kind.HARD_BOUNCE, "mailbox full")

    def test_version_2_says_the_same_with_fewer_words(self) -> None:
        event = self.one(
            {
                "type": "activity.spam_complaint",
                "created_at": "2026-03-04T11:00:00.000000Z",
                "data": {"id": "a1", "message_id": "m1", "email": "jane@example.org", "tags": ["spring"], "meta": []},
            }
        )
        old = self.one(
            sample_values(sample(Kind.COMPLAINT, Cause.ABUSE_REPORT, vendor_event_id="a1", tags=("spring",)))
        )
        assert event.occurred_at == EARLIER
        assert msgspec.structs.replace(event, raw=b"", delivery_id=old.delivery_id) == msgspec.structs.replace(
            old, raw=b""
        )

    def test_a_time_without_a_zone_is_utc(self) -> None:
        event = self.one({"type": "maintenance.start", "created_at": "2026-03-04 11:00:00", "data": {}})
        assert (event.occurred_at, event.address) == (EARLIER, None)

    def test_a_phone_number_is_no_address(self) -> None:
        assert self.one({"type": "sms.failed", "data": {"email": "+15005550006"}}).address is None

    def test_the_first_open_may_be_reported_twice(self) -> None:
        both = [{"type": f"activity.{name}", "data": {"id": "a1"}} for name in ("opened", "opened_unique")]
        assert len({self.one(document).event_key for document in both}) == 2

    def test_an_event_without_a_type_is_set_aside(self) -> None:
        with pytest.raises(UnreadablePayload, match="no type"):
            self.one({"data": {}})

    # -- how it tries a webhook out ------------------------------------------------------------------------------

    def test_a_ping_under_the_public_secret_is_answered_and_not_queued(self) -> None:
        vendor = MailerSendSamples()
        verdict = self.judge(posted(PING, PING_SECRET.reveal()), vendor.source("first"), vendor)
        assert isinstance(verdict, Answered)
        assert verdict.http_status == 200

    def test_a_ping_under_the_webhooks_own_secret_is_an_event_like_any_other(self) -> None:
        vendor = MailerSendSamples()
        assert isinstance(self.judge(vendor.posted(PING), vendor.source("first"), vendor), Accepted)

    @pytest.mark.parametrize("document", [sample_values(sample()), PING | {"type": "Webhook.Test"}, {}, []])
    def test_the_public_secret_proves_nothing_else(self, document: Any) -> None:
        vendor = MailerSendSamples()
        forged = posted(document, PING_SECRET.reveal())
        assert isinstance(self.judge(forged, vendor.source("first"), vendor), Refused)

    def test_a_ping_needs_the_public_secret_and_an_address_that_may_call(self) -> None:
        vendor = MailerSendSamples()
        ping = posted(PING, PING_SECRET.reveal())
        for spoilt in (
            self.unsigned(ping),
            posted(PING, "other"),
            msgspec.structs.replace(ping, body=b""),
        ):
            assert isinstance(self.judge(spoilt, vendor.source("first"), vendor), Refused)
        elsewhere = msgspec.structs.replace(vendor.source("first"), allowed_addresses=("198.51.100.0/24",))
        assert isinstance(self.judge(ping, elsewhere, vendor), Refused)
