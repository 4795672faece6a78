"""The valid tokens (RFC 6750). There may be several, so that they can be rotated."""

import hashlib
import hmac
from collections.abc import Iterable

from schemas.source import Secret


class BearerTokens:
    """The valid tokens. Without any, every request is refused."""

    def __init__(self, tokens: Iterable[Secret]) -> None:
        # All digests have the same length, so the time of a comparison reveals nothing, not even the length.
        self._digests = tuple(token_digest(token.reveal()) for token in tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def find(self, digest: bytes) -> int | None:
        """The index of the token with this digest, or None.

        It compares every token, so the time does not reveal which one it was.
        """
        match = None
        for index, known in enumerate(self._digests):
            if hmac.compare_digest(known, digest):
                match = index
        return match


def token_digest(token: str) -> bytes:
    """The digest by which tokens are compared."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
