"""What Mailtrap reports, in both of its formats."""

import base64
import json
from typing import Any

import msgspec
import pytest

from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from schemas.vocabulary import Cause, Kind
from tests.providers.batch_conformance import BatchConformance
from tests.providers.sample_events import ALL_KINDS, NOW, one_of_each, sample
from worker.providers.verdict import Accepted, Refused
from worker.samples.mailtrap import MailtrapSamples, sample_values

# https://docs.mailtrap.io/email-api-smtp/analytics/bounce-categorization: what each category makes of a bounce without
# a response.
VENDOR_CATEGORIES = {
    "badrecipient": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "overquota": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    "timeout": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "spam": (Kind.BLOCKED, Cause.CONTENT),
    "spam_gmail": (Kind.BLOCKED, Cause.CONTENT),
    "content": (Kind.BLOCKED, Cause.CONTENT),
    "block": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "badsender": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "relayfail": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "serverpolicy": (Kind.BLOCKED, Cause.POLICY),
    "verifyfail": (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
    "dnsFail": (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
    "greylisting": (Kind.SOFT_BOUNCE, Cause.GREYLISTED),
    "transientfail": (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    "serverfail": (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    "generalfail": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "other": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
}
# https://docs.mailtrap.io/email-api-smtp/advanced/webhooks#events. Two are called otherwise where one subscribes.
VENDOR_EVENTS = {
    "delivery": (Kind.DELIVERED, Cause.NONE),
    "soft bounce": (Kind.DEFERRED, Cause.UNDETERMINED),
    "soft_bounce": (Kind.DEFERRED, Cause.UNDETERMINED),
    "bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "spam": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "spam_complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    "open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
    "suspension": (Kind.OTHER, Cause.SENDER_CONFIGURATION),
    "reject": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
}


class TestMailtrap(BatchConformance):
    provider_name = "mailtrap"
    make_sender = MailtrapSamples
    event_field = "event"
    told_at_least = ("event", "email")
    array_field = "events"
    # It says nothing of messages that it has just taken; of its other events a suspension is the nearest.
    kinds = tuple(
        (kind, Cause.SENDER_CONFIGURATION if kind is Kind.OTHER else cause)
        for kind, cause in ALL_KINDS
        if kind is not Kind.ACCEPTED
    )
    empty_bodies = (b"[]", b"{}", b'{"events": []}')

    def one(self, **values: Any) -> FeedbackEvent:
        (event,) = self.read(self.envelope(MailtrapSamples().posted([values])))
        return event

    @pytest.mark.parametrize("name", VENDOR_EVENTS)
    def test_means_what_its_name_says_as_it_is_subscribed_to_or_posted(self, name: str) -> None:
        event = self.one(event=name, email="jane@example.org")
        assert (event.kind, event.cause) == VENDOR_EVENTS[name] == self.provider.vocabulary[name]
        assert event.recognised

    @pytest.mark.parametrize("category", VENDOR_CATEGORIES)
    def test_a_bounce_means_what_its_category_says(self, category: str) -> None:
        event = self.one(event="bounce", email="jane@example.org", bounce_category=category)
        expected = VENDOR_CATEGORIES[category]
        assert (event.kind, event.cause) == expected == self.provider.vocabulary[f"bounce/{category}"]
        assert (event.recognised, event.vendor_event) == (True, f"bounce/{category}")
        delayed = self.one(event="soft bounce", email="jane@example.org", bounce_category=category)
        assert (delayed.kind, delayed.cause) == (Kind.DEFERRED, expected[1])
        assert (delayed.kind, delayed.cause) == self.provider.vocabulary[f"soft bounce/{category}"]

    @pytest.mark.parametrize(
        ("category", "code", "response", "kind", "cause"),
        [
            ("badrecipient", 552, "5.2.2 mailbox full", Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
            ("spam", 550, "5.7.1 rejected as spam", Kind.BLOCKED, Cause.CONTENT),
            ("block", 550, "5.7.1 refused", Kind.BLOCKED, Cause.SENDER_REPUTATION),
            ("dnsFail", 550, "5.1.2 domain does not exist", Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
            ("generalfail", 550, "5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
            (None, 550, "5.1.1 user unknown", Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
        ],
    )
    def test_the_servers_words_have_the_last_say(
        self, category: str | None, code: int, response: str, kind: Kind, cause: Cause
    ) -> None:
        event = self.one(event="bounce", response=response, response_code=code, bounce_category=category)
        assert (event.kind, event.cause, event.smtp_code) == (kind, cause, code)
        assert event.diagnostic == response

    def test_a_category_that_is_new_is_noticed_and_never_blocks_for_good(self) -> None:
        event = self.one(event="bounce", bounce_category="invented")
        assert (event.kind, event.recognised) == (Kind.SOFT_BOUNCE, False)

    def test_a_rejection_for_the_suppression_list_is_no_fault_of_the_senders(self) -> None:
        listed = self.one(event="reject", reason="Recipient is suppressed")
        assert (listed.kind, listed.cause) == (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)
        assert self.one(event="reject", reason="Domain is not verified").cause is Cause.SENDER_CONFIGURATION
        invalid = self.one(event="reject", reason="Invalid recipient address")
        assert (invalid.kind, invalid.cause) == (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)

    @pytest.mark.parametrize(
        ("reason", "cause"),
        [
            ("Recipient in suppression list. Reason: unsubscription", Cause.UNSUBSCRIBED_AT_PROVIDER),
            ("Recipient in suppression list. Reason: spam complaint", Cause.COMPLAINED_AT_PROVIDER),
            ("Recipient in suppression list. Reason: hard bounce", Cause.SUPPRESSED_BY_PROVIDER),
        ],
    )
    def test_a_rejection_for_the_suppression_list_says_what_put_it_there(self, reason: str, cause: Cause) -> None:
        event = self.one(event="reject", reason=reason)
        assert (event.kind, event.cause) == (Kind.DROPPED, cause) == self.provider.vocabulary[event.vendor_event]

    def test_a_category_is_known_in_whatever_case(self) -> None:
        event = self.one(event="bounce", email="jane@example.org", bounce_category="BadRecipient")
        assert (event.kind, event.recognised) == (Kind.HARD_BOUNCE, True)

    @pytest.mark.parametrize("name", VENDOR_EVENTS)
    def test_the_documentations_samples_count_for_nothing(self, name: str) -> None:
        event = self.one(event=name, email="jane@example.org", event_id="bede7236-2284-43d6-a953-1fdcafd0fdbc")
        assert (event.kind, event.cause) == (Kind.OTHER, Cause.TEST)

    def test_an_audit_event_names_nobody_and_is_known(self) -> None:
        event = self.one(event="activity_log.update", actor={"email": "me@example.com"}, resource={}, changes=[])
        assert (event.kind, event.address, event.recognised) == (Kind.OTHER, None, True)

    def test_category_and_variables_are_kept(self) -> None:
        event = self.one(event="delivery", category="Receipts", custom_variables={"order": "77"})
        assert (event.tags, event.metadata) == (("Receipts",), {"order": "77"})

    # -- formats -------------------------------------------------------------------------------------------------

    def test_one_object_a_line_says_the_same(self) -> None:
        vendor, documents = MailtrapSamples(), [sample_values(event) for event in one_of_each(self.kinds)]
        lines = vendor.posted_body(b"\n".join(json.dumps(document).encode() for document in documents) + b"\n")
        together = vendor.posted(documents)
        expected = [event.event_key for event in self.read(self.envelope(together))]
        assert [event.event_key for event in self.read(self.envelope(lines))] == expected
        assert isinstance(self.judge(lines, vendor.source("first"), vendor), Accepted)
        alone = vendor.posted_body(json.dumps(documents[0]).encode())
        assert [event.event_key for event in self.read(self.envelope(alone))] == expected[:1]

    def test_one_bad_element_spoils_no_other(self) -> None:
        good = sample_values(sample())
        body = json.dumps({"events": [good, 7, {"event": 7}, None, good | {"event_id": "other"}]}).encode()
        events = self.read(self.envelope(MailtrapSamples().posted_body(body)))
        assert [event.vendor_event for event in events] == [
            "bounce/badrecipient",
            "malformed",
            "malformed",
            "malformed",
            "bounce/badrecipient",
        ]

    def test_a_thousand_events_come_in_two_requests(self) -> None:
        events = [sample(address=f"person{number}@example.org") for number in range(1_000)]
        assert [len(self.documents(request)) for request in MailtrapSamples().requests(events, now=NOW)] == [500, 500]

    # -- the other ways of proof ---------------------------------------------------------------------------------

    def test_user_and_password_or_a_token_in_the_url_may_stand_for_the_signature(self) -> None:
        vendor = MailtrapSamples()
        bare = self.unsigned(self.request(vendor))
        basic = msgspec.structs.replace(vendor.source("first"), authentication="basic", secrets=(Secret("me:pass"),))
        token = msgspec.structs.replace(vendor.source("first"), authentication="token", secrets=(Secret("t0ken"),))
        shown = "Basic " + base64.b64encode(b"me:pass").decode()
        with_basic = msgspec.structs.replace(bare, headers={"authorization": shown})
        with_token = msgspec.structs.replace(bare, query={"token": "t0ken"})
        for source, right, wrong in ((basic, with_basic, with_token), (token, with_token, with_basic)):
            assert self.provider.check_source(source) == []
            assert isinstance(self.judge(right, source, vendor), Accepted)
            assert isinstance(self.judge(wrong, source, vendor), Refused)
            assert isinstance(self.judge(self.request(vendor), source, vendor), Refused)

    def test_nothing_but_200_stops_mailtrap_from_sending_again(self) -> None:
        assert self.provider.success_status == 200
