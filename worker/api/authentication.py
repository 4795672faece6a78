"""Only requests with a valid bearer token (RFC 6750) get an answer."""

import time
from http import HTTPStatus

from aiohttp import hdrs, web

from worker.api.known_tokens import KnownTokens
from worker.api.problems import problem_response
from worker.api.refusal_lines import RefusalLines
from worker.api.token_guesses import TokenGuesses, Verdict
from worker.connections.remote_address import RemoteAddress
from worker.contacts.principal import Principal
from worker.contacts.tokens import token_digest
from worker.process import metrics

_CHALLENGE = 'Bearer realm="bouncekeeper"'
_INVALID = f'{_CHALLENGE}, error="invalid_token"'
_REMEDY = "Send `Authorization: Bearer <token>`. `bouncekeeper tokens create` makes a token."
_SLOWED_DOWN_SECONDS = 2


class Authentication:
    """Finds out who asks. Counts and logs refused requests by the caller's address."""

    def __init__(self, tokens: KnownTokens, remote_address: RemoteAddress) -> None:
        self.tokens = tokens
        self._guesses = TokenGuesses()
        self._remote_address = remote_address
        self._lines = RefusalLines()

    async def principal(self, request: web.Request) -> Principal | web.Response:
        """Who asks, or the answer that says what is missing. Raises StoreUnavailable if only Postgres could tell."""
        scheme, _, text = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        text = text.strip()
        address = self._remote_address.of_request(request)
        if scheme.lower() != "bearer" or not text:
            self._count(address, "no_token")
            return _unauthorized("The request carries no bearer token.", _CHALLENGE)
        digest = token_digest(text)
        is_worth_reading = self._guesses.has_tries_left(address, now=time.monotonic())
        principal = await self.tokens.find(text, digest, is_worth_reading=is_worth_reading)
        verdict = self._guesses.judge(digest, address, is_valid=principal is not None, now=time.monotonic())
        if principal is not None and verdict is Verdict.VALID:
            return principal
        if verdict is Verdict.NOT_LOOKED_AT:
            self._count(address, "guessing")
            return problem_response(
                "too-many-wrong-tokens",
                HTTPStatus.TOO_MANY_REQUESTS,
                detail="So many wrong tokens came from this address that this one was not checked.",
                remedy="Send it again after the time in Retry-After. A token that was valid from here before stays "
                "valid.",
                headers={hdrs.RETRY_AFTER: str(_SLOWED_DOWN_SECONDS)},
            )
        self._count(address, "wrong_token")
        return _unauthorized("The bearer token is wrong, or revoked.", _INVALID)

    def _count(self, address: str, reason: str) -> None:
        metrics.API_REFUSED.labels(reason).inc()
        self._lines.add(address, reason, now=time.monotonic())


def _unauthorized(detail: str, challenge: str) -> web.Response:
    return problem_response(
        "unauthorized",
        HTTPStatus.UNAUTHORIZED,
        detail=detail,
        remedy=_REMEDY,
        headers={hdrs.WWW_AUTHENTICATE: challenge},
    )
