"""The receiver's answers, for a vendor's machine and for the person who reads its delivery log."""

import msgspec
from aiohttp import web

# By HTTP status, so that an answer never says more about a source than its caller must know. The operator
# finds the particulars in the log line.
_REMEDIES: dict[int, str] = {
    400: "Send the request again, complete and unaltered.",
    401: "Compare the secret or key of this webhook at your provider with the one configured here.",
    403: "This caller may not use this URL; the operator of this service can allow its address.",
    404: "Check the webhook URL: it is /webhooks/ and the name of a source; `bouncekeeper sources list` shows the"
    " names.",
    405: "Send webhooks with POST.",
    408: "Send the body faster, or in smaller batches.",
    413: "Send smaller batches.",
    415: "Send the body without Content-Encoding, or with gzip or deflate.",
}
# Where the status alone would send its reader the wrong way.
_REMEDIES_BY_REASON = {
    "ambiguous_form": "The signature does not tell these fields from others: pass the requests of this provider on"
    " unaltered.",
    "bad_timestamp": "The time beside the signature is not written as this provider writes it: pass its requests on"
    " unaltered, and sign ten digits of seconds where you sign yourself.",
    "missing_credentials": "The request carried no credentials: enter the token of this source at your provider, where"
    " its page of Bouncekeeper's documentation says.",
    "missing_signature": "The request carried no signature: switch signing on for this webhook at your provider, and"
    " pass its requests on unaltered.",
    "tiny_chunks": "Send the body with a Content-Length, or in larger chunks.",
    "replayed_token": "The token of this signature has been used for another event: have the event signed anew.",
    "stale": "The time of this signature is too far from now: sign anew for each try, and compare the clocks.",
}
_NOT_EVEN_BASIC = (
    "The request carried no credentials: put user and password into the webhook's URL (https://user:password@host/…)"
    " at your provider."
)
_LATER = "Nothing is wrong with the request: send it again later."


def refusal(
    http_status: int,
    reason: str,
    *,
    allow: str | None = None,
    challenge: str | None = None,
    accept_encoding: str | None = None,
    remedy: str = "",
    close: bool = False,
) -> web.Response:
    """The answer to a refused request, with the remedy. `close` ends the connection after it."""
    remedy = remedy or _REMEDIES_BY_REASON.get(reason) or _REMEDIES.get(http_status, _LATER)
    if reason == "missing_credentials" and challenge is not None and challenge.startswith("Basic"):
        remedy = _NOT_EVEN_BASIC
    response = _json_answer(http_status, reason, remedy)
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
    """The answer after which the vendor sends the same webhook again."""
    response = _json_answer(http_status, reason, _LATER)
    response.headers["Retry-After"] = str(retry_after_seconds)
    return response


def _json_answer(http_status: int, reason: str, remedy: str) -> web.Response:
    return web.Response(
        status=http_status,
        body=msgspec.json.encode({"error": reason, "remedy": remedy}),
        content_type="application/json",
    )
