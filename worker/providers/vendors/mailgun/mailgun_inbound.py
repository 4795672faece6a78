"""Mailgun Routes: mail that `forward()` posts as raw MIME, which it does when the URL ends in `mime`.

https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import msgspec

from schemas.envelope import Envelope
from schemas.source import Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.scheme import is_open
from worker.providers.authentication.source_options import flag
from worker.providers.bound_source import BoundSource
from worker.providers.mail.dkim_verdict import header_values, passed_unnamed
from worker.providers.mail.mail_provider import MailProvider, Unwrap
from worker.providers.mail.mail_webhook import envelope_address
from worker.providers.mail.options import MAIL_OPTIONS
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.payload.multipart_payload import pick_any_form_pairs
from worker.providers.vendors.mailgun.mailgun_signature import TokenSignature, accept_once, seconds_remembered
from worker.providers.verdict import Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
# Like Mailgun's other webhooks. Neither the mail nor its envelope is signed: a signature is accepted for one mail only.


class RouteSignature(TokenSignature, frozen=True):
    """The scheme for a form with a whole mail: Mailgun accepts none over 25 MB."""

    unproven_bytes: ClassVar[int | None] = 25 * 1024 * 1024


# -- How it is read ------------------------------------------------------------------------------------------
# https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/spam-filter

DKIM_HEADER = "x-mailgun-dkim-check-result"
PASS = "pass"  # noqa: S105 - of Pass and Fail
_READ_FIELDS = ("body-mime", "recipient", "sender")
MARKS = flag("spam_filter_marks")  # the domain's spam filter adds its headers: without it any sender could


def believes_marks(source: Source) -> bool:
    """True if the operator says that Mailgun writes the header with the verdict, so that no sender can."""
    return MARKS.of(source)


def tailor(bound: BoundSource) -> BoundSource:
    """Accepts a signature for one mail only, unless everybody may post to the source."""
    if is_open(bound.source):
        return bound
    return msgspec.structs.replace(bound, welcome=partial(_welcome, window_seconds=seconds_remembered(bound.source)))


def _welcome(request: WebhookRequest, *, window_seconds: int) -> Verdict:
    """The verdict, with the signed token and the mail that came with it."""
    try:
        content_type = request.headers.get("content-type", "")
        fields = dict(pick_any_form_pairs(request.body, content_type, "Mailgun route", _READ_FIELDS))
    except UnreadablePayload:
        fields = {}  # JSON with a good signature: set aside when it is read
    read = {name: fields[name] for name in _READ_FIELDS if name in fields}
    used_for = msgspec.msgpack.encode(read, order="sorted") if read else request.body
    return accept_once(request, used_for=used_for, window_seconds=window_seconds)


def unwrap_for(source: Source) -> Unwrap:
    """Reads verdicts on DKIM if the operator says that Mailgun writes the marks."""
    return partial(unwrap, believes_marks=believes_marks(source))


def unwrap(envelope: Envelope, *, believes_marks: bool = False) -> ReceivedMail:
    """The mail in `body-mime`, with its envelope as Mailgun reports it."""
    fields = dict(pick_any_form_pairs(envelope.body, envelope.content_type, "Mailgun route", _READ_FIELDS))
    message = fields.get("body-mime", b"")
    if not message.strip():
        raise UnreadablePayload(
            "Mailgun route: the form has no body-mime: let the URL that the route forwards to end in mime, so that "
            "Mailgun posts the whole mail"
        )
    results = [value.lower() for value in header_values(message, DKIM_HEADER)]
    return ReceivedMail(
        message=message,
        envelope_recipient=envelope_address(_text(fields, "recipient")),
        envelope_sender=envelope_address(_text(fields, "sender")),
        # A second one would be the sender's own.
        dkim_pass=passed_unnamed(message) if believes_marks and results == [PASS] else (),
    )


def _text(fields: Mapping[str, bytes], name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else value.decode("utf-8", "replace")


PROVIDER = MailProvider(
    name="mailgun_inbound",
    title="Mailgun Routes",
    documentation="https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http",
    proof="HMAC-SHA256 of a time and a one-time token",
    secret_help="the HTTP webhook signing key of the account: Sending > Webhooks, or Settings > API security",
    schemes={"": RouteSignature()},
    options=(*MAIL_OPTIONS, MARKS),
    believes_dkim=believes_marks,
    unwrap=unwrap,
    unwrap_for=unwrap_for,
    tailor=tailor,
)
