"""A source, bound to its provider: its configuration is read, and no step asks for it again."""

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
    """What `Provider.bind` makes of one source: it authenticates requests, answers probes and parses envelopes.

    `parse` raises UnreadablePayload when a body is not what the vendor documents. An element that cannot be read among
    others that can is in its list too, as worker.providers.payload.feedback's `malformed`. `elements` gives the events
    of a batch as the vendor wrote them, None where the body cannot be divided; it raises UnreadablePayload, at once or
    on the way. `body_of` is a body of these elements alone: `parse` makes the same events of it.
    """

    source: Source
    allowed_addresses: AllowedAddresses
    account_paths: Mapping[str, str]  # see Provider
    parse: Parse
    elements: Divide
    body_of: Join
    welcome: Welcome
    answer_probe: AnswerProbe
    scheme: Scheme | None = None  # None for an open source, and where the vendor's proof is no scheme
    proof: Proof | None = None  # None for an open source, and where nobody can be let in
    unproven_bytes: int | None = None  # the largest body, decompressed, that is read unauthenticated; None: any

    def proved_by(self, scheme: Scheme) -> "BoundSource":
        """The source with this scheme in the place of its provider's."""
        return structs.replace(
            self,
            scheme=scheme,
            proof=SchemeProof(judge=scheme.bind(self.source), unproven_bytes=scheme.unproven_bytes),
            unproven_bytes=scheme.unproven_bytes or None,  # where the head proves all, a body that is read is proved
        )

    def authenticate(self, request: WebhookRequest, *, now: datetime, certificates: Mapping[str, bytes]) -> Judgement:
        """Who sent this. `certificates` maps a URL asked for by CertificateNeeded to its PEM bytes.

        Raises ImpossibleSetting for a source that `Provider.check_source` finds fault with.
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
        """What `authenticate` would say of any request with this head; None where the body decides too.

        `request` has an empty body: the real one has not been read, and need not be.
        """
        if refused := self.allowed_addresses.refuse(request):
            return refused
        return None if self.proof is None else self.proof.refuse_head(request, now=now)
