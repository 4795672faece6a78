"""What all ways share by which mail comes in: it is unwrapped, and read as every mail is."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.mail.options import MAIL_OPTIONS, check_mail_options
from worker.providers.mail.reading import VOCABULARY, read_mail
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.webhook_provider import WebhookProvider


class MailProvider(WebhookProvider):
    """A provider whose webhooks carry whole mails: reports of feedback loops, and bounces."""

    batches: ClassVar[bool] = True  # a bounce may tell of several recipients
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]] = VOCABULARY
    other_options: ClassVar[tuple[str, ...]] = MAIL_OPTIONS
    tells_dkim: ClassVar[bool] = False  # the vendor says whose DKIM signature it verified

    def check_source(self, source: Source) -> list[str]:
        """What is wrong with the source, each with its remedy."""
        return super().check_source(source) + check_mail_options(source, verifies_dkim=self.believes_dkim(source))

    def believes_dkim(self, source: Source) -> bool:
        """True when mail that comes in by this source tells, beyond doubt, whose DKIM signature holds."""
        del source
        return self.tells_dkim

    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """The events that the mail tells of; raises UnreadablePayload."""
        if not (source.options or source.secrets or source.authentication):
            # Read without its keys, a genuine report would be kept as unverified for good.
            raise UnreadablePayload(
                f"mail: source {source.name!r} is not configured here: start the workers with the configuration of"
                " receivers and the mailbox process, then replay"
            )
        return read_mail(self.unwrap(envelope, source), envelope, source)

    @abstractmethod
    def unwrap(self, envelope: Envelope, source: Source) -> ReceivedMail:
        """The mail that was posted; raises UnreadablePayload when there is none."""
