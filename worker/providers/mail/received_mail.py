"""One mail as it came in, with what the machines that took it know and the mail itself cannot prove."""

from msgspec import Struct


class ReceivedMail(Struct, frozen=True, kw_only=True):
    """Raw bytes and what only SMTP knew; the part that takes the mail in fills this, for every way of arrival.

    What is in `message` may be forged; the other fields must be the taker's own knowledge.
    """

    message: bytes  # the whole mail as RFC 5322 writes it, headers and body
    envelope_recipient: str | None = None  # RCPT TO: the address that the report was sent to
    envelope_sender: str | None = None  # MAIL FROM; "" is the null sender of bounces, None is not known
    dkim_pass: tuple[str, ...] = ()  # the d= domains whose signature someone that the operator trusts verified
