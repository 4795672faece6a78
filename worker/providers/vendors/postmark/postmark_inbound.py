"""Postmark's inbound webhook: a mail as JSON, whole in `RawEmail` if the server is set up to include it.

https://postmarkapp.com/developer/webhooks/inbound-webhook
Without RawEmail the mail is put together again from its headers and attachments: a report's parts come as
attachments. How Postmark names the parts of a report is not documented, so RawEmail is what the page asks for.
Postmark reports no verdict on DKIM, only SpamAssassin's words in headers that a sender could write too.
"""

import base64
import binascii
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from schemas.envelope import Envelope
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials
from worker.providers.mail.mail_provider import MailProvider
from worker.providers.mail.mail_webhook import envelope_address
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.payload import json_payload

# -- How it authenticates ------------------------------------------------------------------------------------
# https://postmarkapp.com/developer/webhooks/webhooks-overview#protecting-your-webhook

# -- How it is read ------------------------------------------------------------------------------------------
# https://postmarkapp.com/developer/webhooks/inbound-webhook#inbound-webhook-data

_REPORT_TYPES = {"message/feedback-report": "feedback-report", "message/delivery-status": "delivery-status"}
_TYPES_OF_A_FRAME = frozenset({"content-type", "content-transfer-encoding", "mime-version"})
_ALSO_FIELDS = (("From", "From"), ("To", "To"), ("Subject", "Subject"), ("Date", "Date"))


def unwrap(envelope: Envelope) -> ReceivedMail:
    """The mail in RawEmail, or one put together from the rest; with its envelope as Postmark reports it."""
    values = json_payload.decode_object(envelope.body, "Postmark inbound mail")
    if "RecordType" in values:
        raise UnreadablePayload(
            "Postmark webhook: it tells of mail that you sent, not of mail that came in: give it a source of its "
            "own, with provider postmark"
        )
    raw = values.get("RawEmail")
    message = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) and raw else _put_together(values)
    return ReceivedMail(
        message=message,
        envelope_recipient=envelope_address(json_payload.text(values, "OriginalRecipient")),
        envelope_sender=_return_path(values),
    )


def _headers(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    listed = values.get("Headers")
    return [
        (name, value)
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict)
        and isinstance(name := entry.get("Name"), str)
        and isinstance(value := entry.get("Value"), str)
        and name.isascii()
        and name.replace("-", "").isalnum()
    ]


def _return_path(values: Mapping[str, Any]) -> str | None:
    """MAIL FROM, if Postmark passes on the field that its server wrote on top of all others."""
    return next((envelope_address(value) for name, value in _headers(values) if name.lower() == "return-path"), None)


def _put_together(values: Mapping[str, Any]) -> bytes:
    """The mail as far as the JSON has it: headers, text, and attachments as parts."""
    headers = _headers(values)
    parts = [("text/plain; charset=utf-8", (json_payload.text(values, "TextBody") or "").encode("utf-8", "replace"))]
    parts += _attachments(values)
    if not headers and len(parts) == 1 and not parts[0][1]:
        raise UnreadablePayload(
            'Postmark inbound mail: it has neither RawEmail nor Headers: switch on "Include raw email content in JSON '
            'payload" in the settings of the inbound stream'
        )
    present = {name.lower() for name, _ in headers}
    headers += [
        (name, text)
        for key, name in _ALSO_FIELDS
        if name.lower() not in present and (text := json_payload.text(values, key))
    ]
    report = next((_REPORT_TYPES[kind] for kind, _ in parts if kind in _REPORT_TYPES), None)
    frame = f"multipart/report; report-type={report}" if report else "multipart/mixed"
    boundary = blake2b(b"".join(content for _, content in parts), digest_size=16).hexdigest()
    lines = [_field(name, value) for name, value in headers if name.lower() not in _TYPES_OF_A_FRAME]
    lines += [b"MIME-Version: 1.0", f'Content-Type: {frame}; boundary="{boundary}"'.encode(), b""]
    for kind, content in parts:
        lines += [f"--{boundary}".encode(), _field("Content-Type", kind), b"", content]
    return b"\r\n".join([*lines, f"--{boundary}--".encode(), b""])


def _attachments(values: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    listed = values.get("Attachments")
    parts = []
    for entry in listed if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or not isinstance(content := entry.get("Content"), str):
            continue
        kind = (json_payload.text(entry, "ContentType") or "application/octet-stream").partition(";")[0].strip().lower()
        try:
            parts.append((kind, base64.b64decode(content)))
        except (binascii.Error, ValueError):
            continue  # the other parts may be enough
    return parts


def _field(name: str, value: str) -> bytes:
    return f"{name}: {' '.join(value.split())}".encode("utf-8", "replace")


PROVIDER = MailProvider(
    name="postmark_inbound",
    title="Postmark inbound",
    documentation="https://postmarkapp.com/developer/webhooks/inbound-webhook",
    proof="user and password in the URL",
    secret_help="a user and a long password of your own, written user:password, as in the URL",
    schemes={"": BasicCredentials()},
    success_status=200,  # exactly 200; anything else but 403 is sent again
    unwrap=unwrap,
)
