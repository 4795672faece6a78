"""A token that a vendor signs in the place of the body: whoever has seen it once could put any body beside it."""

from msgspec import Struct


class OneTimeToken(Struct, frozen=True, kw_only=True):
    """What was signed, and what it was used for: seen again with other data, it is a replay."""

    signed: str  # all of it, with a name for the vendor before it: for all sources together
    used_for: str  # a fingerprint of the data that came with it
    window_seconds: int  # for how long after its arrival it must be remembered
