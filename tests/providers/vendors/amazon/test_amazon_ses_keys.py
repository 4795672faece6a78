"""Which events of SES are the same one, and what is kept of each."""

import json
from typing import Any

import pytest

from schemas.vocabulary import Kind
from tests.providers.reading import parse_envelope
from tests.providers.vendors.amazon.ses_payloads import HAPPENED, NOW, SECRET, bounce, complaint, envelope, one
from worker.errors import UnreadablePayload
from worker.providers.vendors.amazon.amazon_ses import PROVIDER
from worker.samples.amazon_ses import EVENT_TYPE, NOTIFICATION_TYPE, TOPIC, AmazonSesSamples
from worker.samples.sample import SampleEvent


@pytest.fixture(scope="module")
def sender() -> AmazonSesSamples:
    return AmazonSesSamples()


class TestKeys:
    @pytest.mark.parametrize("make", [bounce, complaint])
    def test_of_both_dialects_meet(self, make: Any) -> None:
        first = one(make(dialect=EVENT_TYPE))
        second = one(make(dialect=NOTIFICATION_TYPE))
        assert first.event_key == second.event_key
        assert first.occurred_at == second.occurred_at

    @pytest.mark.parametrize("kind", sorted({kind for kind, _ in PROVIDER.vocabulary.values()}))
    def test_of_raw_and_enveloped_delivery_meet(self, sender: AmazonSesSamples, kind: Kind) -> None:
        event = SampleEvent(address="a@example.com", kind=kind, occurred_at=HAPPENED, message_id="0102-x")
        enveloped = parse_envelope(PROVIDER, envelope(sender.requests([event], now=NOW)[0].body))
        raw = parse_envelope(PROVIDER, envelope(sender.raw_request(event, secret=SECRET).body, raw=True))
        assert [one.event_key for one in enveloped] == [one.event_key for one in raw]

    def test_do_not_change_with_the_sns_message(self) -> None:
        content = json.dumps(bounce(feedbackId=None, timestamp=None))
        again = {"Type": "Notification", "MessageId": "other", "TopicArn": TOPIC, "Message": content, "Timestamp": "x"}
        assert parse_envelope(PROVIDER, envelope(json.dumps(again).encode()))[0].event_key == one(content).event_key

    def test_tell_a_bounce_from_a_complaint_of_one_feedback_id(self) -> None:
        bounced = one(bounce(feedbackId="same", bouncedRecipients=[{"emailAddress": "a@example.com"}]))
        complained = one(complaint("a@example.com", feedbackId="same"))
        assert bounced.event_key != complained.event_key

    def test_without_a_feedback_id_come_from_message_recipient_and_time(self) -> None:
        keys = {
            one(bounce(feedbackId=None, timestamp=f"2026-03-04T05:06:0{second}.000Z")).event_key for second in (1, 2)
        }
        assert len(keys) == 2


def test_tags_of_the_sender_are_tags_and_all_of_them_metadata() -> None:
    content = bounce()
    content["mail"]["tags"] = {"ses:configuration-set": ["main"], "campaign": ["spring", "summer"], "odd": 7}
    event = one(content)
    assert event.tags == ("campaign=spring", "campaign=summer")
    assert event.metadata == {"ses:configuration-set": ["main"], "campaign": ["spring", "summer"], "odd": 7}


def test_raw_is_the_inner_message_as_ses_wrote_it() -> None:
    message = json.dumps(bounce(), indent=1) + "\n"
    assert one(message).raw == message.encode()
    (event,) = parse_envelope(PROVIDER, envelope(message.encode(), raw=True))
    assert event.raw == message.encode()


def test_a_confirmation_that_reaches_the_parser_is_set_aside(sender: AmazonSesSamples) -> None:
    with pytest.raises(UnreadablePayload, match="SubscriptionConfirmation"):
        parse_envelope(PROVIDER, envelope(sender.confirmation(now=NOW).body))
