"""The tokens that are valid (RFC 6750), several at once so that they can be rotated."""

import hashlib
import hmac
from collections.abc import Iterable

from schemas.source import Secret


class BearerTokens:
    """The tokens that are valid. Without any, nobody may ask."""

    def __init__(self, tokens: Iterable[Secret]) -> None:
        # Digests have one length, so that the time of a comparison tells nothing, not even the length.
        self._digests = tuple(token_digest(token.reveal()) for token in tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def find(self, digest: bytes) -> int | None:
        """Which token this is the digest of; None if of none.

        Every token is compared, so that the time does not tell which one it was.
        """
        found = None
        for number, known in enumerate(self._digests):
            if hmac.compare_digest(known, digest):
                found = number
        return found


def token_digest(token: str) -> bytes:
    """What tokens are compared by."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
