"""Bounces in prose, from servers that follow no RFC: read by the detectors of flufl.bounce and by our own tables.

flufl.bounce (https://fluflbounce.readthedocs.io) knows the forms of qmail, Exim, Exchange, GroupWise, Yahoo and some
seventy others. It tells the recipients, and whether the server will try again, but not the reason: that is read from
the words that the bounce quotes. It gets a short, decoded copy of the mail, without the returned mail, whose body it
would read as well.
"""

import logging
import re
from collections.abc import Collection
from email.message import Message

from flufl.bounce import all_failures

from schemas.address import normalise_address
from schemas.vocabulary import Kind
from worker.providers.classification.failure import classify
from worker.providers.mail.bounce_signs import has_bounce_subject, looks_like_bounce
from worker.providers.mail.mail_part import RETURNED_TYPES, Headers, MailPart
from worker.providers.mail.mail_text import addresses_in, html_as_text, mail_time
from worker.providers.mail.named_recipients import named_recipients, senders_of
from worker.providers.mail.quoted_words import notice_and_copy, prose_of, returned_headers, words_about
from worker.providers.mail.report import Report, ReportEntry

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it logs each detector that it tries or that fails

_MOST_RECIPIENTS = 50
# The detectors' patterns take time with the square of a line's length.
_LONGEST_LINE = 200
_MOST_CHARACTERS = 24_000
_MOST_LINES = 1_500
_READ_BY_DETECTORS = ("subject", "x-mailer", "content-description")
_NOBODY = "nobody@sender.invalid"  # one of them fails at a From field without an address

_STILL_TRYING = re.compile(
    r"will (?:keep|be) (?:re)?tr(?:y|ied)|will be retried|still (?:being retried|trying)|no action is required"
    r"|this is (?:just )?a warning|not yet been delivered|has been delayed|has been postponed|advisory-only",
    re.IGNORECASE,
)


def read_prose_bounce(mail: MailPart, *, null_sender: bool) -> Report | None:
    """The report of a bounce in prose; None for another mail.

    `null_sender`: its envelope had no sender, as all messages of servers, and the replies of some people. The entry
    names nobody if the mail is clearly a bounce, but does not say for whom.
    """
    is_bounce = looks_like_bounce(mail, null_sender=null_sender)
    if not (is_bounce or null_sender):
        return None  # a person who quotes a bounce
    notice, copied = notice_and_copy(prose_of(mail))
    returned: Headers = returned_headers(mail) or copied
    ours = senders_of(mail, returned)
    temporary, permanent = ([address for address in found if address not in ours] for found in _detected(mail, notice))
    if not (temporary or permanent or is_bounce):
        return None
    final = dict.fromkeys(permanent, True) | {address: False for address in temporary if address not in permanent}
    if not final and is_bounce:
        goes_on = _STILL_TRYING.search(notice) is not None
        final = {address: not goes_on for address in named_recipients(notice, returned) if address not in ours}
    if final:
        entries = [_entry(mail, notice, address, final=is_final, others=final) for address, is_final in final.items()]
    else:
        words = words_about(notice, None)
        if words is None and not has_bounce_subject(mail):
            return None
        # The recipient of the returned mail only helps to find the words about it. It is not believed to be the one
        # that failed.
        original_recipient = next(
            (address for address in addresses_in(returned.get("to")) if address in notice.lower()), None
        )
        words = words or words_about(notice, original_recipient)
        entries = [_entry(mail, notice, None, final=not _STILL_TRYING.search(notice), words=words)]
    return Report(entries=tuple(entries[:_MOST_RECIPIENTS]), returned=returned)


def _entry(
    mail: MailPart,
    notice: str,
    address: str | None,
    *,
    final: bool,
    words: str | None = None,
    others: Collection[str] = (),
) -> ReportEntry:
    diagnostic = words or words_about(notice, address, others=[other for other in others if other != address])
    failure = classify(smtp_code=None, enhanced_status=None, diagnostic=diagnostic, permanent=final, recipient=address)
    return ReportEntry(
        what="bounce/failed" if final else "bounce/delayed",
        kind=failure.kind if final else Kind.DEFERRED,
        cause=failure.cause,
        recipients=(address,) if address else (),
        failure=failure,
        diagnostic=diagnostic,
        occurred_at=mail_time(mail.headers.get("date")),
    )


def _detected(mail: MailPart, notice: str) -> tuple[list[str], list[str]]:
    """The addresses that the server still tries, and those that failed, both sorted. All of them are in the notice.

    The detectors read a copy in ASCII, and some of them read the returned mail as well.
    """
    try:
        temporary, permanent = all_failures(_for_detectors(mail, [_MOST_CHARACTERS]))
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError):
        return [], []  # a detector did not expect such a mail: our own tables still apply
    notice_addresses = {*addresses_in(notice), *addresses_in(mail.headers.get("x-failed-recipients"))}
    return _addresses(temporary, notice_addresses), _addresses(permanent, notice_addresses)


def _addresses(found: frozenset[bytes] | set[bytes], notice_addresses: set[str]) -> list[str]:
    addresses = {normalise_address(address.decode("ascii", "replace")) for address in found}
    return sorted(address for address in addresses if address in notice_addresses)


def _for_detectors(part: MailPart, characters_left: list[int]) -> Message:
    message = Message()
    sender = next(iter(addresses_in(part.headers.get("from"))), _NOBODY)
    message["from"] = sender if sender.isascii() else _NOBODY
    failed_recipients = [
        address for address in addresses_in(part.headers.get("x-failed-recipients")) if address.isascii()
    ]
    if failed_recipients:
        message["x-failed-recipients"] = ", ".join(failed_recipients)
    for name in _READ_BY_DETECTORS:
        if value := part.headers.get(name):
            message[name] = value.encode("ascii", "replace").decode()[:2_000]
    if part.parts and part.content_type not in RETURNED_TYPES:
        message["content-type"] = f"{part.content_type}; boundary=part"
        message.set_payload([_for_detectors(inner, characters_left) for inner in part.parts])
        return message
    message["content-type"] = "text/plain" if part.content_type == "text/html" else part.content_type
    if part.content_type.startswith("text/") and part.content_type not in RETURNED_TYPES:
        text = html_as_text(part.text()) if part.content_type == "text/html" else part.text()
        short = "\n".join(line[:_LONGEST_LINE] for line in text[: characters_left[0]].split("\n")[:_MOST_LINES])
        characters_left[0] -= len(short)
        message.set_payload(short.encode("ascii", "replace").decode())
    else:
        message.set_payload("")
    return message
