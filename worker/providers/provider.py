"""What every provider module offers: two pure steps that can be called apart.

`authenticate` proves who sent a request from its raw bytes; `parse` turns an accepted envelope into events.
Neither does I/O nor reads a clock: what they need to know is handed in.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Protocol

from msgspec import Raw, Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind


class WebhookRequest(Struct, frozen=True, kw_only=True):
    """An HTTP request as authentication sees it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # found by their names in lower case
    body: bytes  # raw, after transfer and content decoding
    remote_address: str
    raw_query: str = ""  # what stood behind the URL's `?`, for vendors that sign it: one query has many spellings


class Accepted(Struct, frozen=True, kw_only=True):
    """The request is authentic: queue it, and answer with success once that is done."""

    answer: bytes = b""  # JSON that the caller is told in the answer
    body: bytes | None = None  # what to queue in the place of the request's body: the same without a secret inside
    # All that was signed, where it is not the body, with a name for the vendor before it: for all sources together.
    # Seen again with other data, it is a replay.
    replay_token: str | None = None
    replay_fingerprint: str = ""  # what the token was used for
    replay_window_seconds: int = 0
    bulk: bool = False  # it waits behind live events: the sender says that nobody is in a hurry


class Refused(Struct, frozen=True, kw_only=True):
    """The request is not authentic: answer `http_status`, queue nothing."""

    reason: str  # a short snake_case word for the log and the metric: `bad_signature`
    detail: str  # one sentence for the operator, without secrets
    http_status: int = 401
    challenge: str | None = None  # a WWW-Authenticate header
    remedy: str = ""  # what the caller is told to do; "" = what its status and reason say


class CertificateNeeded(Struct, frozen=True, kw_only=True):
    """Cannot decide before this certificate is at hand; the URL has passed the provider's host checks."""

    url: str


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


Verdict = Accepted | Refused | CertificateNeeded | ConfirmSubscription | Answered


class Provider(Protocol):
    """One ESP. A module in `worker/providers/` offers one instance of this as `PROVIDER`."""

    name: ClassVar[str]  # "sendgrid": what sources and events are labelled with
    title: ClassVar[str]  # "Twilio SendGrid"
    success_status: ClassVar[int]  # the one answer that this vendor surely counts as success
    later_status: ClassVar[int]  # the answer that makes this vendor send again
    kept_headers: ClassVar[frozenset[str]]  # request headers that `parse` needs, lower case
    secret_help: ClassVar[str]  # what a secret of this provider looks like and where the vendor shows it
    proof: ClassVar[str]  # how a request proves itself, in a few words: "HMAC-SHA256 of the body"
    documentation: ClassVar[str]  # the address of the vendor's page about its webhooks
    marks_bulk: ClassVar[bool]  # a request of it may be Accepted as bulk work
    batches: ClassVar[bool]  # one request may carry events of many recipients
    # A GET with a query carries an event as well: it is read as a POST whose body is the raw query.
    takes_get: ClassVar[bool]
    # Every event and class of bounce that the vendor documents ("bounce/blocked"), and what it becomes. Where the
    # server's words or codes have the last say, this is what it becomes without any.
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]]
    # Where an event's JSON tells whose mail it was, as JMESPath: "subaccount" (the vendor's own division of one
    # account) and "sending_domain" (an address or a domain). What the vendor does not tell is not in here.
    account_paths: ClassVar[Mapping[str, str]]

    def check_source(self, source: Source) -> list[str]:
        """What is wrong or missing in the source's configuration, each with its remedy; [] when nothing."""
        ...

    def authenticate(
        self, request: WebhookRequest, source: Source, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Verdict:
        """Who sent this. `certificates` maps a URL asked for by CertificateNeeded to its PEM bytes."""
        ...

    def refuse_head(self, request: WebhookRequest, source: Source, *, now: datetime) -> Refused | None:
        """What `authenticate` would say of any request with this head; None where the body decides too.

        `request` has an empty body: the real one has not been read, and need not be.
        """
        ...

    def unproven_bytes(self, source: Source) -> int | None:
        """The largest body, unfolded, that is read of a request before it is proved; None: as large as any."""
        ...

    def answer_probe(self, request: WebhookRequest, source: Source) -> Answered | Refused | None:
        """The answer to a GET or OPTIONS by which the vendor tries a URL; None where it has no such custom."""
        ...

    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """The events inside; raises UnreadablePayload when the body is not what the vendor documents.

        An element that cannot be read among others that can is in the list too, as worker.providers.payload.feedback's
        `malformed`. `source` is the entry that the envelope came in by, as it is configured now.
        """
        ...

    def elements(self, envelope: Envelope, source: Source) -> Iterable[bytes | Raw] | None:
        """The events of a batch as the vendor wrote them, one after the other; None where the body cannot be divided.

        Raises UnreadablePayload, at once or on the way.
        """
        ...

    def body_of(self, elements: Sequence[bytes | Raw], source: Source) -> bytes:
        """A body of these elements alone: `parse` makes the same events of it."""
        ...
