"""What authentication makes of a request: what the receiver does with it."""

from collections.abc import Mapping

from msgspec import Struct

from schemas.one_time_token import OneTimeToken


class Accepted(Struct, frozen=True, kw_only=True):
    """The request is authentic: queue it, and answer with success once that is done."""

    answer: bytes = b""  # JSON that the caller is told in the answer
    body: bytes | None = None  # what to queue in the place of the request's body: the same without a secret inside
    one_time_token: OneTimeToken | None = None  # what was signed, where that is not the body
    bulk: bool = False  # it waits behind live events: the sender says that nobody is in a hurry


class Refused(Struct, frozen=True, kw_only=True):
    """The request is not authentic: answer `http_status`, queue nothing."""

    reason: str  # a short snake_case word for the log and the metric: `bad_signature`
    detail: str  # one sentence for the operator, without secrets
    http_status: int = 401
    challenge: str | None = None  # a WWW-Authenticate header
    remedy: str = ""  # what the caller is told to do; "" = what its status and reason say


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
    headers: Mapping[str, str] = {}  # further ones that the vendor waits for


Verdict = Accepted | Refused | ConfirmSubscription | Answered


class CertificateNeeded(Struct, frozen=True, kw_only=True):
    """No verdict before this certificate is at hand; the URL has passed the provider's host checks."""

    url: str


Judgement = Verdict | CertificateNeeded
