"""Values on their way to Postgres and back where asyncpg's own way does not fit: jsonb, and times.

asyncpg compares each time with both infinities, at the cost of reading its UTC offset each time. A batch sends ten
times for each of its events, and most of them repeatedly: remembered, they take a tenth.
"""

import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

_JSONB_VERSION = b"\x01"  # the first byte of jsonb on the wire
_json_encoder = msgspec.json.Encoder()
_json_decoder = msgspec.json.Decoder()

# A timestamptz is the number of microseconds since this moment, in eight bytes with the highest first.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECONDS = struct.Struct(">q")
_MICROSECONDS_OF_A_DAY = 24 * 3600 * 1_000_000
_INFINITY, _MINUS_INFINITY = 2**63 - 1, -(2**63)
_END_OF_TIMES, _BEGINNING_OF_TIMES = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
_REMEMBERED_TIMES = 8192


def without_nul(text: str) -> str:
    """The text without U+0000, which Postgres can store in neither text nor jsonb."""
    return text.replace("\x00", "") if "\x00" in text else text


def _encode_jsonb(value: Any) -> bytes:
    encoded = _json_encoder.encode(value)
    # Looking for six bytes takes longer than encoding does, and few values have any backslash.
    if b"\\" in encoded and b"\\u0000" in encoded:  # possibly a NUL, possibly just its spelling: look closely
        encoded = _json_encoder.encode(_without_nul_anywhere(value))
    return _JSONB_VERSION + encoded


def _decode_jsonb(wire: bytes) -> Any:
    return _json_decoder.decode(wire[1:])


def _without_nul_anywhere(value: Any) -> Any:
    if isinstance(value, str):
        return without_nul(value)
    if isinstance(value, Mapping):
        return {without_nul(str(key)): _without_nul_anywhere(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nul_anywhere(inner) for inner in value]
    return value


def _encode_time(at: datetime) -> bytes:
    if at.tzinfo is UTC:
        return _encode_utc(at)
    if at.tzinfo is None:
        raise TypeError("a time needs its offset from UTC")
    # To `==` two times of such a zone may be equal and an hour apart: those of the hour that autumn repeats.
    return _encode_utc(at.astimezone(UTC))


@lru_cache(maxsize=_REMEMBERED_TIMES)
def _encode_utc(at: datetime) -> bytes:
    """The first and the last moment of Python's calendar are the infinities, as they are to asyncpg."""
    since = at - _EPOCH
    if at == _END_OF_TIMES:
        return _MICROSECONDS.pack(_INFINITY)
    if at == _BEGINNING_OF_TIMES:
        return _MICROSECONDS.pack(_MINUS_INFINITY)
    return _MICROSECONDS.pack(since.days * _MICROSECONDS_OF_A_DAY + since.seconds * 1_000_000 + since.microseconds)


@lru_cache(maxsize=_REMEMBERED_TIMES)
def _decode_time(wire: bytes) -> datetime:
    (microseconds,) = _MICROSECONDS.unpack(wire)
    if microseconds == _INFINITY:
        return _END_OF_TIMES
    if microseconds == _MINUS_INFINITY:
        return _BEGINNING_OF_TIMES
    return _EPOCH + timedelta(0, 0, microseconds)


# Encoder and decoder of each type of pg_catalog.
BINARY_CODECS: Mapping[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "jsonb": (_encode_jsonb, _decode_jsonb),
    "timestamptz": (_encode_time, _decode_time),
}
