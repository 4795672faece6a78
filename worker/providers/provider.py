"""What every ESP's module ends in: one Provider, which says what the vendor is, and how its webhooks are read.

Nothing here does I/O or reads a clock: what must be known is handed in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.providers.authentication.callers_address import allowed_addresses
from worker.providers.authentication.configured_header import check_header_option
from worker.providers.authentication.scheme import Scheme, check_common, is_open
from worker.providers.authentication.source_options import Option, check_options
from worker.providers.bound_source import AnswerProbe, BoundSource, Divide, Join, Parse, Welcome
from worker.providers.payload.batch_body import BatchBody, Element, json_array
from worker.providers.remark import Remark
from worker.providers.verdict import Accepted, Answered, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest


def accept(_request: WebhookRequest) -> Verdict:
    """Most vendors shake no hands: whatever is authentic carries events."""
    return Accepted()


def answer_no_probe(_request: WebhookRequest) -> Answered | Refused | None:
    """Most vendors try a URL by HEAD, which the receiver answers for all, or not at all."""
    return None


def leave(bound: BoundSource) -> BoundSource:
    """Most vendors' webhooks are read alike whatever a source says."""
    return bound


def demand_secret(_source: Source) -> bool:
    """Most vendors' webhooks cannot be proved without a secret of the operator's."""
    return True


def find_nothing_else(_source: Source) -> list[str]:
    """Most vendors' sources have nothing that is not checked for all."""
    return []


def remark_nothing(_source: Source) -> list[Remark]:
    """Of most vendors' sources there is nothing to say that does not stand in the configuration."""
    return []


class Provider(Struct, frozen=True, kw_only=True):
    """One ESP. Whatever has a default need not be said of most."""

    name: str  # "sendgrid": what sources and events are labelled with
    title: str  # "Twilio SendGrid"
    documentation: str  # the address of the vendor's page about its webhooks
    proof: str  # how a request proves itself, in a few words: "HMAC-SHA256 of the body"
    secret_help: str  # what a secret of this provider looks like and where the vendor shows it
    # Every event and class of bounce that the vendor documents ("bounce/blocked"), and what it becomes. Where the
    # server's words or codes have the last say, this is what it becomes without any.
    vocabulary: Mapping[str, tuple[Kind, Cause]]
    parse: Parse  # the events of an envelope; see BoundSource
    schemes: Mapping[str, Scheme] = {}  # by Source.authentication; "" is the vendor's own way
    own_proof: bool = False  # `tailor` gives a proof that is no scheme, where `authentication` is left out
    success_status: int = 200  # the one answer that this vendor surely counts as success
    later_status: int = 503  # the answer that makes this vendor send again
    kept_headers: frozenset[str] = frozenset()  # request headers that `parse` needs, lower case
    marks_bulk: bool = False  # a request of it may be Accepted as bulk work
    batches: bool = False  # one request may carry events of many recipients
    # A GET with a query carries an event as well: it is read as a POST whose body is the raw query.
    takes_get: bool = False
    # Where an event's JSON tells whose mail it was, as JMESPath: "subaccount" (the vendor's own division of one
    # account) and "sending_domain" (an address or a domain). What the vendor does not tell is not in here.
    account_paths: Mapping[str, str] = {}
    # The vendor's own fields for the campaign of a message, the first of which that is there is read by `parse`. Some
    # give their lists, tags and variables the names that the sender likes: those are named by `campaign_from` instead.
    campaign_fields: tuple[str, ...] = ()
    # False: some of deliveries, failures and complaints do not tell the sending domain, so no rate of it would be true.
    always_tells_domain: bool = True
    options: tuple[Option[Any], ...] = ()  # what a source may set, beside those of its scheme
    batch: BatchBody | None = None  # how a body carries several events; None where it never does
    elements: Divide | None = None  # see BoundSource; None: as `batch` has them
    body_of: Join | None = None  # as above
    welcome: Welcome = accept  # the verdict on an authentic request, where the vendor has handshakes or tests
    answer_probe: AnswerProbe = answer_no_probe  # the answer to a GET or OPTIONS by which the vendor tries a URL
    tailor: Callable[[BoundSource], BoundSource] = leave  # what of the above a source's configuration changes
    needs_secret: Callable[[Source], bool] = demand_secret
    check_also: Callable[[Source], list[str]] = find_nothing_else  # what only this vendor's sources may have wrong
    remark: Callable[[Source], list[Remark]] = remark_nothing  # see remarks_on
    no_sample: str = ""  # why no event can be made up for some sources, and what to do instead

    def all_options(self) -> tuple[Option[Any], ...]:
        """The options that a source may set, those of its schemes included."""
        return (*self.options, *(option for scheme in self.schemes.values() for option in scheme.options))

    def check_source(self, source: Source) -> list[str]:
        """What is wrong or missing in the source's configuration, each with its remedy; [] when nothing."""
        problems = check_common(
            source,
            secret_help=f"add {self.secret_help}",
            schemes=["", *self.schemes] if self.own_proof else self.schemes,
            secret_required=self.needs_secret(source),
        )
        problems += check_options(source, self.all_options())
        problems += check_header_option(source, self.schemes)
        if scheme := self.schemes.get(source.authentication):
            problems += scheme.check_secrets(source)
        return problems + self.check_also(source)

    def remarks_on(self, source: Source) -> list[Remark]:
        """What the operator should know of a source that `check_source` finds nothing wrong with."""
        return self.remark(source)

    def bind(self, source: Source) -> BoundSource:
        """The source with its configuration read; never raises, as envelopes outlive the sources that they came in by.

        A source that `check_source` finds fault with lets nobody in, or takes what cannot be used for not given.
        """
        return self.tailor(self.bind_usually(source))

    def bind_usually(self, source: Source) -> BoundSource:
        """The same, before anything is changed that the source's configuration changes."""
        bound = BoundSource(
            source=source,
            allowed_addresses=allowed_addresses(source),
            account_paths=self.account_paths,
            parse=self.parse,
            elements=self.elements or self._divide,
            body_of=self.body_of or self._join,
            welcome=self.welcome,
            answer_probe=self.answer_probe,
        )
        scheme = None if is_open(source) else self.schemes.get(source.authentication)
        return bound if scheme is None else bound.proved_by(scheme)

    def _divide(self, envelope: Envelope) -> Iterable[Element] | None:
        return None if self.batch is None else self.batch.elements(envelope.body)

    def _join(self, elements: Sequence[Element]) -> bytes:
        return json_array(elements) if self.batch is None else self.batch.of(elements)
