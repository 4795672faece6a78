"""Secrets are compared in constant time, so that a guess does not show in how long an answer takes."""

import hmac


def as_bytes(value: str | bytes) -> bytes:
    """The text in UTF-8; what headers carry beyond it is kept as it came."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def texts_match(text: str | bytes, expected: str | bytes) -> bool:
    """True when both are the same bytes; takes the same time wherever they differ."""
    return hmac.compare_digest(as_bytes(text), as_bytes(expected))
