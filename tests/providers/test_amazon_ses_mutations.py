"""Whatever is wrong in a payload of SES, the one error that may come of it is UnreadablePayload."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.mutations import JSON, mutated
from tests.providers.ses_payloads import about_mail, bounce, complaint, envelope
from worker.errors import UnreadablePayload
from worker.providers.amazon_ses import PROVIDER

CONTENTS = [
    bounce(),
    complaint(),
    about_mail("Delivery", "delivery", {"recipients": ["a@example.com"], "timestamp": "2026-03-04T05:06:07.890Z"}),
    about_mail("DeliveryDelay", "deliveryDelay", {"delayType": "x", "delayedRecipients": [{"emailAddress": "a@b.c"}]}),
    about_mail("Click", "click", {"timestamp": "2026-03-04T05:06:07.890Z", "link": "https://x"}),
    about_mail(
        "Subscription",
        "subscription",
        {
            "newTopicPreferences": {
                "unsubscribeAll": False,
                "topicSubscriptionStatus": [{"topicName": "a", "subscriptionStatus": "OptOut"}],
            },
            "oldTopicPreferences": {"unsubscribeAll": True, "topicSubscriptionStatus": []},
        },
    ),
    {"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "x"},
]


class TestMutatedPayloads:
    def expect_events_or_set_aside(self, body: bytes, *, raw: bool) -> None:
        try:
            events = PROVIDER.parse(envelope(body, raw=raw))
        except UnreadablePayload:
            return
        assert events
        for event in events:
            assert len(event.event_key) == 16
            assert event.occurred_at <= event.received_at

    @given(st.sampled_from(CONTENTS), st.lists(st.integers(0, 20), min_size=1, max_size=5), JSON, st.booleans())
    @settings(deadline=None, max_examples=300)
    def test_with_another_value_in_one_place(
        self,
        content: dict[str, Any],
        path: list[int],
        value: Any,
        raw: bool,  # noqa: FBT001 - drawn by hypothesis
    ) -> None:
        message = json.dumps(mutated(content, path, value))
        outer = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": message, "Timestamp": "s"}
        self.expect_events_or_set_aside(message.encode() if raw else json.dumps(outer).encode(), raw=raw)

    @given(st.sampled_from(CONTENTS), st.binary(max_size=8), st.integers(0, 400), st.integers(0, 40), st.booleans())
    @settings(deadline=None, max_examples=300)
    def test_with_bytes_cut_out_and_put_in(
        self,
        content: dict[str, Any],
        inserted: bytes,
        at: int,
        cut: int,
        raw: bool,  # noqa: FBT001 - drawn by hypothesis
    ) -> None:
        whole = json.dumps(content).encode()
        body = whole[:at] + inserted + whole[at + cut :]
        if not raw:
            outer = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Timestamp": "s"}
            body = json.dumps({**outer, "Message": body.decode("utf-8", "surrogateescape")}).encode()
        self.expect_events_or_set_aside(body, raw=raw)

    @given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), st.booleans())
    @settings(deadline=None)
    def test_that_are_anything(self, body: bytes, raw: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        self.expect_events_or_set_aside(body, raw=raw)

    @pytest.mark.parametrize("raw", [True, False])
    def test_that_are_nested_deeply(self, raw: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
        for message in ("[" * 200_000, '{"eventType":"Bounce","mail":{"tags":' + '{"a":' * 2_000 + "1" + "}" * 2_002):
            outer = {"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": message, "Timestamp": "s"}
            self.expect_events_or_set_aside(message.encode() if raw else json.dumps(outer).encode(), raw=raw)
