"""What every way must do alike by which mail comes in: the suite of all providers, with mails for documents."""

from collections.abc import Callable
from typing import Any, ClassVar

from schemas.vocabulary import Cause, Kind
from tests.providers.conformance import ProviderConformance
from tests.providers.sample_events import ALL_KINDS, NOW, sample
from worker.providers.mail.mail_provider import MailProvider
from worker.providers.mail.options import TOKEN_SECRETS
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.webhook_request import WebhookRequest
from worker.samples.mail import AmazonSesInboundSamples, MailSender
from worker.samples.mail_message import delivery_status, feedback_report

UNSAID = {Kind.ACCEPTED, Kind.DROPPED, Kind.OPENED, Kind.CLICKED}  # no mail tells of these
MAIL_KINDS = tuple((kind, cause) for kind, cause in ALL_KINDS if kind not in UNSAID)
TOKEN_SECRET = "a-token-secret-for-the-tests"
BOUNCE = delivery_status(sample(), "failed", token_secret=TOKEN_SECRET)


class MailConformance(ProviderConformance):
    """A document is what stands around the mail, with the mail in it as a text."""

    kinds = MAIL_KINDS
    signs_body: ClassVar[bool] = False
    unknown_event: ClassVar[str] = "invented"
    make_sender: ClassVar[Callable[[], MailSender | AmazonSesInboundSamples]]

    def new_sender(self) -> MailSender | AmazonSesInboundSamples:
        sender = type(self).make_sender()
        sender.token_secret = TOKEN_SECRET
        return sender

    @property
    def mail_provider(self) -> MailProvider:
        assert isinstance(self.provider, MailProvider)
        return self.provider

    def unwrapped(self, request: WebhookRequest, **options: Any) -> ReceivedMail:
        """The mail in a request, for a source with these options."""
        source = self.new_sender().source("first")
        source.options.update(options)
        provider = self.mail_provider
        unwrap = provider.unwrap if provider.unwrap_for is None else provider.unwrap_for(source)
        return unwrap(self.envelope(request))

    def with_mail(self, document: Any, message: str) -> Any:
        """The document with another mail in it."""
        raise NotImplementedError

    def unknown(self, document: Any) -> Any:
        report = feedback_report(sample(), self.unknown_event, token_secret=TOKEN_SECRET)
        return self.with_mail(document, report.decode())

    def stripped(self, document: Any) -> Any:
        bounce = delivery_status(sample(), "failed", token_secret=TOKEN_SECRET, dated=False)
        return self.with_mail(document, bounce.decode())

    # -- what only ways of mail must do ----------------------------------------------------------------------

    def test_the_mail_comes_out_byte_for_byte(self) -> None:
        assert self.unwrapped(self.new_sender().posted(BOUNCE, now=NOW)).message == BOUNCE

    def test_the_null_sender_and_the_recipient_of_the_envelope_are_reported(self) -> None:
        mail = self.unwrapped(self.new_sender().posted(BOUNCE, now=NOW))
        assert (mail.envelope_sender, mail.envelope_recipient) == ("", "bounces@example.org")

    def test_a_report_that_nothing_proves_names_nobody(self) -> None:
        bounce = delivery_status(sample(), "failed", token_secret="a-guess-of-somebody-else")
        (event,) = self.parse([self.new_sender().posted(bounce, now=NOW)])
        assert (event.kind, event.address, event.vendor_event) == (Kind.OTHER, None, "unverified/dsn/failed")

    def test_a_source_that_could_believe_no_report_is_reported(self) -> None:
        source = self.new_sender().source("first")
        del source.options[TOKEN_SECRETS.name]
        believes_signatures = self.mail_provider.believes_dkim(source)
        assert bool(self.provider.check_source(source)) is not believes_signatures

    def test_a_complaint_is_one_event_however_often_it_comes(self) -> None:
        report = feedback_report(sample(Kind.COMPLAINT, Cause.ABUSE_REPORT), "abuse", token_secret=TOKEN_SECRET)
        once, again = (self.parse([self.new_sender().posted(report, now=NOW)]) for _ in range(2))
        assert [event.event_key for event in once] == [event.event_key for event in again]
        assert once[0].kind is Kind.COMPLAINT
