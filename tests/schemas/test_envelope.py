"""What stands on the wire: older parcels stay readable, and older programs read newer ones."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec

from schemas.envelope import Envelope, decode_envelope, encode_envelope
from schemas.one_time_token import OneTimeToken

TOKEN = OneTimeToken(signed="mailgun 1772625600tttt", used_for="f00d", window_seconds=600)
PLAIN = Envelope(
    delivery_id=UUID(int=7),
    source="shop",
    provider="mailgun",
    account="default",
    received_at=datetime(2026, 3, 4, 12, 0, tzinfo=UTC),
    content_type="application/json",
    headers={},
    body=b"{}",
    account_from="tag.customer-",
)


def test_a_one_time_token_comes_out_as_it_went_in() -> None:
    assert decode_envelope(encode_envelope(PLAIN.using(TOKEN))).one_time_token == TOKEN
    assert decode_envelope(encode_envelope(PLAIN)).one_time_token is None


def test_the_fields_of_a_token_stand_where_older_versions_read_them() -> None:
    written = msgspec.msgpack.decode(encode_envelope(PLAIN.using(TOKEN)))
    assert written[8:12] == ["mailgun 1772625600tttt", "f00d", 600, "tag.customer-"]
    assert msgspec.msgpack.decode(encode_envelope(PLAIN))[8:12] == ["", "", 0, "tag.customer-"]
