"""Who may ask: bearer tokens (RFC 6750), several at once so that they can be rotated."""

import hashlib
import hmac
from collections.abc import Iterable
from http import HTTPStatus

from aiohttp import hdrs, web

from schemas.source import Secret
from worker.api.problems import problem_response


class BearerTokens:
    """The tokens that are valid. Without any, nobody may ask."""

    def __init__(self, tokens: Iterable[Secret]) -> None:
        # Digests have one length, so that the time of a comparison tells nothing, not even the length.
        self._digests = tuple(_digest(token.reveal()) for token in tokens)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def accept(self, token: str) -> bool:
        """True for a valid token. Every token is compared, so that the time does not tell which one it was."""
        given = _digest(token)
        found = False
        for digest in self._digests:
            found |= hmac.compare_digest(digest, given)
        return found

    def refusal(self, request: web.Request) -> web.Response | None:
        """None when the request carries a valid token, else the answer that says what is missing."""
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return _unauthorized("The request carries no bearer token.", 'Bearer realm="bouncekeeper"')
        if not self._digests:
            return _unauthorized("This API has no token configured.", 'Bearer realm="bouncekeeper"')
        if not self.accept(token.strip()):
            return _unauthorized(
                "The bearer token is not one of the configured ones.",
                'Bearer realm="bouncekeeper", error="invalid_token"',
            )
        return None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _unauthorized(detail: str, challenge: str) -> web.Response:
    return problem_response(
        "unauthorized",
        HTTPStatus.UNAUTHORIZED,
        detail=detail,
        remedy="Send `Authorization: Bearer <token>` with one of the tokens under api.tokens in the configuration.",
        headers={hdrs.WWW_AUTHENTICATE: challenge},
    )
