"""The sixteen bytes by which an event is recognised when its vendor sends it again.

A key contains the vendor's identity of the event, and nothing of our interpretation. A newer version that reads the
same words as another kind or cause makes the same key, so that a vendor's retry is a repeat.
"""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from schemas.kind_rank import KIND_RANKS
from schemas.vocabulary import Kind

EVENT_KEY_BYTES = 16

# The form of the key. Former keys began with the place of the event's kind in a list, which was lower than this. They
# differ in nothing else (schemas/database/0004_event_identity.sql).
KEY_FORM = b"\x80"

_encode_parts = msgspec.msgpack.Encoder().encode


def make_event_key(parts: Sequence[object]) -> bytes:
    """One byte for the form of the key, then 15 bytes of blake2b over the parts.

    Parts are texts, bytes or whatever JSON can hold. They are hashed as a msgpack array, where each carries its type
    and length: ("ab", "c") and ("a", "bc") differ, and so do None and "". The parts must identify this one event at
    the vendor, and must not change when the vendor sends it again. 120 bits keep different events apart.
    """
    return KEY_FORM + _hash(parts)


def former_event_key(kind: Kind, parts: Sequence[object]) -> bytes:
    """The former key, of which the kind was a part."""
    return bytes([KIND_RANKS[kind] // 10]) + _hash(parts)


def _hash(parts: Sequence[object]) -> bytes:
    try:
        encoded = _encode_parts(parts)
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, which UTF-8 cannot hold, or a number beyond 64 bits
        encoded = repr(tuple(parts)).encode("utf-8", "surrogatepass")
    return blake2b(encoded, digest_size=EVENT_KEY_BYTES - 1).digest()
