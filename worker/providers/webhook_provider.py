"""What nearly all vendors' providers share: configuration and authentication by the schemes that the vendor has."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import ImpossibleSetting
from worker.providers.authentication.callers_address import refuse_address
from worker.providers.authentication.configured_header import check_header_option
from worker.providers.authentication.freshness import TIME_OPTIONS
from worker.providers.authentication.scheme import Scheme, check_common, is_open
from worker.providers.authentication.source_options import check_options
from worker.providers.payload.batch_body import BatchBody, Element, json_array
from worker.providers.provider import Accepted, Answered, Refused, Verdict, WebhookRequest


class WebhookProvider(ABC):
    """A provider that names its schemes and says how its payloads are read; see worker.providers.provider."""

    name: ClassVar[str]
    title: ClassVar[str]
    secret_help: ClassVar[str]
    proof: ClassVar[str]
    documentation: ClassVar[str]
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]]
    schemes: ClassVar[Mapping[str, Scheme]] = {}  # by Source.authentication; "" is the vendor's own way
    batches: ClassVar[bool] = False
    marks_bulk: ClassVar[bool] = False
    takes_get: ClassVar[bool] = False
    success_status: ClassVar[int] = 200
    later_status: ClassVar[int] = 503
    kept_headers: ClassVar[frozenset[str]] = frozenset()
    seconds_options: ClassVar[tuple[str, ...]] = TIME_OPTIONS  # () where no scheme signs a time
    other_options: ClassVar[tuple[str, ...]] = ()
    account_paths: ClassVar[Mapping[str, str]] = {}
    batch: ClassVar[BatchBody | None] = None  # how a body carries several events; None where it never does

    def check_source(self, source: Source) -> list[str]:
        """What is wrong with the source, each with its remedy."""
        problems = check_common(
            source,
            secret_help=f"add {self.secret_help}",
            schemes=self.schemes,
            secret_required=self.needs_secret(source),
        )
        problems += check_options(source, seconds=self.seconds_options, others=self.other_options)
        problems += check_header_option(source, self.schemes)
        if scheme := self.scheme_of(source):
            problems += scheme.check_secrets(source)
        return problems

    def authenticate(
        self, request: WebhookRequest, source: Source, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Verdict:
        """Accepts what may come from here and proves itself by the source's scheme."""
        del certificates  # the keys are in the source
        if refused := refuse_address(request, source):
            return refused
        if not is_open(source):
            scheme = self.scheme_of(source)
            if scheme is None:
                raise ImpossibleSetting(
                    f"source {source.name!r}: authentication = {source.authentication!r} is not known to {self.name}, "
                    "so that nobody is let in: see `bouncekeeper doctor`"
                )
            if refused := scheme.refuse(request, source, now=now):
                return refused
        return self.welcome(request, source, now=now)

    def refuse_head(self, request: WebhookRequest, source: Source, *, now: datetime) -> Refused | None:
        """The caller's address, and the proof where all of it stands in the head."""
        if refused := refuse_address(request, source):
            return refused
        scheme = None if is_open(source) else self.scheme_of(source)
        if scheme is None or scheme.unproven_bytes != 0:
            return None
        return scheme.refuse(request, source, now=now)

    def unproven_bytes(self, source: Source) -> int | None:
        """As the source's scheme has it; None where the head proves all."""
        scheme = None if is_open(source) else self.scheme_of(source)
        return (scheme.unproven_bytes or None) if scheme is not None else None

    def needs_secret(self, source: Source) -> bool:
        """True unless the source's webhooks can be proved, or kept out, without a secret of the operator's."""
        del source
        return True

    def scheme_of(self, source: Source) -> Scheme | None:
        """The scheme that the source has chosen; None for an open one, and where the provider judges by itself."""
        return self.schemes.get(source.authentication)

    def welcome(self, request: WebhookRequest, source: Source, *, now: datetime) -> Verdict:
        """The verdict on an authentic request; a vendor with handshakes or probes answers them here."""
        del request, source, now
        return Accepted()

    def answer_probe(self, request: WebhookRequest, source: Source) -> Answered | Refused | None:
        """None: most vendors try a URL by HEAD, which the receiver answers for all, or not at all."""
        del request, source
        return None

    def elements(self, envelope: Envelope, source: Source) -> Iterable[Element] | None:
        """As its `batch` has them."""
        del source
        return None if self.batch is None else self.batch.elements(envelope.body)

    def body_of(self, elements: Sequence[Element], source: Source) -> bytes:
        """As its `batch` has it."""
        del source
        return json_array(elements) if self.batch is None else self.batch.of(elements)

    @abstractmethod
    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """The events inside; raises UnreadablePayload when the body is not what the vendor documents."""
