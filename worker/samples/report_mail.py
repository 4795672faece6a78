"""The mails of a make-believe mail server: bounces (RFC 3464), complaints (RFC 5965), and what is neither."""

from datetime import datetime
from email.utils import format_datetime

from msgspec import Struct

REPORTER = "mailer-daemon@mx.example.net"
_BOUNDARY = "=_report"


class SentMail(Struct, frozen=True, kw_only=True):
    """What is known of a mail of ours that a report is about."""

    recipient: str
    message_id: str
    token: str = ""  # "" for a sender who has none
    sender: str = "b@bounce.example.com"  # of the envelope

    def header(self) -> str:
        """Its header, as a report returns it."""
        lines = [
            f"Return-Path: <{self.sender}>",
            "From: News <news@example.com>",
            f"To: {self.recipient}",
            "Subject: What is new",
            f"Message-ID: <{self.message_id}>",
        ]
        if self.token:
            lines.insert(0, f"X-Bouncekeeper-Token: {self.token}")
        return "\n".join(lines) + "\n"


def bounce_mail(
    sent: SentMail,
    *,
    action: str,
    when: datetime,
    status: str = "",
    diagnostic: str = "",
    remote_server: str = "mx1.example.org",
) -> bytes:
    """A delivery status notification about one recipient."""
    fields = [
        "Reporting-MTA: dns; mx.example.net",
        "",
        f"Final-Recipient: rfc822; {sent.recipient}",
        f"Action: {action}",
        f"Status: {status or ('2.0.0' if action == 'delivered' else '5.0.0')}",
        f"Remote-MTA: dns; {remote_server}",
        *([f"Diagnostic-Code: smtp; {diagnostic}"] if diagnostic else []),
        f"Last-Attempt-Date: {format_datetime(when)}",
    ]
    return _report(
        sent,
        when=when,
        report_type="delivery-status",
        reporter=REPORTER,
        subject="Delivery Status Notification",
        words=f"<{sent.recipient}>: {action} {diagnostic}",
        fields="\n".join(fields),
    )


def complaint_mail(sent: SentMail, *, feedback_type: str, when: datetime, named: bool = True) -> bytes:
    """A feedback loop's report about one mail; `named`: it tells the recipient, which many loops do not."""
    fields = [f"Feedback-Type: {feedback_type}", "User-Agent: MakeBelieveLoop/1.0", "Version: 1"]
    if named:
        fields.append(f"Original-Rcpt-To: <{sent.recipient}>")
    return _report(
        sent,
        when=when,
        report_type="feedback-report",
        reporter="feedback@loop.example.net",
        subject="Abuse report",
        words="This is a report about a mail from your server.",
        fields="\n".join(fields),
    )


def plain_mail(sent: SentMail, *, subject: str, words: str, when: datetime, to: str, header: str = "") -> bytes:
    """A mail that a person, or a person's mailbox, writes."""
    return (
        f"From: {sent.recipient}\nTo: <{to}>\nSubject: {subject}\nDate: {format_datetime(when)}\n"
        f"Message-ID: <reply-to-{sent.message_id}>\n{header}\n{words}\n"
    ).encode()


def _report(
    sent: SentMail, *, when: datetime, report_type: str, reporter: str, subject: str, words: str, fields: str
) -> bytes:
    machine_type = f"message/{report_type}"
    parts = [("text/plain", words), (machine_type, fields), ("text/rfc822-headers", sent.header())]
    body = "".join(f"--{_BOUNDARY}\nContent-Type: {content_type}\n\n{text}\n" for content_type, text in parts)
    return (
        f"From: {reporter}\nTo: <{sent.sender}>\nSubject: {subject}\nDate: {format_datetime(when)}\n"
        f"Message-ID: <report-on-{sent.message_id}>\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={report_type}; boundary="{_BOUNDARY}"\n\n'
        f"{body}--{_BOUNDARY}--\n"
    ).encode()
