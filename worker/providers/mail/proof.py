"""Why a report is believed: it has our own token, a known reporter signed it, or the operator believes all reports.

A token proves that the author of the report has seen a mail of ours to that one address, and nothing about any other
address. So the event gets the token's address, whatever the report says; and in a report about several recipients the
token covers one. If two tokens name different people, somebody has made the report up: neither is believed.

A signature proves who wrote the report, but not that the mail in it is ours: anybody can send a mail of his own to his
own mailbox, complain, and pass the genuine report on. Such a report is not addressed to one of `report_addresses`;
without these, only what the reporter itself wrote is believed. A signature covers only the fields that it names: an
added To proves nothing, and the parts of the mail must be those of the signed body.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from worker.providers.mail.authentication_results import dkim_domains
from worker.providers.mail.dkim_verdict import passed_named, signed_fields
from worker.providers.mail.known_reporters import believed_reporter
from worker.providers.mail.mail_part import Headers, MailPart, read_headers
from worker.providers.mail.mail_text import addresses_in
from worker.providers.mail.mail_token import MailToken, genuine_tokens
from worker.providers.mail.options import MailOptions
from worker.providers.mail.received_mail import ReceivedMail
from worker.providers.mail.report import Report

TOKEN_HEADER = "x-bouncekeeper-token"  # noqa: S105 - the name of a header
# The fields in which servers write the recipient of a mail.
ADDRESSED_FIELDS = ("to", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "apparently-to", "x-rcpt-to")


class Proof(Struct, frozen=True, kw_only=True):
    """The reasons to believe a report."""

    token: MailToken | None = None
    token_via: str = ""  # the place of the token
    tokens_disagree: bool = False
    reporter: str | None = None  # the entry of known_reporters whose signature was verified
    trusts_returned: bool = False  # the returned mail is certainly ours, and unchanged


def find_proof(mail: ReceivedMail, part: MailPart, report: Report, options: MailOptions) -> Proof:
    """The reasons to believe the report, or not to believe it."""
    tokens: list[tuple[str, MailToken]] = []
    if options.token_secrets:
        for via, text in _places(mail, part, report):
            tokens += [(via, token) for token in genuine_tokens(text, options.token_secrets)]
    # A server's "pass" may be for a signature that covers only the beginning of the body (l=), so that anything may
    # have been appended.
    domains = passed_named(mail.message, dkim_domains(part.headers, options.authentication_results_from))
    passed = (*mail.dkim_pass, *domains)
    reporter = believed_reporter(part.headers, passed, options.known_reporters)
    if reporter is not None:
        covered = signed_fields(mail.message, passed)
        strays = options.report_addresses and not _signed_addresses(part, covered) & options.report_addresses
        if strays or not _has_signed_parts(part, covered):
            reporter = None
    # A token without an account, for which an envelope sender may have no room, does not contradict one with it.
    via, token = next((found for found in tokens if found[1].account is not None), tokens[0] if tokens else ("", None))
    accounts = {found.account for _, found in tokens if found.account is not None}
    return Proof(
        token=token,
        token_via=via,
        tokens_disagree=len({found.address for _, found in tokens}) > 1 or len(accounts) > 1,
        reporter=reporter,
        trusts_returned=options.accepts_all or (reporter is not None and bool(options.report_addresses)),
    )


def _signed_addresses(part: MailPart, covered: frozenset[str]) -> set[str]:
    """The addresses to which the mail is sent, by fields that nobody can have added to the signed mail."""
    return {
        address
        for name in ("to", "cc")
        if name in covered and len(part.headers.all(name)) == 1
        for address in addresses_in(part.headers.get(name))
    }


def _has_signed_parts(part: MailPart, covered: frozenset[str]) -> bool:
    """True if the mail has the parts that its signer made, and no others."""
    if "content-type" in covered and len(part.headers.all("content-type")) == 1:
        return True
    first = part.first_boundary()
    if first is None:
        return part.content_type.startswith("text/") and "report-type" not in part.parameters
    return part.content_type.startswith("multipart/") and part.parameters.get("boundary", "").encode() == first


def _places(mail: ReceivedMail, part: MailPart, report: Report) -> Iterator[tuple[str, str]]:
    """The places where tokens may be, the most reliable first: the name of the place in events, and its text."""
    returned, fields = report.returned, _report_fields(report)
    yield from (("token_header", value) for value in returned.all(TOKEN_HEADER)[:3])
    # White space has no meaning in these, and long ones are folded (RFC 9477, 3.3).
    yield from (("cfbl_feedback_id", re.sub(r"\s", "", value)) for value in returned.all("cfbl-feedback-id")[:3])
    yield from (("list_unsubscribe", re.sub(r"\s", "", value)) for value in returned.all("list-unsubscribe")[:3])
    yield from (("verp", value) for value in (*returned.all("return-path")[:3], *fields.all("original-mail-from")[:3]))
    yield "verp", mail.envelope_recipient or ""
    for name in ADDRESSED_FIELDS:
        yield from (("verp", value) for value in part.headers.all(name)[:3])
    yield "message_id", sent_message_id(report)
    yield "envelope_id", fields.get("original-envelope-id")


def sent_message_id(report: Report) -> str:
    """The Message-ID of the mail that a report is about; "" if it has none. Gmail's bounces have it twice."""
    stated = report.returned.get("message-id") or _report_fields(report).get("x-original-message-id")
    return stated.strip(" <>")


def _report_fields(report: Report) -> Headers:
    return read_headers(report.fields.lstrip("\n").encode("utf-8", "replace"))[0]
