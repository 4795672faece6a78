"""A policy as text that is read back as an equal policy, also by later versions whose checks are stricter."""

from hashlib import sha256

import msgspec

from worker.policy.rule import Policy

_decoder = msgspec.json.Decoder(Policy)
_encoder = msgspec.json.Encoder(order="sorted")


def encode_policy(policy: Policy) -> str:
    """JSON; the same text for equal policies."""
    return _encoder.encode(policy).decode()


def decode_policy(definition: str) -> Policy:
    """The policy that `encode_policy` wrote. Raises msgspec.MsgspecError if it did not."""
    return _decoder.decode(definition)


def policy_number(policy: Policy) -> int:
    """A number that only this policy has, whatever its id: 63 bits of a hash."""
    return int.from_bytes(sha256(encode_policy(policy).encode()).digest()[:8]) >> 1
