"""Provider: describes an ESP and how its webhooks are read. The module of each ESP ends in one.

Nothing here does I/O or reads a clock: certificates and times are parameters.
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
    """For most vendors, which have no handshake: every authentic request carries events."""
    return Accepted()


def answer_no_probe(_request: WebhookRequest) -> Answered | Refused | None:
    """For most vendors, which test a URL with HEAD, which the receiver answers, or not at all."""
    return None


def leave(bound: BoundSource) -> BoundSource:
    """For most vendors, whose webhooks are read in the same way for each source."""
    return bound


def demand_secret(_source: Source) -> bool:
    """For most vendors, whose webhooks cannot be authenticated without a secret."""
    return True


def find_nothing_else(_source: Source) -> list[str]:
    """For most vendors, whose sources need only the common checks."""
    return []


def remark_nothing(_source: Source) -> list[Remark]:
    """For most vendors, whose sources need no remarks."""
    return []


class Provider(Struct, frozen=True, kw_only=True):
    """One ESP. The defaults fit most of them."""

    name: str  # "sendgrid": the name in sources and events
    title: str  # "Twilio SendGrid"
    documentation: str  # the address of the vendor's page about its webhooks
    proof: str  # how a request proves itself, in a few words: "HMAC-SHA256 of the body"
    secret_help: str  # what a secret of this provider looks like and where the vendor shows it
    # Every event and class of bounce that the vendor documents ("bounce/blocked"), and its kind and cause. If the
    # server's words or codes decide, these are the ones without any words and codes.
    vocabulary: Mapping[str, tuple[Kind, Cause]]
    parse: Parse  # the events of an envelope; see BoundSource
    schemes: Mapping[str, Scheme] = {}  # by Source.authentication; "" is the vendor's own scheme
    own_proof: bool = False  # without `authentication`, `tailor` gives a proof that is not a scheme
    success_status: int = 200  # the one answer that this vendor surely counts as success
    later_status: int = 503  # the answer that makes this vendor send again
    kept_headers: frozenset[str] = frozenset()  # request headers that `parse` needs, lower case
    marks_bulk: bool = False  # its requests may be Accepted as bulk work
    batches: bool = False  # one request may carry events of many recipients
    # A GET with a query carries an event too: it is read like a POST with the raw query as its body.
    takes_get: bool = False
    # Where an event's JSON names the owner of the mail, as JMESPath: "subaccount" (the vendor's own division of one
    # account) and "sending_domain" (an address or a domain). Without an entry the vendor does not report it.
    account_paths: Mapping[str, str] = {}
    # The vendor's own fields for the campaign of a message; `parse` reads the first of them that exists. If senders
    # choose the names of lists, tags and variables themselves, `campaign_from` names them instead.
    campaign_fields: tuple[str, ...] = ()
    # False: some deliveries, failures or complaints do not name the sending domain, so its rates would be wrong.
    always_tells_domain: bool = True
    options: tuple[Option[Any], ...] = ()  # the options of a source, beside those of its scheme
    batch: BatchBody | None = None  # how a body carries several events; None if it never does
    elements: Divide | None = None  # see BoundSource; None: those of `batch`
    body_of: Join | None = None  # likewise
    welcome: Welcome = accept  # the verdict on an authentic request, if the vendor has handshakes or tests
    answer_probe: AnswerProbe = answer_no_probe  # the answer to a GET or OPTIONS with which the vendor tests a URL
    tailor: Callable[[BoundSource], BoundSource] = leave  # changes that depend on a source's configuration
    needs_secret: Callable[[Source], bool] = demand_secret
    check_also: Callable[[Source], list[str]] = find_nothing_else  # mistakes that only this vendor's sources can have
    remark: Callable[[Source], list[Remark]] = remark_nothing  # see remarks_on
    no_sample: str = ""  # why there can be no sample event for some sources, and what to do instead

    def all_options(self) -> tuple[Option[Any], ...]:
        """All options of a source, including those of its schemes."""
        return (*self.options, *(option for scheme in self.schemes.values() for option in scheme.options))

    def check_source(self, source: Source) -> list[str]:
        """The mistakes in the source's configuration, each with its remedy."""
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
        """What the operator should know about a source without mistakes."""
        return self.remark(source)

    def bind(self, source: Source) -> BoundSource:
        """The bound source. Never raises, because envelopes may outlive the configuration of their source.

        A source with mistakes (`check_source`) lets nobody in, or ignores settings that cannot be used.
        """
        return self.tailor(self.bind_usually(source))

    def bind_usually(self, source: Source) -> BoundSource:
        """The bound source before `tailor`."""
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
