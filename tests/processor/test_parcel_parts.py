"""A large webhook is parsed in parts, and nothing else comes of it."""

import json
import tracemalloc
from collections import Counter
from typing import Any

import msgspec
import pytest

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from tests.faults.attack_bodies import authentic
from tests.processor.test_bad_events import addresses, event, webhook
from tests.providers.sample_events import NOW, sample
from worker.processor.parcel_parts import LARGE_PARCEL_BYTES, parcel_parts
from worker.processor.parsing import ParsedParcels, parse_parcel
from worker.providers.bound_sources import BoundSources
from worker.samples.registry import SAMPLE_SENDERS

MIB = 1024 * 1024
# Arrays, an array somewhere in an object, lines, users with arrays, forms with JSON or mails in them, CSV, what is
# described, one object, objects in objects, JSON in JSON, mails.
EACH_WAY_OF_READING = (
    *("sendgrid", "brevo", "bouncekeeper", "unisender_go", "mandrill", "mailgun", "mailgun_inbound", "powermta"),
    *("described", "postmark", "postmark_inbound", "zeptomail", "amazon_ses", "twilio", "mail"),
)


def parts_of(*envelopes: Envelope) -> list[ParsedParcels]:
    parcel = encode_parcel([encode_envelope(one) for one in envelopes])
    return list(parcel_parts(parcel, sources=BoundSources(), now=NOW))


def large_event(number: int) -> dict[str, Any]:
    return {**event(number), "zz": "x" * 3_000}


def test_the_parts_together_are_what_the_whole_is() -> None:
    given = webhook(*[large_event(number) for number in range(1_000)])
    whole = ParsedParcels()
    parcel = encode_parcel([encode_envelope(given)])
    assert len(parcel) > LARGE_PARCEL_BYTES
    parse_parcel(parcel, whole, sources=BoundSources(), now=NOW)
    parts = parts_of(given)
    assert len(parts) > 2
    assert [one for part in parts for delivery in part.deliveries for one in delivery.events] == [
        one for delivery in whole.deliveries for one in delivery.events
    ]
    assert {one.delivery_id for part in parts for one in part.deliveries[0].events} == {given.delivery_id}
    assert sum(part.event_count for part in parts) == 1_000


def test_many_small_events_are_parted_too() -> None:
    parts = parts_of(webhook(*[event(number) for number in range(12_000)]))
    assert [part.event_count for part in parts] == [5_000, 5_000, 2_000]


def test_what_parts_set_aside_does_not_overwrite_each_other() -> None:
    elements: list[Any] = [large_event(number) for number in range(1_000)]
    bad = [b'{"a":"\\ud800","n":%d}' % number for number in range(3)]
    long = [b"%d" % number * 600_000 for number in range(1, 5)]
    given = webhook(bad[0], *elements, bad[1], *long, bad[2])
    asides = [aside for part in parts_of(given) for aside in part.set_aside]
    kept = b"".join(aside.envelope.body for aside in asides)
    assert all(one in kept for one in [*bad, *long])
    assert max(Counter(aside.envelope.delivery_id for aside in asides).values()) == 1
    again = [aside.envelope.delivery_id for part in parts_of(given) for aside in part.set_aside]
    assert again == [aside.envelope.delivery_id for aside in asides]


def test_a_part_that_postgres_refuses_is_set_aside_under_an_id_of_its_own() -> None:
    parts = parts_of(webhook(*[large_event(number) for number in range(1_000)]))
    asides = [part.deliveries[0].set_aside(reason="store_refused", detail="why") for part in parts]
    assert len({aside.envelope.delivery_id for aside in asides}) == len(parts)
    [small] = parts_of(webhook(event(1)))
    [delivery] = small.deliveries
    assert delivery.set_aside(reason="store_refused", detail="why").envelope == delivery.envelope


def test_small_webhooks_in_a_large_parcel_share_their_parts() -> None:
    parts = parts_of(*[webhook(large_event(number)) for number in range(1_000)])
    assert 3 <= len(parts) <= 5
    assert sum(len(addresses(part)) for part in parts) == 1_000


@pytest.mark.parametrize("bytes_given", [b"no parcel", encode_parcel([b"no envelope"])])
def test_what_is_no_parcel_is_set_aside_as_ever(bytes_given: bytes) -> None:
    [part] = parcel_parts(bytes_given, sources=BoundSources(), now=NOW)
    [aside] = part.set_aside
    assert aside.reason == "unreadable_envelope"


def test_an_unknown_provider_or_a_body_that_is_one_thing_stays_whole() -> None:
    for provider, reason in (("no-such-esp", "unknown_provider"), ("postmark", "unreadable_payload")):
        given = webhook(*[large_event(number) for number in range(1_000)], provider=provider)
        [part] = parts_of(given)
        [aside] = part.set_aside
        assert (aside.envelope, aside.reason) == (given, reason)


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH_WAY_OF_READING)
def test_memory_for_parsing_is_bounded_whatever_an_authentic_body_holds(name: str) -> None:
    sender = SAMPLE_SENDERS[name]()
    source = sender.source("main")
    [request] = sender.requests([sample()], now=NOW)
    size = LARGE_PARCEL_BYTES + 100_000
    for what, content_type, body in authentic(request, size):
        given = msgspec.structs.replace(webhook(provider=name), content_type=content_type, body=body)
        given = msgspec.structs.replace(given, source="main", delivery_id=new_delivery_id())
        parcel = encode_parcel([encode_envelope(given)])
        tracemalloc.start()
        try:
            for _ in parcel_parts(parcel, sources=BoundSources([source]), now=NOW):
                pass
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # A text may take four bytes for each of its characters, and is kept beside the body that it stands in; a part
        # of a megabyte becomes at most a hundred thousand values of some three hundred bytes.
        assert peak <= 8 * size + 32 * MIB, (what, peak)


@pytest.mark.slow
def test_a_batch_is_never_decoded_whole() -> None:
    given = webhook(*[event(number) for number in range(90_000)])
    parcel = encode_parcel([encode_envelope(given)])
    tracemalloc.start()
    try:
        count = sum(part.event_count for part in parcel_parts(parcel, sources=BoundSources(), now=NOW))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 90_000
    assert peak <= 2 * len(parcel) + 16 * MIB
    assert json.loads(given.body)[0] == event(0)
