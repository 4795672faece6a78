"""Finds the recipient of a report without a token: as the reporter names it, or as the returned mail shows it.

Feedback loops redact addresses (RFC 6590): a hash or a word for "redacted" never counts as an address.
"""

import re
from collections.abc import Iterator

from worker.providers.mail.mail_part import Headers, read_headers
from worker.providers.mail.mail_text import addresses_in, is_blacked_out
from worker.providers.mail.named_recipients import is_role
from worker.providers.mail.options import MailOptions
from worker.providers.mail.report import Report, ReportEntry

# Fields that receiving servers write into a mail, the most reliable first.
_RETURNED_FIELDS = (
    "x-hmxmroriginalrecipient",
    "delivered-to",
    "x-delivered-to",
    "envelope-to",
    "x-envelope-to",
    "x-original-to",
    "x-apparently-to",  # Yahoo
    "x-rcpt-to",
)
_RECEIVED_FOR = re.compile(r"\bfor\s+<?([^\s<>;]{3,320})>?", re.IGNORECASE)
_MOST_FIELDS = 5


def find_recipient(
    entry: ReportEntry, report: Report, options: MailOptions, *, envelope_recipient: str | None, trusts_returned: bool
) -> tuple[str | None, str]:
    """The address and the place where it was found; (None, "") without one.

    The returned mail counts only if `trusts_returned`, because anybody can write one.
    """
    for address, via in _candidates(entry, report, options, envelope_recipient, trusts_returned=trusts_returned):
        if report.redactable and (is_blacked_out(address) or is_role(address)):
            continue
        return address, via
    return None, ""


def _candidates(
    entry: ReportEntry, report: Report, options: MailOptions, envelope_recipient: str | None, *, trusts_returned: bool
) -> Iterator[tuple[str, str]]:
    returned = report.returned
    fields: Headers = read_headers(report.fields.lstrip("\n").encode("utf-8", "replace"))[0]
    if trusts_returned and options.bounce_domain and len(report.entries) == 1:
        places = (returned.get("return-path"), fields.get("original-mail-from"), envelope_recipient or "")
        yield from _unsigned_verp(places, options)
    report_recipients = entry.recipients
    if report.redactable and len(report_recipients) > 1:
        # A feedback loop may list all recipients of the mail, and not all of them complained.
        recipients_of_original = addresses_in(returned.get("to")) if trusts_returned else []
        for address in report_recipients:
            if recipients_of_original == [address]:
                yield address, "report"
        return
    for address in report_recipients:
        yield address, "report"
    if trusts_returned and len(report.entries) == 1:
        yield from _from_returned(returned, fields)


def _from_returned(returned: Headers, fields: Headers) -> Iterator[tuple[str, str]]:
    """The addresses in the header of the returned mail, with the names of their places."""
    for name in _RETURNED_FIELDS:
        for value in returned.all(name)[:_MOST_FIELDS]:
            yield from ((address, name) for address in addresses_in(value)[:1])
    for value in returned.all("received")[:_MOST_FIELDS]:
        if match := _RECEIVED_FOR.search(value):
            yield from ((address, "received") for address in addresses_in(match.group(1)))
    recipients_of_original = addresses_in(" ".join((*returned.all("to"), *returned.all("cc"))))
    local = fields.get("redacted-address").strip().rstrip("@").lower()
    domains = {address.rpartition("@")[2] for address in recipients_of_original}
    if (
        local and "@" not in local and len(domains) == 1
    ):  # AOL tells the local part; the domain is the original recipient's
        yield from ((address, "redacted_address") for address in addresses_in(f"{local}@{domains.pop()}"))
    if len(recipients_of_original) == 1:
        yield recipients_of_original[0], "to"


def _unsigned_verp(places: tuple[str, ...], options: MailOptions) -> Iterator[tuple[str, str]]:
    """The address in `bounce+jane=example.org@bounce_domain`, which many senders write without a signature."""
    for place in places:
        for sender in addresses_in(place):
            local, _, domain = sender.rpartition("@")
            _, separator, encoded = local.partition(options.verp_separator)
            if domain == options.bounce_domain and separator and "=" in encoded:
                mailbox, _, host = encoded.rpartition("=")
                yield from ((address, "unsigned_verp") for address in addresses_in(f"{mailbox}@{host}"))
