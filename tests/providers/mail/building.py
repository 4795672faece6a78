"""Mails for tests, and the reading of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from schemas.envelope import Envelope, new_delivery_id
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from worker.providers.mail.mail_events import read_mail
from worker.providers.mail.mail_token import make_token, make_verp_sender
from worker.providers.mail.options import read_mail_options
from worker.providers.mail.received_mail import ReceivedMail

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
KEY = "a-key-of-thirty-two-characters-!"
JANE = "jane@example.org"
DATE = "Wed, 04 Mar 2026 11:00:00 +0000"

VERIFIED: dict[str, Any] = {"token_secrets": (Secret(KEY),), "bounce_domain": "bounce.example.com"}
ALL: dict[str, Any] = {"accept_reports": "all", "bounce_domain": "bounce.example.com"}


def token(address: str = JANE, **fields: str) -> str:
    return make_token(address, secret=KEY, **fields)


def verp(address: str = JANE) -> str:
    sender = make_verp_sender(address, secret=KEY, bounce_domain="bounce.example.com")
    assert sender is not None
    return sender


def read(
    message: str | bytes, *, options: Mapping[str, Any] = VERIFIED, account: str = "default", **received: Any
) -> list[FeedbackEvent]:
    """The events of a mail at a source with these options; `received` are further fields of ReceivedMail."""
    content = message if isinstance(message, bytes) else message.encode()
    envelope = Envelope(
        delivery_id=new_delivery_id(),
        source="loops",
        provider="mail",
        account=account,
        received_at=NOW,
        content_type="message/rfc822",
        headers={},
        body=content,
    )
    source = Source(name="loops", provider="mail", options=dict(options))
    return read_mail(ReceivedMail(message=content, **received), envelope, read_mail_options(source))


def read_one(message: str | bytes, **others: Any) -> FeedbackEvent:
    (event,) = read(message, **others)
    return event


def header(**fields: str) -> str:
    """Header lines; underscores in names stand for hyphens."""
    return "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items())


def mail(body: str, *, content_type: str = "text/plain; charset=utf-8", top: str = "", **fields: str) -> str:
    """A mail; `top` are header lines above all others."""
    given = {"From": "Mail Delivery System <mailer-daemon@mx.example.net>", "To": "b@bounce.example.com", "Date": DATE}
    given |= {"Subject": "Hello", "Message_ID": "<outer@mx.example.net>", **fields}
    return f"{top}{header(**given)}Content-Type: {content_type}\n\n{body}"


def multipart(parts: Sequence[tuple[str, str]], *, kind: str = "multipart/report", top: str = "", **fields: str) -> str:
    """A mail of parts, each its content type (with further header lines, if any) and its text."""
    body = "".join(f"--edge\nContent-Type: {content_type}\n\n{text}\n" for content_type, text in parts)
    return mail(f"{body}--edge--\n", content_type=f'{kind}; boundary="edge"', top=top, **fields)


def returned(**fields: str) -> str:
    """The header of a mail of ours."""
    given = {"From": "news@example.com", "To": JANE, "Subject": "News", "Message_ID": "<sent-1@news.example.com>"}
    return header(**{**given, **fields})


def arf(
    fields: str = "",
    *,
    feedback_type: str = "abuse",
    original: str | None = None,
    original_type: str = "text/rfc822-headers",
    kind: str = 'multipart/report; report-type="feedback-report"',
    **outer: str,
) -> str:
    """A feedback loop's report in its usual form."""
    report = f"Feedback-Type: {feedback_type}\nUser-Agent: Loop/1.0\nVersion: 1\n{fields}"
    copy = returned(X_Bouncekeeper_Token=token()) if original is None else original
    parts = [("text/plain", "A report."), ("message/feedback-report", report), (original_type, copy)]
    return multipart(parts, kind=kind, **{"From": "Loop <fbl@loop.example.net>", "Subject": "Abuse report", **outer})


def dsn(
    *recipients: str,
    message: str = "Reporting-MTA: dns; mx.example.net\n",
    notice: str = "I am sorry.",
    original: str | None = None,
    machine_type: str = "message/delivery-status",
    **outer: str,
) -> str:
    """A delivery status notification; each of `recipients` is a group of fields."""
    copy = returned(X_Bouncekeeper_Token=token()) if original is None else original
    fields = "\n".join([message, *recipients])
    parts = [("text/plain; charset=utf-8", notice), (machine_type, fields)]
    parts += [("text/rfc822-headers", copy)] if copy else []
    return multipart(parts, kind="multipart/report; report-type=delivery-status", **outer)


def group(
    address: str = f"rfc822; {JANE}", action: str = "failed", status: str = "5.1.1", code: str = "", **more: str
) -> str:
    """The fields of one recipient of a notification."""
    fields = {"Final_Recipient": address, "Action": action, "Status": status, "Diagnostic_Code": code, **more}
    return header(**{name: value for name, value in fields.items() if value})
