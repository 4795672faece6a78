"""What holds of every provider that takes several events at once: they can be parted, and one spoils no other."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from tests.providers.sample_events import ALL_KINDS, NOW, one_of_each
from worker.providers.payload.feedback import is_malformed
from worker.providers.provider import Provider
from worker.providers.registry import PROVIDERS
from worker.samples.registry import SAMPLE_SENDERS

BAD = {
    "a lone surrogate": b'{"email":"\\ud800","event":"bounce"}',
    "not a number": b'{"email":"jane@example.org","ts":NaN}',
    "infinity": b'{"email":"jane@example.org","ts":-Infinity}',
    "fifty thousand deep": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "no UTF-8": b'{"a":"\xff"}',
}


class Batch(msgspec.Struct, frozen=True):
    """A provider's webhook with one event of each kind."""

    provider: Provider
    source: Source
    envelope: Envelope

    def of(self, elements: Sequence[bytes]) -> Envelope:
        body = self.provider.bind(self.source).body_of(elements)
        return msgspec.structs.replace(self.envelope, body=body)

    def elements(self) -> list[bytes]:
        elements = self.provider.bind(self.source).elements(self.envelope)
        assert elements is not None
        return [bytes(element) for element in elements]

    def read(self, envelope: Envelope) -> list[FeedbackEvent]:
        return self.provider.bind(self.source).parse(envelope)


def batches() -> dict[str, Batch]:
    found = {}
    for name, make in SAMPLE_SENDERS.items():
        sender, provider = make(), PROVIDERS[name]
        source = sender.source("main")
        for request in sender.requests(one_of_each(ALL_KINDS), now=NOW):
            envelope = Envelope(
                delivery_id=UUID(int=7),
                source="main",
                provider=name,
                account="default",
                received_at=NOW,
                content_type=request.headers.get("content-type", ""),
                headers={},
                body=request.body,
            )
            if provider.bind(source).elements(envelope) is not None:
                found[name] = Batch(provider, source, envelope)
                break
    return found


BATCHES = batches()


def test_nearly_all_providers_that_batch_can_be_parted() -> None:
    mail = {name for name in SAMPLE_SENDERS if "inbound" in name or name == "mail"}
    batching = {name for name in SAMPLE_SENDERS if PROVIDERS[name].batches}
    assert batching - mail - BATCHES.keys() == {"twilio"}  # whose samples are forms


@pytest.mark.parametrize("name", sorted(BATCHES))
def test_each_element_by_itself_and_all_anew_say_the_same_as_the_body(name: str) -> None:
    batch = BATCHES[name]
    whole = batch.read(batch.envelope)
    elements = batch.elements()
    assert [event for element in elements for event in batch.read(batch.of([element]))] == whole
    assert batch.read(batch.of(elements)) == whole


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("name", sorted(BATCHES))
def test_one_bad_element_spoils_no_other_and_keeps_its_bytes(name: str, bad: bytes) -> None:
    batch = BATCHES[name]
    elements = batch.elements()
    if name == "unisender_go":  # whose elements have their user around them
        bad = b'{"user_id":1,"project_id":"2","events":[%b]}' % bad
    for place in {0, len(elements) // 2, len(elements)}:
        events = batch.read(batch.of([*elements[:place], bad, *elements[place:]]))
        assert [event for event in events if not is_malformed(event)] == batch.read(batch.envelope)
        [malformed] = [event for event in events if is_malformed(event)]
        assert bad in malformed.raw
        assert malformed.diagnostic
        # It is set aside by itself; replayed, it spoils nothing that can be read by then.
        together = batch.read(batch.of([malformed.raw, *elements]))
        assert [event for event in together if not is_malformed(event)] == batch.read(batch.envelope)
