"""One received mail, with what the receiving machines know and the mail itself cannot prove."""

from msgspec import Struct


class ReceivedMail(Struct, frozen=True, kw_only=True):
    """The raw bytes and what only SMTP knows, filled in by the code for each way of arrival.

    `message` may be forged; the other fields must be the receiver's own knowledge.
    """

    message: bytes  # the whole mail as RFC 5322 writes it, headers and body
    envelope_recipient: str | None = None  # RCPT TO: the address that the report was sent to
    envelope_sender: str | None = None  # MAIL FROM; "" is the null sender of bounces, None is not known
    dkim_pass: tuple[str, ...] = ()  # the d= domains whose signature someone that the operator trusts verified
