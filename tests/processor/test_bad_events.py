"""One event of a webhook that cannot be read: its neighbours take effect, and it is set aside as its bytes."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from tests.providers.sample_events import NOW
from worker.processor.parsing import ParsedParcels, parse_parcel
from worker.providers.bound_sources import BoundSources
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import read_elements
from worker.providers.provider import Provider
from worker.providers.registry import PROVIDERS
from worker.providers.vendors.sendgrid.sendgrid import PROVIDER as SENDGRID

SURROGATE = b'{"email":"\\ud800","event":"bounce"}'


def event(number: int) -> dict[str, Any]:
    return {
        "email": f"jane{number}@example.org",
        "event": "bounce",
        "sg_event_id": f"{number}",
        "timestamp": 1772618400,
    }


def webhook(*elements: bytes | dict[str, Any], provider: str = "sendgrid") -> Envelope:
    written = [element if isinstance(element, bytes) else json.dumps(element).encode() for element in elements]
    return Envelope(
        delivery_id=new_delivery_id(),
        source="main",
        provider=provider,
        account="default",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=b"[" + b",".join(written) + b"]",
    )


def parsed(*envelopes: Envelope, providers: Mapping[str, Provider] = PROVIDERS) -> ParsedParcels:
    into = ParsedParcels()
    parcel = encode_parcel([encode_envelope(one) for one in envelopes])
    parse_parcel(parcel, into, sources=BoundSources(providers=providers), now=NOW)
    return into


def addresses(found: ParsedParcels) -> list[str | None]:
    return [event.address for delivery in found.deliveries for event in delivery.events]


def test_the_good_ones_are_events_and_the_bad_ones_are_set_aside_together() -> None:
    given = webhook(event(1), SURROGATE, event(2), b'{"a":NaN}', b"3")
    found = parsed(given)
    assert addresses(found) == ["jane1@example.org", "jane2@example.org"]
    assert found.event_count == 2
    [aside] = found.set_aside
    assert aside.reason == "unreadable_events"
    assert aside.envelope.body == b"[" + SURROGATE + b',{"a":NaN},3]'
    assert (aside.envelope.source, aside.envelope.provider) == ("main", "sendgrid")
    assert str(given.delivery_id) in aside.detail
    assert aside.detail.startswith("3 of the 5 events of delivery ")
    assert aside.envelope.delivery_id != given.delivery_id


def test_coming_again_they_are_the_same_dead_letter() -> None:
    given = webhook(event(1), SURROGATE)
    [first], [again] = parsed(given).set_aside, parsed(given).set_aside
    assert first.envelope.delivery_id == again.envelope.delivery_id
    [other] = parsed(webhook(event(1), SURROGATE)).set_aside
    assert other.envelope.delivery_id != first.envelope.delivery_id


def test_replayed_and_still_bad_they_stay_one_dead_letter() -> None:
    [aside] = parsed(webhook(event(1), SURROGATE)).set_aside
    found = parsed(aside.envelope)
    [again] = found.set_aside
    assert again.envelope == aside.envelope
    assert again.reason == "unreadable_payload"
    assert addresses(found) == []


def test_replayed_and_read_they_are_events() -> None:
    [aside] = parsed(webhook(event(1), {"event": "bounce"}, SURROGATE)).set_aside
    readable = aside.envelope.body.replace(SURROGATE, json.dumps(event(3)).encode())
    mended = msgspec.structs.replace(aside.envelope, body=readable)
    found = parsed(mended)
    assert "jane3@example.org" in addresses(found)


def test_where_none_can_be_read_the_webhook_is_set_aside_whole() -> None:
    given = webhook(SURROGATE, b"3")
    found = parsed(given)
    [aside] = found.set_aside
    assert (aside.envelope, aside.reason) == (given, "unreadable_payload")
    assert aside.detail.startswith("none of its 2 events can be read; the first: ")
    assert found.deliveries == []


def test_a_reason_quotes_no_address_in_clear() -> None:
    good = {"event": "opened", "address": "jane@example.org"}
    [aside] = parsed(webhook(good, {**good, "occurred_at": "joe@example.org"}, provider="bouncekeeper")).set_aside
    assert "joe@example.org" not in aside.detail
    assert "occurred_at " in aside.detail
    assert aside.detail.endswith("is neither RFC 3339 nor seconds since 1970")


def test_a_vendors_own_event_of_the_name_malformed_is_no_bad_one() -> None:
    found = parsed(webhook({"event": "malformed", "address": "jane@example.org"}, provider="bouncekeeper"))
    assert addresses(found) == ["jane@example.org"]
    assert found.set_aside == []


def stumble(envelope: Envelope) -> list[FeedbackEvent]:
    def read(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
        if values["email"] == "jane13@example.org":
            raise ZeroDivisionError
        [event] = SENDGRID.parse(msgspec.structs.replace(envelope, body=raw))
        return event

    return read_elements(BatchBody("SendGrid webhook").elements(envelope.body), envelope, read)


STUMBLING = {"sendgrid": msgspec.structs.replace(SENDGRID, parse=stumble)}  # a parser with a defect


@pytest.mark.parametrize("count", [2, 20, 33])
def test_a_defect_that_one_event_meets_costs_that_event_alone(count: int) -> None:
    elements = [event(number) for number in [13, *range(100, 99 + count)]]
    found = parsed(webhook(*elements), providers=STUMBLING)
    assert addresses(found) == [element["email"] for element in elements[1:]]
    [aside] = found.set_aside
    assert aside.reason == "parser_defect"
    assert json.loads(aside.envelope.body) == elements[:1]
    assert "ZeroDivisionError" in aside.detail


def test_a_defect_that_all_meet_sets_the_webhook_aside_whole() -> None:
    given = webhook(event(13), event(13))
    found = parsed(given, providers=STUMBLING)
    [aside] = found.set_aside
    assert (aside.envelope, aside.reason) == (given, "parser_defect")


def test_a_large_event_that_names_many_people_is_not_kept_with_each_of_them() -> None:
    people = [f"jane{number}@example.org" for number in range(1_000)]
    large = {"type": "Bounce", "recipient": people, "zz": "x" * 100_000}
    found = parsed(webhook(large, provider="kumomta"))
    assert found.deliveries == []
    [aside] = found.set_aside
    assert "an event that names many people" in aside.detail
