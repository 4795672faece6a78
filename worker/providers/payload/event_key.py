"""The sixteen bytes by which an event is recognised when its vendor sends it again."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from schemas.vocabulary import Kind

EVENT_KEY_BYTES = 16

_PLACE_IN_LIFE: dict[Kind, bytes] = {kind: bytes([place]) for place, kind in enumerate(Kind)}
_encode_parts = msgspec.msgpack.Encoder().encode


def make_event_key(kind: Kind, parts: Sequence[object]) -> bytes:
    """The kind's place in a message's life in one byte, then 15 bytes of blake2b over the parts.

    Parts are texts, bytes or whatever JSON can hold. They are hashed as a msgpack array, where each carries its type
    and length: ("ab", "c") and ("a", "bc") differ, and so do None and "". Give whatever names this one event at the
    vendor and never changes when the vendor sends it again; 120 bits keep strangers apart.
    """
    try:
        encoded = _encode_parts(parts)
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, which UTF-8 cannot hold, or a number beyond 64 bits
        encoded = repr(tuple(parts)).encode("utf-8", "surrogatepass")
    return _PLACE_IN_LIFE[kind] + blake2b(encoded, digest_size=EVENT_KEY_BYTES - 1).digest()
