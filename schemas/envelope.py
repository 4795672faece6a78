"""A webhook as it travels from the receiver to the processor: authenticated, wrapped, unparsed."""

import os
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from schemas.one_time_token import OneTimeToken
from schemas.trace_context import TraceContext

PARCEL_CONTENT_TYPE = "application/vnd.bouncekeeper.parcel+msgpack"


class Envelope(Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One accepted webhook. New fields go to the end, because older parcels must stay readable."""

    delivery_id: UUID  # UUIDv7: sorts by time, appears in every log line about the webhook
    source: str
    provider: str
    account: str
    received_at: datetime  # aware, UTC
    content_type: str
    headers: dict[str, str]  # lower-case names; only those that the provider's parser needs
    body: bytes
    replay_token: str = ""  # of `one_time_token`: on the wire its fields stand one after the other
    replay_fingerprint: str = ""
    replay_window_seconds: int = 0
    account_from: str = ""  # the source's rule for the account of each event, as the receiver knew it
    traceparent: str = ""  # of `trace_context`; both are empty unless the webhook is traced
    tracestate: str = ""

    @property
    def one_time_token(self) -> OneTimeToken | None:
        """The token that the vendor signed; None for vendors that sign the body."""
        if not self.replay_token:
            return None
        return OneTimeToken(
            signed=self.replay_token, used_for=self.replay_fingerprint, window_seconds=self.replay_window_seconds
        )

    @property
    def trace_context(self) -> TraceContext | None:
        """The span in which it was queued; None unless it is traced."""
        if not self.traceparent:
            return None
        return TraceContext(traceparent=self.traceparent, tracestate=self.tracestate)

    def traced(self, context: TraceContext) -> Self:
        """The same webhook, queued in this span."""
        return structs.replace(self, traceparent=context.traceparent, tracestate=context.tracestate)

    def using(self, token: OneTimeToken) -> Self:
        """The same webhook, with the token that the vendor signed."""
        return structs.replace(
            self,
            replay_token=token.signed,
            replay_fingerprint=token.used_for,
            replay_window_seconds=token.window_seconds,
        )


_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_envelope_decoder = msgspec.msgpack.Decoder(Envelope)
_parcel_decoder = msgspec.msgpack.Decoder(list[bytes])


def encode_envelope(envelope: Envelope) -> bytes:
    """The envelope as msgpack."""
    return _encoder.encode(envelope)


def decode_envelope(blob: bytes) -> Envelope:
    """The envelope of the blob. Raises msgspec.MsgspecError if the blob is not an envelope."""
    return _envelope_decoder.decode(blob)


def encode_parcel(blobs: Sequence[bytes]) -> bytes:
    """Several encoded envelopes as one queue message.

    Each stays a blob of its own inside, so one that cannot be read does not affect its neighbours.
    """
    return _encoder.encode(blobs)


def decode_parcel(parcel: bytes) -> list[bytes]:
    """The encoded envelopes of a parcel. Raises msgspec.MsgspecError if it is not a parcel."""
    return _parcel_decoder.decode(parcel)


def new_delivery_id() -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then random."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    value = (milliseconds << 80) | (0x7 << 76) | ((random >> 68 & 0xFFF) << 64) | (0b10 << 62)
    return UUID(int=value | (random & (1 << 62) - 1))
