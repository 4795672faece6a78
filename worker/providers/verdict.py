"""Verdicts of authentication: what the receiver does with a request."""

from collections.abc import Mapping

from msgspec import Struct

from schemas.one_time_token import OneTimeToken


class Accepted(Struct, frozen=True, kw_only=True):
    """The request is authentic: queue it, and answer with success once that is done."""

    answer: bytes = b""  # JSON for the caller
    body: bytes | None = None  # the body to queue instead of the request's: the same without a secret
    one_time_token: OneTimeToken | None = None  # the signed token, if the body is not signed
    bulk: bool = False  # it waits behind live events, as the sender asks


class Refused(Struct, frozen=True, kw_only=True):
    """The request is not authentic: answer `http_status`, queue nothing."""

    reason: str  # a short snake_case word for the log and the metric: `bad_signature`
    detail: str  # one sentence for the operator, without secrets
    http_status: int = 401
    challenge: str | None = None  # a WWW-Authenticate header
    remedy: str = ""  # what the caller should do; "" = the remedy of the status and the reason


class ConfirmSubscription(Struct, frozen=True, kw_only=True):
    """An authentic handshake: GET this URL (it has passed the provider's host checks), then answer 200."""

    url: str
    topic: str


class Answered(Struct, frozen=True, kw_only=True):
    """An authentic request that carries no event: answer it, queue nothing, log the reason."""

    reason: str
    detail: str
    http_status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    headers: Mapping[str, str] = {}  # that the vendor expects


Verdict = Accepted | Refused | ConfirmSubscription | Answered


class CertificateNeeded(Struct, frozen=True, kw_only=True):
    """This certificate is needed before a verdict; the URL has passed the provider's host checks."""

    url: str


Judgement = Verdict | CertificateNeeded
