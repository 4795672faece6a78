"""Errors as the API tells them: RFC 9457 problems, each with its remedy."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web
from msgspec import Struct

from worker.errors import RequestRefused

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
PROBLEM_KIND = web.ResponseKey("problem", str)  # what the request's log line says went wrong


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
    "unreadable-request": "The request cannot be read",
    "too-many-addresses": "Too many addresses in one request",
    "body-too-large": "The body is too large",
    "slow-request": "The body came too slowly",
    "tiny-chunks": "The body comes in chunks that are too small",
    "no-address": "Not an address",
    "unknown-account": "There is no such account",
    "unknown-contact": "Nothing is known of this contact",
    "bad-cursor": "Not a cursor of this feed",
    "cursor-gone": "This feed does not have the cursor's change",
    "bad-parameter": "A parameter is out of its range",
    "no-such-route": "There is nothing here",
    "wrong-method": "This method is not offered here",
    "too-busy": "Too much is asked at once",
    "store-unavailable": "The database cannot be asked",
    "internal": "A defect of ours",
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


def refused_response(refused: RequestRefused) -> web.Response:
    """What a request that is wrong in itself is answered with."""
    return problem_response(refused.kind, refused.http_status, detail=refused.detail, remedy=refused.remedy)


def unavailable_response(detail: str) -> web.Response:
    """What every question is answered with while the database cannot be asked: nothing is allowed by default."""
    return problem_response(
        "store-unavailable",
        HTTPStatus.SERVICE_UNAVAILABLE,
        detail=detail,
        remedy="Ask again after the time in Retry-After, and send nothing before there is an answer.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def overloaded_response(detail: str) -> web.Response:
    """What is answered while as much is asked as this process may hold; callers come back at different moments."""
    return problem_response(
        "too-busy",
        HTTPStatus.TOO_MANY_REQUESTS,
        detail=detail,
        remedy="Ask again after the time in Retry-After, and ask fewer questions at once.",
        headers={"Retry-After": str(1 + secrets.randbelow(RETRY_AFTER_SECONDS))},
    )


def framework_response(error: web.HTTPException) -> web.Response:
    """What aiohttp's own refusals are answered with: unknown path, wrong method."""
    if isinstance(error, web.HTTPNotFound):
        return problem_response(
            "no-such-route",
            error.status,
            detail="No route of this API has this path.",
            remedy="See /v1/openapi.yaml for the routes.",
        )
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem_response(
            "wrong-method",
            error.status,
            detail=f"{error.method} is not offered here, {allowed} is.",
            remedy="See /v1/openapi.yaml for the routes.",
            headers={"Allow": allowed},
        )
    raise error


def defect_response() -> web.Response:
    """What a defect of ours is answered with; the log has the traceback."""
    return problem_response(
        "internal",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        detail="This question could not be answered because of a defect in Bouncekeeper.",
        remedy="Send nothing on the strength of it; the traceback is in the log, under `api.failed`.",
    )
