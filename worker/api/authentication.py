"""Only requests with a valid bearer token (RFC 6750) get an answer."""

import time
from collections.abc import Iterable
from http import HTTPStatus

from aiohttp import hdrs, web

from schemas.source import Secret
from worker.api.bearer_tokens import BearerTokens
from worker.api.problems import problem_response
from worker.api.refusal_lines import RefusalLines
from worker.api.token_guesses import TokenGuesses, Verdict
from worker.connections.remote_address import RemoteAddress
from worker.process import metrics

_CHALLENGE = 'Bearer realm="bouncekeeper"'
_INVALID = f'{_CHALLENGE}, error="invalid_token"'
_REMEDY = "Send `Authorization: Bearer <token>` with one of the tokens under api.tokens in the configuration."
_SLOWED_DOWN_SECONDS = 2


class Authentication:
    """Refuses requests without a valid token; counts and logs them by the caller's address."""

    def __init__(self, tokens: Iterable[Secret], remote_address: RemoteAddress) -> None:
        self._tokens = BearerTokens(tokens)
        self._guesses = TokenGuesses(self._tokens)
        self._remote_address = remote_address
        self._lines = RefusalLines()

    def __bool__(self) -> bool:
        """False if no token is configured: then every request is refused."""
        return bool(self._tokens)

    def refusal(self, request: web.Request) -> web.Response | None:
        """None if the request carries a valid token, else the answer that says what is missing."""
        scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        now = time.monotonic()
        address = self._remote_address.of_request(request)
        if scheme.lower() != "bearer" or not token.strip():
            self._count(address, "no_token", now)
            return _unauthorized("The request carries no bearer token.", _CHALLENGE)
        if not self._tokens:
            self._count(address, "no_token_configured", now)
            return _unauthorized("This API has no token configured.", _CHALLENGE)
        verdict = self._guesses.judge(token.strip(), address, now=now)
        if verdict is Verdict.VALID:
            return None
        if verdict is Verdict.WRONG:
            self._count(address, "wrong_token", now)
            return _unauthorized("The bearer token is not one of the configured ones.", _INVALID)
        self._count(address, "guessing", now)
        return problem_response(
            "too-many-wrong-tokens",
            HTTPStatus.TOO_MANY_REQUESTS,
            detail="So many wrong tokens came from this address that this one was not checked.",
            remedy="Send it again after the time in Retry-After. A token that was valid from here before stays valid.",
            headers={hdrs.RETRY_AFTER: str(_SLOWED_DOWN_SECONDS)},
        )

    def _count(self, address: str, reason: str, now: float) -> None:
        metrics.API_REFUSED.labels(reason).inc()
        self._lines.add(address, reason, now=now)


def _unauthorized(detail: str, challenge: str) -> web.Response:
    return problem_response(
        "unauthorized",
        HTTPStatus.UNAUTHORIZED,
        detail=detail,
        remedy=_REMEDY,
        headers={hdrs.WWW_AUTHENTICATE: challenge},
    )
