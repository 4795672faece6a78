"""Shared by all ways in which mail arrives: the mail is unwrapped, and read like any other."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from msgspec import structs

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.source_options import Option
from worker.providers.bound_source import BoundSource, Parse
from worker.providers.mail.mail_events import VOCABULARY, read_mail
from worker.providers.mail.options import MAIL_OPTIONS, MailOptions, check_mail_options, read_mail_options
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.provider import Provider
from worker.providers.remark import Remark

Unwrap = Callable[[Envelope], ReceivedMail]


def read_without_keys(envelope: Envelope) -> list[FeedbackEvent]:
    """Never parses: without the keys, even a genuine report would be stored as unverified."""
    raise UnreadablePayload(
        f"mail: source {envelope.source!r} is not configured here: start the processors with the configuration of"
        " receivers and the mailbox process, then replay"
    )


def verifies_dkim(_source: Source) -> bool:
    """The vendor verifies the DKIM signatures of all incoming mail, and names their domains."""
    return True


def verifies_no_dkim(_source: Source) -> bool:
    """The vendor reports nothing reliable about DKIM signatures."""
    return False


class MailProvider(Provider, frozen=True, kw_only=True):
    """A provider whose webhooks contain whole mails: reports of feedback loops, and bounces."""

    unwrap: Unwrap  # the mail that was posted; raises UnreadablePayload if the request has no mail
    unwrap_for: Callable[[Source], Unwrap] | None = None  # the same, if it depends on the source's options
    # True if the DKIM verdict on mail of this source cannot be forged.
    believes_dkim: Callable[[Source], bool] = verifies_no_dkim
    parse: Parse = read_without_keys  # of a source that is configured, see bind_usually
    batches: bool = True  # a bounce may be about several recipients
    vocabulary: Mapping[str, tuple[Kind, Cause]] = MappingProxyType(VOCABULARY)
    options: tuple[Option[Any], ...] = MAIL_OPTIONS
    no_sample: str = (
        "a mail that we make is believed only for its token, and this source has no token_secrets; try a report "
        "that came in with `sources try`"
    )

    def check_source(self, source: Source) -> list[str]:
        """The mistakes in the source's configuration, each with its remedy."""
        return super().check_source(source) + check_mail_options(source, verifies_dkim=self.believes_dkim(source))

    def remarks_on(self, source: Source) -> list[Remark]:
        """Remarks on the reports that the source believes; `check_source` finds a source that can believe none."""
        return [_remark(source, verifies_dkim=self.believes_dkim(source))]

    def bind_usually(self, source: Source) -> BoundSource:
        """The source with its keys; a source that is no longer configured has none."""
        bound = super().bind_usually(source)
        if not (source.options or source.secrets or source.authentication):
            return bound
        unwrap = self.unwrap if self.unwrap_for is None else self.unwrap_for(source)
        return structs.replace(bound, parse=partial(_parse, unwrap=unwrap, options=read_mail_options(source)))


def _remark(source: Source, *, verifies_dkim: bool) -> Remark:
    what, options = f"reports to {source.name}", read_mail_options(source)
    if options.accepts_all:
        return Remark(
            what=what,
            detail="all are believed, whoever wrote them",
            remedy="fine if nothing forged can reach it; else give it token_secrets and take accept_reports = "
            '"all" out',
        )
    verifies = bool(options.known_reporters) and (verifies_dkim or bool(options.authentication_results_from))
    signed = f"signatures of {len(options.known_reporters)} known reporters"
    if not options.token_secrets:
        return Remark(
            what=what,
            detail=f"are believed for {signed} alone: bounces, which hardly any server signs, change nothing",
            remedy="give it token_secrets, and your mail the tokens that `bouncekeeper mail-token` makes",
        )
    keys = f"tokens of {len(options.token_secrets)} key{'s' * (len(options.token_secrets) != 1)}"
    return Remark(what=what, detail=f"are believed for {keys}{f', or {signed}' if verifies else ''}")


def _parse(envelope: Envelope, *, unwrap: Unwrap, options: MailOptions) -> list[FeedbackEvent]:
    return read_mail(unwrap(envelope), envelope, options)
