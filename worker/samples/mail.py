"""Make-believe ways by which mail comes in: an MTA's pipe, and the inbound webhooks of four ESPs."""

import base64
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, ClassVar, Self

import msgspec

from schemas.source import Secret, Source
from worker.providers.mail.mail_webhook import MAIL_CONTENT_TYPE, RECIPIENT_HEADER, SENDER_HEADER
from worker.providers.mail.options import TOKEN_SECRETS, read_mail_options
from worker.providers.webhook_request import WebhookRequest
from worker.samples.amazon_ses import AmazonSesSamples
from worker.samples.mail_message import BOUNCE_ADDRESS, sample_mail
from worker.samples.posting import basic, hex_hmac, iso_time, made_up_secret, post
from worker.samples.sample import SampleEvent
from worker.samples.vendor import MakeBelieveVendor

_BOUNDARY = "xYzZY"


class MailSender(MakeBelieveVendor):
    """One mail for each event, with a token of the source's in it."""

    def __init__(self, *, seed: bytes | None = None) -> None:
        super().__init__(seed=seed)
        self.token_secret = made_up_secret("token", seed)

    def source(self, name: str) -> Source:
        """A source that accepts this sender's requests and reads its tokens."""
        source = super().source(name)
        return msgspec.structs.replace(source, options={TOKEN_SECRETS.name: (Secret(self.token_secret),)})

    def speaking_as(self, source: Source) -> Self:
        """A sender with this source's first secret and first token secret."""
        speaking = super().speaking_as(source)
        if secrets := read_mail_options(source).token_secrets:
            speaking.token_secret = secrets[0].reveal()
        return speaking

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One request for each event."""
        return [self.posted(sample_mail(event, token_secret=self.token_secret), now=now) for event in events]

    @abstractmethod
    def posted(self, message: bytes, *, now: datetime) -> WebhookRequest:
        """The POST of any mail."""


class _BasicSender(MailSender):
    def make_secret(self, made_up: str) -> str:
        """User and password."""
        return f"mail:{made_up}"

    def basic(self) -> dict[str, str]:
        """The header that shows them."""
        return basic(self.secret)


class MailSamples(_BasicSender):
    """A mail server that pipes what it gets to curl."""

    provider: ClassVar[str] = "mail"

    def posted(self, message: bytes, *, now: datetime) -> WebhookRequest:
        """The mail itself is the body."""
        del now  # nothing in a request says when it was sent
        headers = {**self.basic(), SENDER_HEADER: "<>", RECIPIENT_HEADER: f"<{BOUNCE_ADDRESS}>"}
        return post(self.provider, message, headers, content_type=MAIL_CONTENT_TYPE)


class PostmarkInboundSamples(_BasicSender):
    """Postmark with RawEmail switched on."""

    provider: ClassVar[str] = "postmark_inbound"

    def posted(self, message: bytes, *, now: datetime) -> WebhookRequest:
        """JSON with the mail in RawEmail."""
        return self.posted_values(
            {
                "FromFull": {"Email": "mailer-daemon@mx.example.net", "Name": "", "MailboxHash": ""},
                "ToFull": [{"Email": BOUNCE_ADDRESS, "Name": "", "MailboxHash": ""}],
                "OriginalRecipient": BOUNCE_ADDRESS,
                "Subject": "Report",
                "MessageStream": "inbound",
                "MessageID": blake2b(message, digest_size=16).hexdigest(),
                "Date": iso_time(now),
                "TextBody": "This is the mail system.",
                "HtmlBody": "",
                "RawEmail": message.decode("utf-8", "replace"),
                "Headers": [{"Name": "Return-Path", "Value": "<>"}],
                "Attachments": [],
            }
        )

    def posted_values(self, values: Mapping[str, Any]) -> WebhookRequest:
        """The POST of these values."""
        return post(self.provider, json.dumps(values).encode(), self.basic())


class SendGridInboundSamples(_BasicSender):
    """SendGrid with the raw, full MIME message switched on."""

    provider: ClassVar[str] = "sendgrid_inbound"

    def posted(self, message: bytes, *, now: datetime) -> WebhookRequest:
        """A form in parts with the mail in `email`."""
        del now  # nothing in a request says when it was sent
        return self.posted_fields(
            {
                "email": message,
                "to": BOUNCE_ADDRESS.encode(),
                "from": b"Mail Delivery System <MAILER-DAEMON@mx.example.net>",
                "sender_ip": b"192.0.2.20",
                "envelope": json.dumps({"to": [BOUNCE_ADDRESS], "from": ""}).encode(),
                "dkim": b"none",
                "SPF": b"none",
                "charsets": b'{"to":"UTF-8","from":"UTF-8"}',
            }
        )

    def posted_fields(self, fields: Mapping[str, bytes]) -> WebhookRequest:
        """The POST of these fields."""
        return post(self.provider, multipart_body(fields), self.basic(), content_type=multipart_type())


class MailgunInboundSamples(MailSender):
    """A Mailgun route that forwards to a URL that ends in mime."""

    provider: ClassVar[str] = "mailgun_inbound"

    def posted(self, message: bytes, *, now: datetime) -> WebhookRequest:
        """A form in parts with the mail in `body-mime`, signed at `now`."""
        return self.posted_fields(
            {
                "recipient": BOUNCE_ADDRESS.encode(),
                "sender": b"",
                "from": b"Mail Delivery System <MAILER-DAEMON@mx.example.net>",
                "subject": b"Report",
                "body-mime": message,
            },
            now=now,
        )

    def posted_fields(self, fields: Mapping[str, bytes], *, now: datetime, token: str = "") -> WebhookRequest:
        """The POST of these fields beside a signature made at `now`."""
        timestamp = str(int(now.timestamp()))
        token = token or blake2b(b"".join(fields.values()), digest_size=25).hexdigest()
        signature = hex_hmac(self.secret, f"{timestamp}{token}".encode())
        proof = {"timestamp": timestamp.encode(), "token": token.encode(), "signature": signature.encode()}
        return post(self.provider, multipart_body({**fields, **proof}), {}, content_type=multipart_type())


class AmazonSesInboundSamples(AmazonSesSamples):
    """An SES receipt rule whose SNS action publishes mail, in a topic of its own."""

    provider: ClassVar[str] = "amazon_ses_inbound"

    def __init__(self, *, private_key_pem: bytes | None = None, seed: bytes | None = None) -> None:
        super().__init__(private_key_pem=private_key_pem)
        self.token_secret = made_up_secret("token", seed)

    def source(self, name: str) -> Source:
        """A source that lists this sender's topic, pins its certificate and reads its tokens."""
        source = super().source(name)
        return msgspec.structs.replace(
            source, options={**source.options, TOKEN_SECRETS.name: (Secret(self.token_secret),)}
        )

    def requests(self, events: Sequence[SampleEvent], *, now: datetime) -> list[WebhookRequest]:
        """One signed notification for each event."""
        return [self.posted(sample_mail(event, token_secret=self.token_secret), now=now) for event in events]

    def posted(self, message: bytes, *, now: datetime, in_base64: bool = True, dkim: str = "GRAY") -> WebhookRequest:
        """The notification of a received mail."""
        content = base64.b64encode(message).decode() if in_base64 else message.decode("utf-8", "replace")
        return self.posted_values(received_values(content, now=now, dkim=dkim), now=now)

    def posted_values(self, values: Mapping[str, Any], *, now: datetime) -> WebhookRequest:
        """The notification of any values."""
        request = self.notification(json.dumps(values), now=now)
        return msgspec.structs.replace(request, path=f"/webhooks/{self.provider}")


def received_values(content: str, *, now: datetime, dkim: str) -> dict[str, Any]:
    """What SES writes about a mail that it received."""
    return {
        "notificationType": "Received",
        "mail": {
            "timestamp": iso_time(now),
            "source": "",
            "messageId": blake2b(content.encode("utf-8", "replace"), digest_size=16).hexdigest(),
            "destination": [BOUNCE_ADDRESS],
            "headersTruncated": False,
            "headers": [{"name": "Return-Path", "value": "<>"}],
        },
        "receipt": {
            "timestamp": iso_time(now),
            "processingTimeMillis": 22,
            "recipients": [BOUNCE_ADDRESS],
            "spamVerdict": {"status": "PASS"},
            "virusVerdict": {"status": "PASS"},
            "spfVerdict": {"status": "PASS"},
            "dkimVerdict": {"status": dkim},
            "dmarcVerdict": {"status": "GRAY"},
            "action": {
                "type": "SNS",
                "topicArn": "arn:aws:sns:eu-west-1:000000000000:mail-feedback",
                "encoding": "BASE64",
            },
        },
        "content": content,
    }


def multipart_type() -> str:
    """The content type of `multipart_body`."""
    return f"multipart/form-data; boundary={_BOUNDARY}"


def multipart_body(fields: Mapping[str, bytes]) -> bytes:
    """The fields as a form in parts."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in fields.items()
    ]
    return b"".join([*parts, f"--{_BOUNDARY}--\r\n".encode()])


SENDERS = (
    MailSamples,
    PostmarkInboundSamples,
    SendGridInboundSamples,
    MailgunInboundSamples,
    AmazonSesInboundSamples,
)
