"""What the receiver says to a vendor's machine, and to the person who reads its delivery log."""

from http import HTTPStatus

import msgspec
from aiohttp import web

# By HTTP status, so that an answer never says more about a source than its caller must know. The operator
# finds the particulars in the log line.
_REMEDIES: dict[int, str] = {
    400: "Send the request again, complete and unaltered.",
    401: "Compare the secret or key of this webhook at your provider with the one configured here.",
    403: "This caller may not use this URL; the operator of this service can allow its address.",
    404: "Check the webhook URL: it is /webhooks/ and the name of a source that is configured here.",
    405: "Send webhooks with POST.",
    408: "Send the body faster, or in smaller batches.",
    413: "Send smaller batches.",
    415: "Send the body without Content-Encoding, or with gzip or deflate.",
}
_LATER = "Nothing is wrong with the request: send it again later."


def refusal(
    http_status: int,
    reason: str,
    *,
    allow: str | None = None,
    challenge: str | None = None,
    accept_encoding: str | None = None,
    close: bool = False,
) -> web.Response:
    """An answer that makes nothing happen, with the remedy; `close` ends the connection after it."""
    response = _json_answer(http_status, reason, _REMEDIES.get(http_status, _LATER))
    if allow is not None:
        response.headers["Allow"] = allow
    if challenge is not None:
        response.headers["WWW-Authenticate"] = challenge
    if accept_encoding is not None:
        response.headers["Accept-Encoding"] = accept_encoding
    if close:
        response.force_close()
    return response


def postponement(http_status: int, reason: str, *, retry_after_seconds: int) -> web.Response:
    """The answer that makes this vendor send the same webhook again."""
    response = _json_answer(http_status, reason, _LATER)
    response.headers["Retry-After"] = str(retry_after_seconds)
    return response


def state(http_status: HTTPStatus, **fields: object) -> web.Response:
    """A probe's answer as JSON."""
    return web.Response(status=http_status, body=msgspec.json.encode(fields), content_type="application/json")


def _json_answer(http_status: int, reason: str, remedy: str) -> web.Response:
    return web.Response(
        status=http_status,
        body=msgspec.json.encode({"error": reason, "remedy": remedy}),
        content_type="application/json",
    )
