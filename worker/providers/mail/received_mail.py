"""A received mail, with what its receiver knows about it and the mail itself cannot prove."""

from msgspec import Struct


class ReceivedMail(Struct, frozen=True, kw_only=True):
    """The raw bytes, and what only SMTP tells.

    `message` may be forged. Each way of arrival fills in the other fields from what the receiver itself knows.
    """

    message: bytes  # the whole mail as RFC 5322 writes it, headers and body
    envelope_recipient: str | None = None  # RCPT TO: the address that the report was sent to
    envelope_sender: str | None = None  # MAIL FROM; "" is the null sender of bounces, None is unknown
    dkim_pass: tuple[str, ...] = ()  # the d= domains of signatures that the operator's own server or vendor verified
