"""What Resend reports: whom it concerns, what it means, under which key."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.sample_events import ALL_KINDS, NOW, sample
from worker.errors import UnreadablePayload
from worker.samples.resend import ResendSamples, sample_values

# https://resend.com/docs/webhooks/event-types and …/dashboard/emails/email-bounces, with what each means by itself.
VENDOR_EVENTS = {
    "email.sent": (Kind.ACCEPTED, Cause.NONE),
    "email.scheduled": (Kind.OTHER, Cause.NONE),
    "email.delivered": (Kind.DELIVERED, Cause.NONE),
    "email.delivery_delayed": (Kind.DEFERRED, Cause.UNDETERMINED),
    "email.bounced/Permanent/General": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "email.bounced/Permanent/NoEmail": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "email.bounced/Permanent/Suppressed": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "email.bounced/Permanent/OnAccountSuppressionList": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "email.bounced/Transient/General": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "email.bounced/Transient/MailboxFull": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    "email.bounced/Transient/MessageTooLarge": (Kind.SOFT_BOUNCE, Cause.MESSAGE_TOO_LARGE),
    "email.bounced/Transient/ContentRejected": (Kind.BLOCKED, Cause.CONTENT),
    "email.bounced/Transient/AttachmentRejected": (Kind.BLOCKED, Cause.CONTENT),
    "email.bounced/Undetermined/Undetermined": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "email.complained": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "email.failed": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
    "email.suppressed": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "email.opened": (Kind.OPENED, Cause.NONE),
    "email.clicked": (Kind.CLICKED, Cause.NONE),
    "email.received": (Kind.OTHER, Cause.NONE),
    "contact.created": (Kind.OTHER, Cause.NONE),
    "contact.updated": (Kind.OTHER, Cause.NONE),
    "contact.updated/unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "contact.deleted": (Kind.OTHER, Cause.NONE),
    "domain.created": (Kind.OTHER, Cause.NONE),
    "domain.updated": (Kind.OTHER, Cause.NONE),
    "domain.deleted": (Kind.OTHER, Cause.NONE),
    "suppression.added/bounce": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "suppression.added/complaint": (Kind.OTHER, Cause.COMPLAINED_AT_PROVIDER),
    "suppression.added/manual": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "suppression.removed": (Kind.OTHER, Cause.NONE),
    "inbox.created": (Kind.OTHER, Cause.NONE),
    "inbox.updated": (Kind.OTHER, Cause.NONE),
    "inbox.deleted": (Kind.OTHER, Cause.NONE),
    "inbox.thread.created": (Kind.OTHER, Cause.NONE),
    "inbox.thread.folder.updated": (Kind.OTHER, Cause.NONE),
    "inbox.thread.assigned": (Kind.OTHER, Cause.NONE),
    "inbox.thread.unassigned": (Kind.OTHER, Cause.NONE),
    "inbox.thread.labels.updated": (Kind.OTHER, Cause.NONE),
    "inbox.email.received": (Kind.OTHER, Cause.NONE),
    "inbox.email.sent": (Kind.OTHER, Cause.NONE),
    "inbox.draft.created": (Kind.OTHER, Cause.NONE),
    "inbox.draft.updated": (Kind.OTHER, Cause.NONE),
    "inbox.draft.sent": (Kind.OTHER, Cause.NONE),
    "inbox.draft.deleted": (Kind.OTHER, Cause.NONE),
}


def values(name: str = "email.bounced", **data: Any) -> dict[str, Any]:
    about = {"email_id": "m1", "from": "Shop <news@example.com>", "to": ["jane@example.org"], **data}
    return {"type": name, "created_at": "2026-03-04T11:00:00.000Z", "data": about}


def bounce(bounce_type: str, subtype: str, **other: Any) -> dict[str, Any]:
    return values(bounce={"type": bounce_type, "subType": subtype, "message": "mailbox full, says Resend", **other})


class TestResend(ProviderConformance):
    provider_name = "resend"
    make_sender = ResendSamples
    event_field = "type"
    told_at_least = ("type", "data.to")
    max_age = timedelta(seconds=300)
    # A delay comes without a reason.
    kinds = tuple((kind, Cause.UNDETERMINED if kind is Kind.DEFERRED else cause) for kind, cause in ALL_KINDS)

    def one(self, document: dict[str, Any]) -> FeedbackEvent:
        request = ResendSamples().signed(document, "msg_1", now=NOW)
        (event,) = self.read(self.envelope(request))
        return event

    @pytest.mark.parametrize(
        ("reason", "kind", "cause"),
        [
            # "issues such as invalid recipients, API key problems, domain verification issues, email quota limits"
            ("invalid_recipient", Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
            ("reached_daily_quota", Kind.DROPPED, Cause.SENDER_CONFIGURATION),
            ("invalid_api_key", Kind.DROPPED, Cause.SENDER_CONFIGURATION),
            ("domain_not_verified", Kind.DROPPED, Cause.SENDER_CONFIGURATION),
        ],
    )
    def test_a_failure_blames_nobody_but_an_invalid_recipient(self, reason: str, kind: Kind, cause: Cause) -> None:
        event = self.one({"type": "email.failed", "data": {"to": ["jane@example.org"], "failed": {"reason": reason}}})
        assert (event.kind, event.cause) == (kind, cause)

    @pytest.mark.parametrize("words", VENDOR_EVENTS)
    def test_means_what_its_name_and_class_say(self, words: str) -> None:
        name, _, word = words.partition("/")
        if name == "email.bounced":
            document = bounce(*word.split("/"))
        elif word == "unsubscribed":
            document = values(name, unsubscribed=True)
        else:
            document = values(name, unsubscribed=False, **({"origin": word} if word else {}))
        event = self.one(document)
        assert (event.kind, event.cause) == VENDOR_EVENTS[words] == self.provider.vocabulary[words]
        assert event.recognised
        assert event.vendor_event == words

    @pytest.mark.parametrize(
        ("pair", "line", "kind", "cause"),
        [
            (("Permanent", "General"), "smtp; 550 5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            (("Permanent", "General"), "smtp; 554 5.7.1 listed on a blocklist", Kind.BLOCKED, Cause.SENDER_REPUTATION),
            (("Transient", "General"), "smtp; 452 4.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            (("Undetermined", "Undetermined"), "smtp; 550 5.2.1 disabled", Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
            (("Permanent", "NoEmail"), "smtp; 550 5.1.2 no such domain", Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
            (("Permanent", "NoEmail"), "smtp; 552 5.2.2 full", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            (("Permanent", "Suppressed"), "smtp; 550 5.1.1 gone", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ],
    )
    def test_the_servers_words_say_why_where_the_class_does_not(
        self, pair: tuple[str, str], line: str, kind: Kind, cause: Cause
    ) -> None:
        event = self.one(bounce(*pair, diagnosticCode=[line]))
        assert (event.kind, event.cause, event.diagnostic) == (kind, cause, line)
        assert event.smtp_code == int(line[6:9])

    def test_resends_own_sentence_is_shown_and_decides_nothing(self) -> None:
        event = self.one(bounce("Permanent", "General"))
        assert (event.cause, event.diagnostic) == (Cause.UNDETERMINED, "mailbox full, says Resend")

    @pytest.mark.parametrize("document", [bounce("Permanent", "New"), bounce("New", "General"), values()])
    def test_a_bounce_of_an_unknown_class_never_blocks_for_good(self, document: dict[str, Any]) -> None:
        assert self.one(document).kind is Kind.SOFT_BOUNCE

    def test_a_new_class_is_noticed(self) -> None:
        assert not self.one(bounce("Permanent", "New")).recognised

    @pytest.mark.parametrize(
        "told",
        [
            {"to": ["jane@example.org", "john@example.org"]},
            {"to": ["jane@example.org"], "cc": ["john@example.org"]},
            {"to": ["jane@example.org"], "bcc": ["john@example.org"]},
            {"to": []},
            {"to": None},
            {"to": [7]},
        ],
    )
    def test_an_event_of_a_message_to_several_people_is_charged_to_nobody(self, told: dict[str, Any]) -> None:
        assert self.one(values(**told)).address is None

    def test_the_same_address_twice_is_one_person(self) -> None:
        assert self.one(values(to=["jane@example.org", "jane@example.org"])).address == "jane@example.org"
        assert self.one(values(to="Jane <Jane@Example.org>")).address == "jane@example.org"

    def test_mail_to_us_concerns_no_contact(self) -> None:
        assert self.one(values("email.received")).address is None
        assert self.one(values("inbox.email.received", email={"to": ["us@example.com"]})).address is None

    def test_a_resubscription_may_be_anybodys_doing(self) -> None:
        event = self.one(values("contact.updated", email="jane@example.org", unsubscribed=False))
        assert (event.kind, event.address) == (Kind.OTHER, "jane@example.org")

    @pytest.mark.parametrize("tags", [{"campaign": "spring"}, [{"name": "campaign", "value": "spring"}, 7, {}]])
    def test_tags_are_pairs_in_either_form(self, tags: Any) -> None:
        assert self.one(values(tags=tags)).metadata == {"campaign": "spring"}

    def test_the_key_is_the_id_in_the_headers(self) -> None:
        vendor, document = ResendSamples(), sample_values(sample())
        first, again, other = (
            self.read(self.envelope(vendor.signed(document, message_id, now=NOW + timedelta(seconds=delay))))[0]
            for message_id, delay in (("msg_1", 0), ("msg_1", 60), ("msg_2", 0))
        )
        assert first.event_key == again.event_key != other.event_key

    def test_svix_may_leave_its_own_name_out_of_the_headers(self) -> None:
        vendor = ResendSamples()
        request = vendor.signed(values(), "msg_1", now=NOW)
        plain = {name.replace("svix-", "webhook-"): value for name, value in request.headers.items()}
        renamed = msgspec.structs.replace(request, headers=plain)
        assert self.judge(renamed, vendor.source("first"), vendor) == self.judge(
            request, vendor.source("first"), vendor
        )
        keys = {self.read(self.envelope(posted))[0].event_key for posted in (request, renamed)}
        assert len(keys) == 1

    def test_an_event_without_a_type_is_set_aside(self) -> None:
        with pytest.raises(UnreadablePayload, match="no type"):
            self.read(self.envelope(self.request(), json.dumps({"data": {}}).encode()))

    @pytest.mark.parametrize(
        ("message", "kind", "cause"),
        [
            ("suppressed: on the account-level suppression list", Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
            ("it has a recent history of bouncing: suppressed", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            ("The recipient's server refused it.", Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
        ],
    )
    def test_a_bounce_of_2023_has_a_message_alone(self, message: str, kind: Kind, cause: Cause) -> None:
        event = self.one(values(bounce={"message": message}))
        assert (event.kind, event.cause) == (kind, cause)

    def test_of_several_recipients_the_one_whom_the_servers_words_name_bounced(self) -> None:
        said = {
            "type": "Permanent",
            "subType": "General",
            "diagnosticCode": ["smtp; 550 <ben@example.org> unknown user"],
        }
        event = self.one(values(to=["ann@example.org", "ben@example.org"], bounce=said))
        assert event.address == "ben@example.org"
