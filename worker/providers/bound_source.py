"""A source bound to its provider: its configuration is read once, and no later step reads it again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, structs

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from worker.errors import ImpossibleSetting
from worker.providers.authentication.callers_address import AllowedAddresses
from worker.providers.authentication.scheme import Proof, Scheme, SchemeProof, is_open
from worker.providers.payload.batch_body import Element
from worker.providers.verdict import Answered, Judgement, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

Parse = Callable[[Envelope], list[FeedbackEvent]]
Divide = Callable[[Envelope], Iterable[Element] | None]
Join = Callable[[Sequence[Element]], bytes]
Welcome = Callable[[WebhookRequest], Verdict]
AnswerProbe = Callable[[WebhookRequest], Answered | Refused | None]


class BoundSource(Struct, frozen=True, kw_only=True):
    """The result of `Provider.bind` for one source: it authenticates requests, answers probes and parses envelopes.

    `parse` raises UnreadablePayload if a body is not what the vendor documents. If only some elements cannot be read,
    its list has worker.providers.payload.feedback's `malformed` for them. `elements` gives the events of a batch as the
    vendor wrote them, or None if the body cannot be divided; it raises UnreadablePayload, at once or while it is read.
    `body_of` makes a body of these elements only, from which `parse` makes the same events.
    """

    source: Source
    allowed_addresses: AllowedAddresses
    account_paths: Mapping[str, str]  # see Provider
    parse: Parse
    elements: Divide
    body_of: Join
    welcome: Welcome
    answer_probe: AnswerProbe
    scheme: Scheme | None = None  # None for an open source, and if the vendor's proof is not a scheme
    proof: Proof | None = None  # None for an open source, and if nobody can be let in
    unproven_bytes: int | None = None  # the largest body, decompressed, that is read unauthenticated; None: any

    def proved_by(self, scheme: Scheme) -> "BoundSource":
        """The source with this scheme instead of its provider's."""
        return structs.replace(
            self,
            scheme=scheme,
            proof=SchemeProof(judge=scheme.bind(self.source), unproven_bytes=scheme.unproven_bytes),
            unproven_bytes=scheme.unproven_bytes
            or None,  # if the head proves everything, a body that is read is proved
        )

    def authenticate(self, request: WebhookRequest, *, now: datetime, certificates: Mapping[str, bytes]) -> Judgement:
        """Judges whether the request is genuine. `certificates` maps URLs of CertificateNeeded to PEM bytes.

        Raises ImpossibleSetting for a source in which `Provider.check_source` finds mistakes.
        """
        if refused := self.allowed_addresses.refuse(request):
            return refused
        if not is_open(self.source):
            if self.proof is None:
                raise ImpossibleSetting(
                    f"source {self.source.name!r}: authentication = {self.source.authentication!r} is not known to "
                    f"{self.source.provider}, so that nobody is let in: see `bouncekeeper doctor`"
                )
            if refusal := self.proof.refuse(request, now=now, certificates=certificates):
                return refusal
        return self.welcome(request)

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:
        """The refusal by `authenticate` of any request with this head; None if that depends on the body.

        `request` has an empty body, because the real one is not read yet.
        """
        if refused := self.allowed_addresses.refuse(request):
            return refused
        return None if self.proof is None else self.proof.refuse_head(request, now=now)
