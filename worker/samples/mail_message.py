"""Mails as reporters write them: bounces (RFC 3464) and complaints (RFC 5965) about a mail that carries our token."""

from email.utils import format_datetime
from hashlib import blake2b

from schemas.vocabulary import Cause, Kind
from worker.providers.mail.mail_token import make_token, make_verp_sender
from worker.samples.posting import made_up_id
from worker.samples.sample import SampleEvent
from worker.samples.server_reply import ServerReply, reply_for

BOUNCE_ADDRESS = "bounces@example.org"
TOKEN_FIELD = "X-Bouncekeeper-Token"  # noqa: S105 - the name of a header
_ACTIONS = {Kind.DELIVERED: "delivered", Kind.DEFERRED: "delayed", Kind.OTHER: "relayed"}
_SUCCESS = ServerReply(smtp_code=250, enhanced_status="2.0.0", text="OK")
_FEEDBACK_TYPES = {Kind.COMPLAINT: "abuse", Kind.UNSUBSCRIBE: "opt-out"}
_BOUNCE_DOMAIN = "bounce.example.org"


def sample_mail(event: SampleEvent, *, token_secret: str) -> bytes:
    """The mail that reports the event: a complaint or opt-out as ARF, anything else as a delivery status."""
    if event.kind in _FEEDBACK_TYPES:
        feedback_type = "fraud" if event.cause is Cause.FRAUD_REPORT else _FEEDBACK_TYPES[event.kind]
        return feedback_report(event, feedback_type, token_secret=token_secret)
    if event.cause is Cause.AUTO_REPLY:
        return auto_reply(event, token_secret=token_secret)
    return delivery_status(event, _ACTIONS.get(event.kind, "failed"), token_secret=token_secret)


def feedback_report(event: SampleEvent, feedback_type: str, *, token_secret: str, dated: bool = True) -> bytes:
    """A feedback loop's report of this type."""
    date = format_datetime(event.occurred_at)
    fields = [f"Feedback-Type: {feedback_type}", "User-Agent: SampleLoop/1.0", "Version: 1"]
    if dated:
        fields.append(f"Arrival-Date: {date}")
    return _mail(
        event,
        headers=[
            "From: Feedback loop <loop@fbl.example>",
            "Subject: Abuse report",
            *([f"Date: {date}"] if dated else []),
        ],
        report_type="feedback-report",
        notice="Somebody pressed the button.",
        report="\r\n".join(fields),
        token_secret=token_secret,
    )


def delivery_status(event: SampleEvent, action: str, *, token_secret: str, dated: bool = True) -> bytes:
    """A mail server's notice of this Action."""
    date = format_datetime(event.occurred_at)
    reply = reply_for(event) or _SUCCESS
    fields = [
        f"Final-Recipient: rfc822; {event.address}",
        f"Action: {action}",
        f"Status: {reply.enhanced_status}",
        f"Diagnostic-Code: smtp; {reply.line}",
    ]
    if dated:
        fields.append(f"Last-Attempt-Date: {date}")
    return _mail(
        event,
        headers=[
            "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>",
            "Subject: Delivery status",
            "Auto-Submitted: auto-replied",
            *([f"Date: {date}"] if dated else []),
        ],
        report_type="delivery-status",
        notice="This is the mail system.",
        report="\r\n".join(["Reporting-MTA: dns; mx.example.net", "", *fields]),
        token_secret=token_secret,
    )


def auto_reply(event: SampleEvent, *, token_secret: str) -> bytes:
    """What a person's mailbox answers by itself, to the address that bounces come to as well."""
    lines = [
        f"From: {event.address}",
        f"To: <{_bounces_to(event, token_secret)}>",
        "Subject: Automatic reply: Hello",
        f"Date: {format_datetime(event.occurred_at)}",
        f"Message-ID: <reply-{made_up_id(event)}@mx.example.net>",
        "Auto-Submitted: auto-replied",
        "",
        "I am away until Monday.",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "replace")


def _bounces_to(event: SampleEvent, token_secret: str) -> str:
    """The envelope sender of our mail to the event's address."""
    return make_verp_sender(event.address, secret=token_secret, bounce_domain=_BOUNCE_DOMAIN) or BOUNCE_ADDRESS


def _mail(
    event: SampleEvent, *, headers: list[str], report_type: str, notice: str, report: str, token_secret: str
) -> bytes:
    boundary = blake2b(made_up_id(event).encode(), digest_size=12).hexdigest()
    part = {"feedback-report": "message/feedback-report", "delivery-status": "message/delivery-status"}[report_type]
    token = make_token(event.address, secret=token_secret)
    lines = [
        *headers,
        f"To: {BOUNCE_ADDRESS}",
        f"Message-ID: <{boundary}@mx.example.net>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={report_type}; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        "",
        notice,
        "",
        f"--{boundary}",
        f"Content-Type: {part}",
        "",
        report,
        "",
        f"--{boundary}",
        "Content-Type: text/rfc822-headers",
        "",
        f"Return-Path: <{_bounces_to(event, token_secret)}>",
        "From: News <news@example.org>",
        f"To: {event.address}",
        "Subject: Hello",
        f"Message-ID: <{event.message_id}@example.org>",
        f"{TOKEN_FIELD}: {token}",
        "",
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "replace")
