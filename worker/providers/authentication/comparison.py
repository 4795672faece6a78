"""Compares secrets in constant time, so that the time of an answer does not help to guess them."""

import hmac


def as_bytes(value: str | bytes) -> bytes:
    """The text in UTF-8; other bytes of headers are kept as they are."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


def texts_match(text: str | bytes, expected: str | bytes) -> bool:
    """True if both are the same bytes; takes the same time wherever they differ."""
    return hmac.compare_digest(as_bytes(text), as_bytes(expected))
