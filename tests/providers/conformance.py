"""What every provider must do alike. A provider joins by a subclass of ProviderConformance.

The samples come from its make-believe vendor in worker.samples; what is peculiar to the vendor's way of
signing is told by the few methods that a subclass overrides.
"""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from tests.providers.mutation import mutated
from worker.errors import UnreadablePayload
from worker.providers.provider import Accepted, Provider, Refused, Verdict, WebhookRequest
from worker.providers.registry import PROVIDERS, provider_named
from worker.samples.sample import SampleEvent, SampleSender

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)

ALL_KINDS: tuple[tuple[Kind, Cause], ...] = (
    (Kind.ACCEPTED, Cause.NONE),
    (Kind.DELIVERED, Cause.NONE),
    (Kind.DEFERRED, Cause.SERVER_UNAVAILABLE),
    (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    (Kind.OPENED, Cause.NONE),
    (Kind.CLICKED, Cause.NONE),
    (Kind.UNSUBSCRIBE, Cause.NONE),
    (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    (Kind.OTHER, Cause.NONE),
)


def sample(kind: Kind = Kind.HARD_BOUNCE, cause: Cause = Cause.MAILBOX_DOES_NOT_EXIST, **other: Any) -> SampleEvent:
    """A sample event of an hour ago, about jane@example.org unless told otherwise."""
    fields = {"address": "jane@example.org", "occurred_at": EARLIER, "message_id": "m1", **other}
    return SampleEvent(kind=kind, cause=cause, **fields)


def one_of_each(kinds: Sequence[tuple[Kind, Cause]] = ALL_KINDS) -> list[SampleEvent]:
    """A sample event of each kind, each about another person."""
    return [
        sample(kind, cause, address=f"person{number}@example.org", message_id=f"m{number}")
        for number, (kind, cause) in enumerate(kinds)
    ]


def assert_sound(event: FeedbackEvent, received_at: datetime = NOW) -> None:
    """What holds for every event, however broken the webhook was."""
    assert len(event.event_key) == 16
    assert event.event_key[0] == list(Kind).index(event.kind)
    assert event.occurred_at.utcoffset() == timedelta(0)
    assert event.occurred_at <= event.received_at == received_at
    assert event.raw
    assert event.smtp_code is None or isinstance(event.smtp_code, int)
    assert event.diagnostic is None or len(event.diagnostic) <= 2_000
    assert event.message_id is None or len(event.message_id) <= 500
    texts = (event.address, event.vendor_event, event.message_id, event.diagnostic, event.scope)
    for text in (*texts, event.enhanced_status, *event.tags):
        assert text is None or "\x00" not in text.encode().decode()
    stored = json.loads(msgspec.json.encode(event.metadata))
    assert "\\u0000" not in json.dumps(stored)


_PLAIN_HEADERS = frozenset({"content-type", "user-agent"})

_patient = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
)


class ProviderConformance:
    """The suite. Subclasses are named Test… and collected; this one is not."""

    provider_name: ClassVar[str]
    max_age: ClassVar[timedelta | None] = None  # None: the vendor signs no time, an old webhook is as good
    kinds: ClassVar[tuple[tuple[Kind, Cause], ...]] = ALL_KINDS  # those that the vendor can say
    unknown_event: ClassVar[str] = "invented"
    signs_body: ClassVar[bool] = True  # False: the vendor signs nothing and shows a secret in a header or the URL
    tells_time: ClassVar[bool] = True
    tells_reply: ClassVar[bool] = True  # the codes of the server's reply
    tells_message_id: ClassVar[bool] = True
    empty_bodies: ClassVar[tuple[bytes, ...]] = (b"[]", b"{}")

    # -- what a subclass tells -------------------------------------------------------------------------------

    def new_sender(self) -> SampleSender:
        """A make-believe vendor with keys of its own."""
        raise NotImplementedError

    def forged(self, request: WebhookRequest) -> WebhookRequest:
        """The request as somebody would send it who has not the key."""
        if self.signs_body:
            return msgspec.structs.replace(request, body=request.body.replace(b"jane@", b"john@"))
        shown = {name: value[::-1] for name, value in request.headers.items() if name not in _PLAIN_HEADERS}
        query = {name: value[::-1] for name, value in request.query.items()}
        return msgspec.structs.replace(request, headers={**request.headers, **shown}, query=query)

    def unsigned(self, request: WebhookRequest) -> WebhookRequest:
        """The request without its proof."""
        return msgspec.structs.replace(
            request, headers={"content-type": request.headers.get("content-type", "application/json")}, query={}
        )

    def certificates(self, sender: SampleSender) -> Mapping[str, bytes]:
        """What the receiver would have fetched for this sender."""
        del sender
        return {}

    def documents(self, request: WebhookRequest) -> list[Any]:
        """The JSON values in the request that stand for one event each."""
        return [json.loads(request.body)]

    def body(self, document: Any, request: WebhookRequest) -> bytes:
        """The request's body with this document in the place of its own."""
        del request
        return json.dumps(document).encode()

    def unknown(self, document: Any) -> Any:
        """The document with an event name that the vendor never had: `unknown_event`."""
        raise NotImplementedError

    def stripped(self, document: Any) -> Any:
        """The document with nothing but its event name and its recipient."""
        raise NotImplementedError

    def recipient(self, email: str) -> str:
        """How the vendor's events name the person of this e-mail address: by it, or by a made-up phone number."""
        return email

    # -- what the tests use ----------------------------------------------------------------------------------

    @property
    def provider(self) -> Provider:
        """The provider under test."""
        return provider_named(self.provider_name)

    def judge(self, request: WebhookRequest, source: Source, sender: SampleSender, *, now: datetime = NOW) -> Verdict:
        """The provider's verdict."""
        return self.provider.authenticate(request, source, now=now, certificates=self.certificates(sender))

    def envelope(self, request: WebhookRequest, body: bytes | None = None) -> Envelope:
        """The request as the receiver wraps it."""
        kept = self.provider.kept_headers
        return Envelope(
            delivery_id=new_delivery_id(),
            source="first",
            provider=self.provider_name,
            account="default",
            received_at=NOW,
            content_type=request.headers.get("content-type", ""),
            headers={name: value for name, value in request.headers.items() if name in kept},
            body=request.body if body is None else body,
        )

    def read(self, envelope: Envelope) -> list[FeedbackEvent]:
        """The events of one envelope, as the provider's own make-believe vendor is configured."""
        return self.provider.parse(envelope, self.new_sender().source("first"))

    def parse(self, requests: Sequence[WebhookRequest]) -> list[FeedbackEvent]:
        """The events of all requests."""
        return [event for request in requests for event in self.read(self.envelope(request))]

    def request(self, sender: SampleSender | None = None, *, now: datetime = NOW) -> WebhookRequest:
        """One signed webhook about a hard bounce."""
        return (sender or self.new_sender()).requests([sample()], now=now)[0]

    # -- authentication --------------------------------------------------------------------------------------

    def test_it_is_in_the_registry_under_its_own_name(self) -> None:
        assert PROVIDERS[self.provider_name].name == self.provider_name
        assert self.new_sender().provider == self.provider_name

    def test_the_source_that_the_vendor_describes_has_no_problems(self) -> None:
        assert self.provider.check_source(self.new_sender().source("first")) == []

    def test_an_authentic_webhook_is_accepted(self) -> None:
        sender = self.new_sender()
        verdict = self.judge(self.request(sender), sender.source("first"), sender)
        assert isinstance(verdict, Accepted)

    def test_a_forged_webhook_is_refused(self) -> None:
        sender = self.new_sender()
        verdict = self.judge(self.forged(self.request(sender)), sender.source("first"), sender)
        assert isinstance(verdict, Refused)
        assert verdict.http_status >= 400

    def test_a_webhook_without_proof_is_refused(self) -> None:
        sender = self.new_sender()
        verdict = self.judge(self.unsigned(self.request(sender)), sender.source("first"), sender)
        assert isinstance(verdict, Refused)

    def test_a_refusal_never_shows_a_secret(self) -> None:
        sender = self.new_sender()
        source = sender.source("first")
        for request in (self.forged(self.request(sender)), self.unsigned(self.request(sender))):
            verdict = self.judge(request, source, sender)
            assert isinstance(verdict, Refused)
            assert all(secret.reveal() not in repr(verdict) for secret in source.secrets if secret.reveal())

    def test_age_counts_only_where_the_vendor_signs_the_time(self) -> None:
        sender = self.new_sender()
        request = self.request(sender)
        later = NOW + (self.max_age or timedelta(days=400)) + timedelta(minutes=1)
        verdict = self.judge(request, sender.source("first"), sender, now=later)
        if self.max_age is None:
            assert isinstance(verdict, Accepted)
        else:
            assert isinstance(verdict, Refused)
            assert verdict.reason == "stale"
            just_in_time = self.judge(request, sender.source("first"), sender, now=NOW + self.max_age)
            assert isinstance(just_in_time, Accepted)

    def test_while_a_secret_is_rotated_both_the_old_and_the_new_are_accepted(self) -> None:
        old, new = self.new_sender(), self.new_sender()
        secrets = (*old.secrets_for_source(), *new.secrets_for_source())
        both = msgspec.structs.replace(new.source("first"), secrets=secrets)
        for sender in (old, new):
            assert isinstance(self.judge(self.request(sender), both, sender), Accepted)

    def test_an_open_source_takes_what_carries_no_proof(self) -> None:
        sender = self.new_sender()
        source = msgspec.structs.replace(sender.source("first"), authentication="none", secrets=())
        assert isinstance(self.judge(self.unsigned(self.request(sender)), source, sender), Accepted)

    def test_a_callers_address_that_is_not_listed_is_refused_whatever_it_proves(self) -> None:
        sender = self.new_sender()
        source = sender.source("first")
        elsewhere = msgspec.structs.replace(source, allowed_addresses=("198.51.100.0/24",))
        verdict = self.judge(self.request(sender), elsewhere, sender)
        assert isinstance(verdict, Refused)
        assert verdict.reason == "address_not_allowed"
        here = msgspec.structs.replace(source, allowed_addresses=("192.0.2.0/24",))
        assert isinstance(self.judge(self.request(sender), here, sender), Accepted)

    def test_an_unknown_way_of_authentication_is_reported_before_it_can_let_anybody_in(self) -> None:
        source = msgspec.structs.replace(self.new_sender().source("first"), authentication="nothing")
        assert self.provider.check_source(source)

    def test_an_empty_secret_is_reported(self) -> None:
        source = msgspec.structs.replace(self.new_sender().source("first"), secrets=(Secret(""),))
        assert self.provider.check_source(source)

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
        requests = self.new_sender().requests(one_of_each(self.kinds), now=NOW)
        request = data.draw(st.sampled_from(requests))
        document = data.draw(mutated(self.documents(request)))
        self._parse_safely(request, self.body(document, request))

    @_patient
    @given(data=st.data())
    def test_mutated_bytes_are_read_or_set_aside_and_nothing_else(self, data: st.DataObject) -> None:
        request = self.new_sender().requests(one_of_each(self.kinds), now=NOW)[0]
        body = bytearray(request.body)
        for _ in range(data.draw(st.integers(1, 5))):
            place = data.draw(st.integers(0, len(body) - 1))
            body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        self._parse_safely(request, bytes(body[: data.draw(st.integers(0, 2 * len(body)))]))

    @_patient
    @given(data=st.data())
    def test_mutated_requests_are_judged_without_an_error(self, data: st.DataObject) -> None:
        sender = self.new_sender()
        request = self.request(sender)
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
