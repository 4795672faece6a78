"""Mailgun Routes: mail that `forward()` posts as raw MIME, which it does when the URL ends in `mime`.

https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import ClassVar

from schemas.envelope import Envelope
from schemas.source import Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.callers_address import refuse_address
from worker.providers.authentication.freshness import CLOCK_SLACK_SECONDS, MAX_AGE_OPTION, refuse_stale
from worker.providers.authentication.hmac_signature import bad_signature, hmac_matches
from worker.providers.authentication.scheme import Scheme, check_common, is_open
from worker.providers.authentication.source_options import check_options, seconds_option
from worker.providers.mail.dkim_verdict import header_values, passed_unnamed
from worker.providers.mail.mail_provider import MailProvider
from worker.providers.mail.mail_webhook import envelope_address
from worker.providers.mail.options import MAIL_OPTIONS, check_mail_options
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.payload.multipart_payload import decode_any_form
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Accepted, Refused, Verdict, WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
# The mail is not signed: whoever sees one signature can put any mail beside it. So each token is accepted for one
# mail only, for as long as its timestamp is accepted.

DEFAULT_MAX_AGE_SECONDS = 9 * 3600  # Mailgun tries for 8 hours, perhaps with the old signature

# -- How it is read ------------------------------------------------------------------------------------------
# https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/spam-filter

DKIM_HEADER = "x-mailgun-dkim-check-result"
PASS = "pass"  # noqa: S105 - of Pass and Fail
MARKS_OPTION = "spam_filter_marks"  # the domain's spam filter adds its headers: without it any sender could


class MailgunInbound(MailProvider):
    """See worker.providers.webhook_provider.WebhookProvider."""

    name: ClassVar[str] = "mailgun_inbound"
    title: ClassVar[str] = "Mailgun Routes"
    documentation: ClassVar[str] = (
        "https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http"
    )
    proof: ClassVar[str] = "HMAC-SHA256 of a time and a one-time token"
    secret_help: ClassVar[str] = (
        "the HTTP webhook signing key of the account: Sending > Webhooks, or Settings > API security"  # noqa: S105 - says where to find it
    )
    schemes: ClassVar[Mapping[str, Scheme]] = {}  # the signature stands in the form; see authenticate
    other_options: ClassVar[tuple[str, ...]] = (*MAIL_OPTIONS, MARKS_OPTION)
    kept_headers: ClassVar[frozenset[str]] = frozenset()
    success_status: ClassVar[int] = 200
    later_status: ClassVar[int] = 503

    def check_source(self, source: Source) -> list[str]:
        """What is wrong with the source, each with its remedy."""
        problems = check_common(source, secret_help=f"add {self.secret_help}")
        problems += check_options(source, seconds=(MAX_AGE_OPTION,), others=self.other_options)
        if not isinstance(source.options.get(MARKS_OPTION, False), bool):
            problems.append(f"options.{MARKS_OPTION} must be true or false, without quotes")
        return problems + check_mail_options(source, verifies_dkim=source.options.get(MARKS_OPTION) is True)

    def authenticate(
        self, request: WebhookRequest, source: Source, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Verdict:
        """Accepts a fresh signature of one of the source's keys; the verdict names the token to remember."""
        del certificates  # the keys are in the source
        if refused := refuse_address(request, source):
            return refused
        if is_open(source):
            return Accepted()
        try:
            fields = decode_any_form(request.body, request.headers.get("content-type", ""), "Mailgun route")
        except UnreadablePayload as error:
            return Refused(reason="missing_signature", detail=f"{error}; so it has no signature either")
        return _judge(fields, source, now)

    def unwrap(self, envelope: Envelope, source: Source) -> ReceivedMail:
        """The mail in `body-mime`, its envelope as Mailgun tells it."""
        fields = decode_any_form(envelope.body, envelope.content_type, "Mailgun route")
        message = fields.get("body-mime", b"")
        if not message.strip():
            raise UnreadablePayload(
                "Mailgun route: the form has no body-mime: let the URL that the route forwards to end in mime, so that "
                "Mailgun posts the whole mail"
            )
        trusted = source.options.get(MARKS_OPTION) is True
        results = [value.lower() for value in header_values(message, DKIM_HEADER)]
        return ReceivedMail(
            message=message,
            envelope_recipient=envelope_address(_text(fields, "recipient")),
            envelope_sender=envelope_address(_text(fields, "sender")),
            # A second one would be the sender's own.
            dkim_pass=passed_unnamed(message) if trusted and results == [PASS] else (),
        )


PROVIDER = MailgunInbound()


def _text(fields: Mapping[str, bytes], name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else value.decode("utf-8", "replace")


def _judge(fields: Mapping[str, bytes], source: Source, now: datetime) -> Verdict:
    timestamp, token, signature = (_text(fields, name) or "" for name in ("timestamp", "token", "signature"))
    if not timestamp or not token or not signature:
        return Refused(
            reason="missing_signature",
            detail="timestamp, token or signature is missing from the form: only Mailgun's routes post here",
        )
    if not hmac_matches(signature, f"{timestamp}{token}".encode(), source.secrets):
        return bad_signature()
    signed_at = from_unix_seconds(timestamp)
    if refused := refuse_stale(signed_at, source, now=now, default_max_age_seconds=DEFAULT_MAX_AGE_SECONDS):
        return refused
    max_age = timedelta(seconds=seconds_option(source, MAX_AGE_OPTION, DEFAULT_MAX_AGE_SECONDS) + CLOCK_SLACK_SECONDS)
    return Accepted(
        replay_token=token,
        replay_fingerprint=blake2b(fields.get("body-mime", b""), digest_size=16).hexdigest(),
        replay_window_seconds=int(max_age.total_seconds()),
    )
