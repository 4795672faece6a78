"""Twilio SendGrid Inbound Parse with "POST the raw, full MIME message": a form with the mail in `email`.

https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
A security policy adds a signature of the time and the body, like that of the Event Webhook
(https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks). The same
two headers carry it according to an example of Twilio, not according to that page.
"""

import re

from schemas.envelope import Envelope
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials
from worker.providers.authentication.public_key import PublicKeySignature
from worker.providers.mail.dkim_verdict import passed_named
from worker.providers.mail.mail_provider import MailProvider, verifies_dkim
from worker.providers.mail.mail_webhook import envelope_address
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.payload import json_payload
from worker.providers.payload.multipart_payload import decode_any_form
from worker.providers.vendors.sendgrid.sendgrid import SIGNATURE_HEADER, TIMESTAMP_HEADER

# -- How it authenticates ------------------------------------------------------------------------------------
# https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks

MAX_AGE_SECONDS = 4 * 24 * 3600  # SendGrid tries for 3 days, and does not say whether it signs anew


# -- How it is read ------------------------------------------------------------------------------------------
# https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/inbound-email

# `dkim` names each domain with its verdict: {@example.com : pass, @other.example : fail}
_DKIM_PASS = re.compile(r"@([A-Za-z0-9._-]+)\s*:\s*pass\b", re.IGNORECASE)


def unwrap(envelope: Envelope) -> ReceivedMail:
    """The mail in `email`, with its envelope as SendGrid reports it."""
    fields = decode_any_form(envelope.body, envelope.content_type, "SendGrid Inbound Parse")
    message = fields.get("email", b"")
    if not message.strip():
        raise UnreadablePayload(
            'SendGrid Inbound Parse: the form has no email: check "POST the raw, full MIME message" in the '
            "settings of this host"
        )
    sender, recipient = _envelope(fields.get("envelope", b""))
    verdicts = fields.get("dkim", b"").decode("utf-8", "replace")
    return ReceivedMail(
        message=message,
        envelope_recipient=recipient,
        envelope_sender=sender,
        dkim_pass=passed_named(message, [domain.lower() for domain in _DKIM_PASS.findall(verdicts)]),
    )


def _envelope(written: bytes) -> tuple[str | None, str | None]:
    """Sender and recipient; None if they are not reported, or for several recipients."""
    try:
        values = json_payload.decode_object(written, "SendGrid envelope")
    except UnreadablePayload:
        return None, None
    sender = values.get("from")
    recipients = json_payload.tags(values, "to")
    return (
        envelope_address(json_payload.fit_text(sender, json_payload.MESSAGE_ID_LIMIT))
        if isinstance(sender, str)
        else None,
        envelope_address(recipients[0]) if len(recipients) == 1 else None,
    )


PROVIDER = MailProvider(
    name="sendgrid_inbound",
    title="SendGrid Inbound Parse",
    documentation="https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/inbound-email",
    proof="user and password in the URL, or ECDSA P-256 of a time and the body",
    secret_help=(
        "a user and a long password of your own, written user:password, as they stand in the URL; with "
        'authentication = "signature" the public_key of the security policy'
    ),
    schemes={
        "": BasicCredentials(),
        "signature": PublicKeySignature(
            header=SIGNATURE_HEADER,
            algorithm="ecdsa_p256",
            timestamp_header=TIMESTAMP_HEADER,
            max_age_seconds=MAX_AGE_SECONDS,
        ),
    },
    believes_dkim=verifies_dkim,
    later_status=503,  # SendGrid sends again after a 5xx; what got a 4xx may be gone
    unwrap=unwrap,
)
