"""What every provider must make of its events, of mutated ones too."""

import random
from datetime import timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.vocabulary import Cause, Kind
from tests.properties import examples
from tests.providers.mutation import mutated
from tests.providers.other_reading import forget_every_word, read_everything_as
from tests.providers.provider_under_test import ProviderUnderTest
from tests.providers.sample_events import EARLIER, NOW, assert_sound, one_of_each, sample
from worker.errors import UnreadablePayload
from worker.providers.verdict import Verdict
from worker.providers.webhook_request import WebhookRequest

_patient = settings(
    max_examples=examples(150),
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


class EventsConformance(ProviderUnderTest):
    """See tests.providers.conformance.ProviderConformance."""

    # -- what the events are ---------------------------------------------------------------------------------

    def test_each_kind_arrives_as_what_it_was(self) -> None:
        events = one_of_each(self.kinds)
        parsed = self.parse(self.new_sender().requests(events, now=NOW))
        named = {event.address: (event.kind, event.cause) for event in parsed if event.address}
        expected = {self.recipient(event.address): (event.kind, event.cause) for event in events}
        assert named == {address: meaning for address, meaning in expected.items() if address in named}
        assert len(parsed) == len(events)
        for event in parsed:
            assert_sound(event)

    def test_times_and_words_of_the_vendor_are_kept(self) -> None:
        (event,) = self.parse([self.request()])
        assert event.occurred_at == (EARLIER if self.tells_time else NOW)
        assert event.arrival_dated is not self.tells_time
        assert event.address == self.recipient("jane@example.org")
        assert event.vendor_event
        assert bool(event.message_id) is self.tells_message_id
        if self.tells_reply:
            assert event.enhanced_status == "5.1.1"
            assert event.smtp_code == 550

    def test_the_same_webhook_again_gives_the_same_keys(self) -> None:
        requests = self.new_sender().requests(one_of_each(self.kinds), now=NOW)
        first = [event.event_key for event in self.parse(requests)]
        assert first == [event.event_key for event in self.parse(requests)]
        assert len(set(first)) == len(first)

    def test_the_vendor_signing_again_gives_the_same_keys(self) -> None:
        sender = self.new_sender()
        events = one_of_each(self.kinds)
        first = self.parse(sender.requests(events, now=NOW))
        again = self.parse(sender.requests(events, now=NOW + timedelta(minutes=10)))
        assert [event.event_key for event in first] == [event.event_key for event in again]

    def test_a_version_that_reads_the_same_words_as_another_kind_makes_the_same_keys(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        requests = self.new_sender().requests(one_of_each(self.kinds), now=NOW)
        keys = [event.event_key for event in self.parse(requests)]
        for kind in Kind:
            with monkeypatch.context() as another_version:
                read_everything_as(kind, another_version)
                read = self.parse(requests)
            assert kind in {event.kind for event in read}
            assert [event.event_key for event in read] == keys

    def test_a_version_that_does_not_know_the_words_yet_makes_the_same_keys(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        requests = self.new_sender().requests(one_of_each(self.kinds), now=NOW)
        keys = [event.event_key for event in self.parse(requests)]
        forget_every_word(monkeypatch)
        assert [event.event_key for event in self.parse(requests)] == keys

    def test_order_of_arrival_changes_no_key(self) -> None:
        sender = self.new_sender()
        events = one_of_each(self.kinds)
        shuffled = random.Random(7).sample(events, len(events))
        keys = {event.event_key for event in self.parse(sender.requests(events, now=NOW))}
        assert keys == {event.event_key for event in self.parse(sender.requests(shuffled, now=NOW))}

    def test_one_message_to_several_people_gives_an_event_with_its_own_key_for_each(self) -> None:
        events = [sample(address=f"person{number}@example.org") for number in range(5)]
        parsed = self.parse(self.new_sender().requests(events, now=NOW))
        assert {event.address for event in parsed} == {self.recipient(event.address) for event in events}
        assert len({event.event_key for event in parsed}) == len(events)

    def test_no_events_make_no_requests(self) -> None:
        assert self.new_sender().requests([], now=NOW) == []

    def test_a_body_without_events_has_none_or_is_set_aside(self) -> None:
        request = self.request()
        for body in self.empty_bodies:
            try:
                events = self.read(self.envelope(request, body))
            except UnreadablePayload as error:
                assert str(error)  # noqa: PT017 - either outcome is right, nothing else is
            else:
                assert all(event.kind is Kind.OTHER for event in events)

    def test_a_batch_says_the_same_as_its_events_one_by_one(self) -> None:
        events = one_of_each(self.kinds)
        sender = self.new_sender()
        together = self.parse(sender.requests(events, now=NOW))
        alone = [parsed for event in events for parsed in self.parse(sender.requests([event], now=NOW))]
        assert [event.event_key for event in together] == [event.event_key for event in alone]

    def test_the_vendors_words_are_listed_with_what_they_become(self) -> None:
        vocabulary = self.provider.vocabulary
        assert vocabulary
        assert all(kind in Kind and cause in Cause for kind, cause in vocabulary.values())
        assert self.provider.documentation.startswith("https://")
        assert self.provider.proof

    def test_an_unknown_event_is_kept_as_other_under_the_vendors_name(self) -> None:
        request = self.request()
        document = self.unknown(self.documents(request)[0])
        (event,) = self.read(self.envelope(request, self.body(document, request)))
        assert event.kind is Kind.OTHER
        assert self.unknown_event in event.vendor_event
        assert not event.recognised
        assert_sound(event)

    def test_what_is_optional_may_be_missing(self) -> None:
        request = self.request()
        document = self.stripped(self.documents(request)[0])
        (event,) = self.read(self.envelope(request, self.body(document, request)))
        assert event.address == self.recipient("jane@example.org")
        assert event.arrival_dated
        assert event.occurred_at == NOW
        assert_sound(event)

    # -- what is not as documented ---------------------------------------------------------------------------

    def test_bodies_that_are_no_json_are_set_aside(self) -> None:
        request = self.request()
        for body in (b"", b"{", b"null", b"3", b'"text"', b"\xff\xfe{}", b"<html>", b"[" * 100_000):
            try:
                events = self.read(self.envelope(request, body))
            except UnreadablePayload as error:
                assert str(error)  # noqa: PT017 - either outcome is right, nothing else is
            else:
                assert all(event.kind is Kind.OTHER for event in events)

    @_patient
    @given(data=st.data())
    def test_mutated_documents_are_read_or_set_aside_and_nothing_else(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.one_request_of_each()[1]))
        document = data.draw(mutated(self.documents(request)))
        self._parse_safely(request, self.body(document, request))

    @_patient
    @given(data=st.data())
    def test_mutated_bytes_are_read_or_set_aside_and_nothing_else(self, data: st.DataObject) -> None:
        request = self.one_request_of_each()[1][0]
        body = bytearray(request.body)
        for _ in range(data.draw(st.integers(1, 5))):
            place = data.draw(st.integers(0, len(body) - 1))
            body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        self._parse_safely(request, bytes(body[: data.draw(st.integers(0, 2 * len(body)))]))

    @_patient
    @given(data=st.data())
    def test_mutated_requests_are_judged_without_an_error(self, data: st.DataObject) -> None:
        sender, (request, *_) = self.one_request_of_each()
        odd = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=80)
        headers = {name: data.draw(st.one_of(st.just(value), odd)) for name, value in request.headers.items()}
        document = data.draw(mutated(self.documents(request)))
        changed = msgspec.structs.replace(request, headers=headers, body=self.body(document, request))
        assert isinstance(self.judge(changed, sender.source("first"), sender), Verdict)

    def _parse_safely(self, request: WebhookRequest, body: bytes) -> None:
        try:
            events = self.read(self.envelope(request, body))
        except UnreadablePayload as error:
            assert str(error)  # noqa: PT017 - being set aside with a reason is one of two right outcomes
            return
        for event in events:
            assert_sound(event)
