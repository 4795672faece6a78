"""The API's errors: RFC 9457 problems, each with its remedy."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web
from msgspec import Struct

from schemas.decision import Role
from worker.errors import RequestRefused

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
PROBLEM_KIND = web.ResponseKey("problem", str)  # for the request's log line


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong and what to do. `type` is for programs, the sentences are for people."""

    type: str  # urn:bouncekeeper:problem:<kind>
    title: str
    status: int
    detail: str
    remedy: str


TITLES = {
    "unauthorized": "No valid token",
    "too-many-wrong-tokens": "Too many wrong tokens",
    "forbidden-role": "The token's role is too low",
    "unreadable-request": "The request cannot be read",
    "too-many-addresses": "Too many addresses in one request",
    "body-too-large": "The body is too large",
    "slow-request": "The body came too slowly",
    "tiny-chunks": "The body comes in chunks that are too small",
    "no-address": "Not an address",
    "unknown-account": "There is no such account",
    "unknown-contact": "Nothing is known of this contact",
    "unknown-person": "There is no such person",
    "unknown-campaign": "There is no such campaign",
    "bad-decision": "The decision makes no sense",
    "bad-removal": "What is to be taken away makes no sense",
    "idempotency-key-in-use": "A request with this Idempotency-Key is being carried out",
    "idempotency-key-reused": "The Idempotency-Key was used for another request",
    "bad-safelist-request": "The safelist request makes no sense",
    "unknown-safelist-request": "There is no such safelist request",
    "decided-already": "The safelist request was decided before",
    "contact-changed": "Something else forbids mail since",
    "no-unsubscribe-links": "There are no unsubscribe links here",
    "bad-cursor": "Not a cursor of this feed",
    "cursor-gone": "The change of this cursor is gone",
    "bad-parameter": "A parameter is out of its range",
    "no-such-route": "There is no such route",
    "wrong-method": "This route does not support the method",
    "too-busy": "Too many requests at once",
    "store-unavailable": "The database is away",
    "internal": "A bug in Bouncekeeper",
}


def problem_response(
    kind: str, http_status: int, *, detail: str, remedy: str, headers: Mapping[str, str] | None = None
) -> web.Response:
    """The problem as an HTTP answer."""
    problem = Problem(
        type=f"urn:bouncekeeper:problem:{kind}",
        title=TITLES[kind],
        status=http_status,
        detail=detail,
        remedy=remedy,
    )
    response = web.Response(
        status=http_status, body=msgspec.json.encode(problem), content_type=CONTENT_TYPE, headers=headers
    )
    response[PROBLEM_KIND] = kind
    return response


def forbidden_response(role: Role, needed: Role) -> web.Response:
    """The answer to a token that may do less than the route needs."""
    roles = list(Role)
    enough = " or ".join(roles[roles.index(needed) :])
    return problem_response(
        "forbidden-role",
        HTTPStatus.FORBIDDEN,
        detail=f"This token has the role {role}; this route needs {needed}.",
        remedy=f"Use a token with the role {enough}: `bouncekeeper tokens create NAME --role {needed}` makes one.",
    )


def refused_response(refused: RequestRefused) -> web.Response:
    """The answer to a wrong request."""
    return problem_response(refused.kind, refused.http_status, detail=refused.detail, remedy=refused.remedy)


def unavailable_response(detail: str) -> web.Response:
    """The answer to every question while the database is away: nothing is allowed by default."""
    return problem_response(
        "store-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        detail=detail,
        remedy="Ask again after the time in Retry-After, and send nothing before you have an answer.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def overloaded_response(detail: str) -> web.Response:
    """The answer while the memory limit is reached. Retry-After varies, so that callers do not all return at once."""
    return problem_response(
        "too-busy",
        HTTPStatus.TOO_MANY_REQUESTS,
        detail=detail,
        remedy="Ask again after the time in Retry-After, and send fewer requests at once.",
        headers={"Retry-After": str(1 + secrets.randbelow(RETRY_AFTER_SECONDS))},
    )


def framework_response(error: web.HTTPException) -> web.Response:
    """The answer to aiohttp's own refusals: unknown path, wrong method."""
    if isinstance(error, web.HTTPNotFound):
        return problem_response(
            "no-such-route",
            error.status,
            detail="This API has no route with this path.",
            remedy="See /v1/openapi.yaml for the routes.",
        )
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem_response(
            "wrong-method",
            error.status,
            detail=f"This route does not support {error.method}; it supports {allowed}.",
            remedy="See /v1/openapi.yaml for the routes.",
            headers={"Allow": allowed},
        )
    raise error


def defect_response() -> web.Response:
    """The answer after a bug of ours. The log has the traceback."""
    return problem_response(
        "internal",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        detail="This request could not be answered because of a bug in Bouncekeeper.",
        remedy="Send nothing because of this answer. The traceback is in the log, under `api.failed`.",
    )
