"""What SES reports of messages on their way, of preferences, and of itself."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.vocabulary import Cause, Kind, Way
from tests.providers.reading import parse_envelope
from tests.providers.vendors.amazon.ses_payloads import HAPPENED, about_mail, envelope, mail, one, parse
from worker.errors import UnreadablePayload
from worker.providers.vendors.amazon.amazon_ses import PROVIDER
from worker.providers.vendors.amazon.ses_vocabulary import DELAYS
from worker.samples.amazon_ses import EVENT_TYPE

# https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html ("DeliveryDelay object").
CAUSES_OF_DELAYS = {
    # A fault inside of SES, a failure without a reason, and one that SES could not determine.
    **dict.fromkeys(("InternalFailure", "General", "Undetermined"), Cause.UNDETERMINED),
    "MailboxFull": Cause.MAILBOX_FULL,
    # The recipient's server has seen much unwanted mail from this account; or it blocks or throttles the IP address.
    **dict.fromkeys(("SpamDetected", "IPFailure"), Cause.SENDER_REPUTATION),
    "RecipientServerError": Cause.SERVER_UNAVAILABLE,
    "TransientCommunicationFailure": Cause.CONNECTION_FAILED,
    # The host's name of one's own IP address cannot be looked up.
    "BYOIPHostNameLookupUnavailable": Cause.SENDER_AUTHENTICATION,
    # SES itself has put the message off.
    "SendingDeferral": Cause.RATE_LIMITED,
}


class TestDelay:
    def test_every_type_is_mapped(self) -> None:
        assert set(DELAYS) == set(CAUSES_OF_DELAYS)

    @pytest.mark.parametrize("delay_type", CAUSES_OF_DELAYS)
    def test_is_deferred_for_the_cause_of_its_type(self, delay_type: str) -> None:
        about = {
            "delayType": delay_type,
            "delayedRecipients": [{"emailAddress": "slow@example.com"}],
            "timestamp": "2026-03-04T05:06:07.890Z",
        }
        event = one(about_mail("DeliveryDelay", "deliveryDelay", about))
        assert (event.kind, event.cause) == (Kind.DEFERRED, CAUSES_OF_DELAYS[delay_type])
        assert (event.address, event.occurred_at, event.recognised) == ("slow@example.com", HAPPENED, True)

    def test_of_the_general_sort_takes_its_cause_from_the_server(self) -> None:
        recipient = {"emailAddress": "slow@example.com", "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 full"}
        about = {"delayType": "General", "delayedRecipients": [recipient]}
        event = one(about_mail("DeliveryDelay", "deliveryDelay", about))
        assert (event.kind, event.cause, event.smtp_code) == (Kind.DEFERRED, Cause.MAILBOX_FULL, 452)

    def test_of_an_unknown_type_is_deferred_and_noticed(self) -> None:
        about = {"delayType": "New", "delayedRecipients": [{"emailAddress": "slow@example.com"}]}
        event = one(about_mail("DeliveryDelay", "deliveryDelay", about))
        assert (event.kind, event.vendor_event, event.recognised) == (Kind.DEFERRED, "DeliveryDelay/New", False)

    def test_may_name_its_recipient_as_an_object_instead_of_an_array(self) -> None:
        about = {"delayType": "General", "delayedRecipients": {"emailAddress": "slow@example.com"}}
        assert one(about_mail("DeliveryDelay", "deliveryDelay", about)).address == "slow@example.com"


class TestOtherEvents:
    def test_a_delivery_concerns_the_recipients_that_it_names(self) -> None:
        about = {
            "recipients": ["a@example.com", "b@example.com"],
            "smtpResponse": "250 2.6.0 Message received",
            "timestamp": "2026-03-04T05:06:07.890Z",
        }
        events = parse(about_mail("Delivery", "delivery", about, "a@example.com", "b@example.com", "c@example.com"))
        assert [(event.address, event.kind) for event in events] == [
            ("a@example.com", Kind.DELIVERED),
            ("b@example.com", Kind.DELIVERED),
        ]
        assert events[0].diagnostic == "250 2.6.0 Message received"
        assert events[0].event_key != events[1].event_key

    @pytest.mark.parametrize(
        ("name", "key", "about", "kind", "cause"),
        [
            ("Send", "send", {}, Kind.ACCEPTED, Cause.NONE),
            ("Reject", "reject", {"reason": "Bad content"}, Kind.DROPPED, Cause.VIRUS),
            ("Rendering Failure", "failure", {"errorMessage": "no name"}, Kind.OTHER, Cause.SENDER_CONFIGURATION),
            ("RenderingFailure", "failure", {"errorMessage": "no name"}, Kind.OTHER, Cause.SENDER_CONFIGURATION),
            ("Open", "open", {"timestamp": "2026-03-04T05:06:07.890Z"}, Kind.OPENED, Cause.NONE),
            (
                "Click",
                "click",
                {"timestamp": "2026-03-04T05:06:07.890Z", "link": "https://x"},
                Kind.CLICKED,
                Cause.NONE,
            ),
        ],
    )
    def test_those_that_name_nobody_concern_everyone_the_message_went_to(
        self, name: str, key: str, about: dict[str, Any], kind: Kind, cause: Cause
    ) -> None:
        events = parse(about_mail(name, key, about, "A <a@example.com>", "b@example.com"))
        assert [event.address for event in events] == ["a@example.com", "b@example.com"]
        assert {(event.kind, event.cause, event.recognised) for event in events} == {(kind, cause, True)}
        assert not events[0].arrival_dated

    def test_a_send_is_dated_by_the_message(self) -> None:
        event = one(about_mail("Send", "send", {}))
        assert event.occurred_at == datetime(2026, 3, 4, 5, 6, 5, 100_000, tzinfo=UTC)

    def test_two_clicks_of_one_moment_on_two_links_are_two(self) -> None:
        first, second = (
            one(about_mail("Click", "click", {"timestamp": "2026-03-04T05:06:07.890Z", "link": link}))
            for link in ("https://example.org/a", "https://example.org/b")
        )
        assert first.event_key != second.event_key

    def test_two_opens_of_one_message_at_two_times_are_two(self) -> None:
        first, second = (
            one(about_mail("Open", "open", {"timestamp": f"2026-03-04T05:06:0{second}.000Z"})) for second in (1, 2)
        )
        assert first.event_key != second.event_key

    def test_an_unknown_one_is_kept_by_name(self) -> None:
        event = one({EVENT_TYPE: "Teleported", "teleported": {}, "mail": mail("gone@example.com")})
        assert (event.kind, event.vendor_event, event.recognised) == (Kind.OTHER, "Teleported", False)
        assert event.address == "gone@example.com"

    def test_an_unknown_one_of_several_recipients_is_nobodys(self) -> None:
        assert one({EVENT_TYPE: "Teleported", "mail": mail("a@example.com", "b@example.com")}).address is None

    @pytest.mark.parametrize(
        "message",
        [
            "Successfully validated SNS topic for Amazon SES event publishing.",
            '{"notificationType":"AmazonSnsSubscriptionSucceeded","message":"You have subscribed."}\n',
        ],
    )
    def test_the_messages_that_try_a_topic_do_no_harm(self, message: str) -> None:
        event = one(message)
        assert (event.kind, event.cause, event.address) == (Kind.OTHER, Cause.TEST, None)
        assert event.recognised

    @pytest.mark.parametrize("message", ["", "hello", "[]", "null", "7", "{}", '{"mail": {}}', '{"eventType": 3.5}'])
    def test_anything_else_is_set_aside(self, message: str) -> None:
        with pytest.raises(UnreadablePayload):
            parse(message)

    @pytest.mark.parametrize("raw", [True, False])
    @pytest.mark.parametrize(
        "message", ["[" * 200_000, '{"eventType":"Bounce","mail":{"tags":' + '{"a":' * 2_000 + "1" + "}" * 2_002]
    )
    def test_what_is_nested_too_deeply_is_set_aside(self, message: str, raw: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
        outer = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": message, "Timestamp": "s"}
        body = message if raw else json.dumps(outer)
        with pytest.raises(UnreadablePayload):
            parse_envelope(PROVIDER, envelope(body.encode(), raw=raw))


class TestSubscription:
    def change(self, old: dict[str, Any] | None, new: dict[str, Any] | None) -> list[tuple[Kind, str | None]]:
        about = {
            "contactList": "readers",
            "timestamp": "2026-03-04T05:06:07.890Z",
            "source": "UnsubscribeHeader",
            "newTopicPreferences": new,
            "oldTopicPreferences": old,
        }
        events = parse(about_mail("Subscription", "subscription", about, "reader@example.com"))
        assert {event.address for event in events} == {"reader@example.com"}
        assert len({event.event_key for event in events}) == len(events)
        return [(event.kind, event.scope) for event in sorted(events, key=lambda event: event.occurred_at)]

    def preferences(self, *, out: bool = False, **topics: str) -> dict[str, Any]:
        statuses = [{"topicName": topic, "subscriptionStatus": status} for topic, status in topics.items()]
        return {"unsubscribeAll": out, "topicSubscriptionStatus": statuses}

    def test_to_nothing_at_all_is_an_unsubscribe_from_everything(self) -> None:
        new = self.preferences(out=True, news="OptOut")
        assert self.change(self.preferences(news="OptIn"), new) == [(Kind.UNSUBSCRIBE, None)]
        assert self.change(None, new) == [(Kind.UNSUBSCRIBE, None)]

    @pytest.mark.parametrize(("source", "way"), [("UnsubscribeHeader", Way.MAIL_CLIENT), ("Somewhere", None)])
    def test_by_the_mail_programs_button_says_so(self, source: str, way: Way | None) -> None:
        about = {"timestamp": "2026-03-04T05:06:07.890Z", "source": source}
        out, back = self.preferences(out=True), self.preferences(news="OptIn")
        for new, old, expected in ((out, back, way), (back, out, None)):
            changed = {**about, "newTopicPreferences": new, "oldTopicPreferences": old}
            events = parse(about_mail("Subscription", "subscription", changed, "reader@example.com"))
            assert {event.way for event in events} == {expected}

    def test_of_one_topic_is_limited_to_it(self) -> None:
        old = self.preferences(news="OptIn", offers="OptIn", tips="OptOut")
        new = self.preferences(news="OptOut", offers="OptIn", tips="OptOut")
        assert self.change(old, new) == [(Kind.UNSUBSCRIBE, "news")]
        assert self.change(new, old) == [(Kind.RESUBSCRIBE, "news")]

    def test_of_several_topics_is_several_events(self) -> None:
        old = self.preferences(news="OptIn", offers="OptOut")
        new = self.preferences(news="OptOut", offers="OptIn")
        assert sorted(self.change(old, new)) == [(Kind.RESUBSCRIBE, "offers"), (Kind.UNSUBSCRIBE, "news")]

    def test_back_from_nothing_comes_before_the_topics_still_left_out(self) -> None:
        old = self.preferences(out=True, news="OptOut", offers="OptOut")
        new = self.preferences(news="OptOut", offers="OptIn")
        first, *rest = self.change(old, new)
        assert first == (Kind.RESUBSCRIBE, None)
        assert sorted(rest) == [(Kind.RESUBSCRIBE, "offers"), (Kind.UNSUBSCRIBE, "news")]

    def test_without_the_old_preferences_never_brings_anybody_back(self) -> None:
        assert self.change(None, self.preferences(news="OptIn", offers="OptOut")) == [(Kind.UNSUBSCRIBE, "offers")]

    def test_that_changes_nothing_is_other(self) -> None:
        same = self.preferences(news="OptIn")
        assert self.change(same, same) == [(Kind.OTHER, None)]
        assert self.change(None, None) == [(Kind.OTHER, None)]
