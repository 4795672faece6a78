"""Each event is put under its own account, also by a processor that does not know the source."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from schemas.envelope import Envelope, encode_envelope, encode_parcel, new_delivery_id
from schemas.source import Source
from worker.processor.parsing import ParsedParcels, parse_parcel
from worker.providers.bound_sources import BoundSources

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def envelope(customer: str | None, *, account_from: str = "") -> Envelope:
    body = {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "Email": "jane@example.org",
        "ID": 1,
        "BouncedAt": "2026-03-04T11:00:00Z",
        "Metadata": {"customer": customer} if customer else {},
    }
    return Envelope(
        delivery_id=new_delivery_id(),
        source="shop",
        provider="postmark",
        account="own",
        received_at=NOW,
        content_type="application/json",
        headers={},
        body=json.dumps(body).encode(),
        account_from=account_from,
    )


def account_of(one: Envelope, *sources: Source) -> str:
    parsed = ParsedParcels()
    parcel = encode_parcel([encode_envelope(one)])
    parse_parcel(parcel, parsed, sources=BoundSources(sources), now=NOW)
    (delivery,) = parsed.deliveries
    (event,) = delivery.events
    return event.account


@pytest.mark.parametrize("knows_the_source", [True, False])
def test_the_rule_comes_along_with_the_webhook(knows_the_source: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    sources = [Source(name="shop", provider="postmark", account="own")] if knows_the_source else []
    assert account_of(envelope("7", account_from="metadata.customer"), *sources) == "7"
    assert account_of(envelope(None, account_from="metadata.customer"), *sources) == "own"


def test_what_was_queued_without_a_rule_follows_the_sources_own() -> None:
    ruled = Source(name="shop", provider="postmark", account="own", account_from="metadata.customer")
    assert account_of(envelope("7"), ruled) == "7"
    assert account_of(envelope("7")) == "own"


def test_an_envelope_of_an_older_version_is_still_read() -> None:
    older = msgspec.msgpack.decode(encode_envelope(envelope("7")))[:11]  # before it had a rule
    parsed = ParsedParcels()
    parse_parcel(encode_parcel([msgspec.msgpack.encode(older)]), parsed, sources=BoundSources(), now=NOW)
    assert [event.account for delivery in parsed.deliveries for event in delivery.events] == ["own"]
