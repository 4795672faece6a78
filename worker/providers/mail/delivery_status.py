"""Bounces that follow the RFC: delivery status notifications (RFC 3464, RFC 6533), and those that nearly do.

The Action of each recipient says whether the failure is final, never the first digit of its Status. The codes and the
server's words decide what it means for the address (worker.providers.classification).
"""

import re
from collections.abc import Iterator

from schemas.vocabulary import Cause, Kind
from worker.providers.classification.failure import classify
from worker.providers.mail.bounce_signs import looks_like_bounce
from worker.providers.mail.mail_part import RETURNED_TYPES, Headers, MailPart, read_headers
from worker.providers.mail.mail_text import addresses_in, mail_time, typed_address, typed_value
from worker.providers.mail.quoted_words import notice_and_copy, prose_of, returned_headers, words_about
from worker.providers.mail.report import Report, ReportEntry
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, WORD_LIMIT, fit_text

# RFC 3464, 2.3.3; servers write more than the word, and OpenSMTPD writes "error". A failure's kind is classified.
ACTIONS: dict[str, tuple[Kind, Cause]] = {
    "failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "delayed": (Kind.DEFERRED, Cause.UNDETERMINED),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "relayed": (Kind.OTHER, Cause.NONE),  # handed to a server that reports nothing further
    "expanded": (Kind.OTHER, Cause.NONE),  # it was a list, and its members are not ours
    "deliverable": (Kind.OTHER, Cause.NONE),  # a probe (Postfix' sendmail -bv): nothing was sent
    "expired": (Kind.SOFT_BOUNCE, Cause.EXPIRED),  # SendGrid's own reports
}
_ACTION_BEGINS = {
    "fail": "failed",
    "error": "failed",
    "undeliver": "failed",
    "expire": "expired",
    "delay": "delayed",
    "deliverable": "deliverable",
    "deliver": "delivered",
    "relay": "relayed",
    "expand": "expanded",
}
_ACTION_BY_CLASS = {"2": "delivered", "4": "delayed", "5": "failed"}  # if there is no Action
# RFC 3464, 2.2
_MESSAGE_FIELDS = frozenset(
    {"reporting-mta", "original-envelope-id", "dsn-gateway", "received-from-mta", "arrival-date"}
)
_REPORT_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RECIPIENT_FIELDS = ("original-recipient", "final-recipient", "x-actual-recipient")
_MOST_RECIPIENTS = 100
_MOST_GROUPS = _MOST_RECIPIENTS * 2
_MOST_FIELDS = 40  # in a group


def read_delivery_status(mail: MailPart, *, null_sender: bool = False) -> Report | None:
    """The report of a delivery status notification; None for another mail.

    The fields may also be in the text of a mail that looks like a bounce. If a bounce was bounced itself, and came back
    inside another one, the inner one is read.
    """
    for leaf in mail.leaves():
        if leaf.content_type in _REPORT_TYPES or _is_report_in_disguise(mail, leaf):
            report = _report(mail, leaf.text())
            if report is not None:
                return report
    if not looks_like_bounce(mail, null_sender=null_sender):
        return None
    for leaf in mail.leaves():
        if leaf.content_type in RETURNED_TYPES and leaf.parts and _has_report(leaf.parts[0]):
            return read_delivery_status(leaf.parts[0])
    notice, _ = notice_and_copy(prose_of(mail))
    return _report(mail, notice) if _is_flattened_report(notice) else None


def _report(mail: MailPart, text: str) -> Report | None:
    message, recipients = _groups(text)
    if not recipients:
        return None
    notice, copied = notice_and_copy(prose_of(mail))
    returned = returned_headers(mail) or copied
    recipients_by_group = [_recipients_of(mail, fields) for fields in recipients]
    everybody = {address for addresses in recipients_by_group for address in addresses}
    entries = tuple(
        _entry(
            mail, message, fields, addresses, words_about(notice, _final(addresses), others=everybody - set(addresses))
        )
        for fields, addresses in zip(recipients, recipients_by_group, strict=True)
    )
    return Report(entries=entries, fields=text, returned=returned)


def _has_report(mail: MailPart) -> bool:
    return any(leaf.content_type in _REPORT_TYPES for leaf in mail.leaves())


def _is_report_in_disguise(mail: MailPart, leaf: MailPart) -> bool:
    if mail.parameters.get("report-type", "").lower() != "delivery-status" or not leaf.content_type.startswith("text/"):
        return False
    return _is_flattened_report(leaf.text()[:20_000])


def _is_flattened_report(text: str) -> bool:
    """True if a text contains the fields of a report, each on its own line."""
    beginnings = {line.partition(":")[0].strip().lower() for line in text[:20_000].split("\n")}
    return "final-recipient" in beginnings and bool(beginnings & {"action", "status", "diagnostic-code"})


def _groups(text: str) -> tuple[Headers, list[Headers]]:
    """The fields about the message, and those about each recipient, in any order and any arrangement of lines."""
    message: list[tuple[str, str]] = []
    recipients: list[list[tuple[str, str]]] = []
    for group in _fields(text):
        recipient_fields = [name for name, _ in group if name in _RECIPIENT_FIELDS]
        if len(set(recipient_fields)) < len(recipient_fields):
            _read_in_order(group, message, recipients)
        elif recipient_fields:
            own = [field for field in group if field[0] not in _MESSAGE_FIELDS]
            message += [field for field in group if field[0] in _MESSAGE_FIELDS]
            if recipients and not _names_recipient(recipients[-1]):
                recipients[-1] += own  # an empty line between a recipient's fields
            else:
                recipients.append(own)
        elif recipients:
            recipients[-1] += group
        elif any(name in {"action", "status"} for name, _ in group):
            _read_in_order(group, message, recipients)
        else:
            message += group
        if len(recipients) >= _MOST_RECIPIENTS:
            break
    return Headers(tuple(message)), [Headers(tuple(fields)) for fields in recipients[:_MOST_RECIPIENTS]]


def _names_recipient(fields: list[tuple[str, str]]) -> bool:
    return any(name in _RECIPIENT_FIELDS for name, _ in fields)


def _read_in_order(
    group: list[tuple[str, str]], message: list[tuple[str, str]], recipients: list[list[tuple[str, str]]]
) -> None:
    """Adds fields without empty lines between recipients: each recipient begins with a field that the last one has."""
    begins = True
    for name, value in group:
        known = {field for field, _ in recipients[-1]} if recipients else set()
        if name in _RECIPIENT_FIELDS and (
            not recipients or name in known or (begins and known & set(_RECIPIENT_FIELDS))
        ):
            recipients.append([(name, value)])
        elif recipients:
            recipients[-1].append((name, value))
        elif name in {"action", "status"}:
            recipients.append([(name, value)])
        else:
            message.append((name, value))
        begins = False


def _fields(text: str) -> Iterator[list[tuple[str, str]]]:
    """The fields between two empty lines, group after group."""
    lines = "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
    groups: list[str] = []
    for group in re.split(r"\n{2,}", lines, maxsplit=_MOST_GROUPS)[:_MOST_GROUPS]:
        if groups and group.startswith((" ", "\t")):
            groups[-1] += "\n" + group  # an empty line in the middle of a folded field
        else:
            groups.append(group)
    for group in groups:
        headers, _ = read_headers(group.encode("utf-8", "replace"))
        if headers.fields:
            yield list(headers.fields[:_MOST_FIELDS])


def _recipients_of(mail: MailPart, fields: Headers) -> tuple[str, ...]:
    addresses = [typed_address(fields.get(name)) for name in _RECIPIENT_FIELDS]
    recipients = tuple(dict.fromkeys(address for address in addresses if address))
    if not recipients and not any(fields.get(name) for name in _RECIPIENT_FIELDS):
        recipients = tuple(addresses_in(mail.headers.get("x-failed-recipients"))[:1])
    return recipients


def _final(recipients: tuple[str, ...]) -> str | None:
    return recipients[-1] if recipients else None


def _entry(
    mail: MailPart, message: Headers, fields: Headers, recipients: tuple[str, ...], words: str | None
) -> ReportEntry:
    action = _action(fields)
    kind, cause = ACTIONS.get(action, (Kind.OTHER, Cause.NONE))
    reply = typed_value(fields.get("diagnostic-code"))[1]
    final = _final(recipients)
    diagnostic = fit_text(reply or words or "", DIAGNOSTIC_LIMIT) or None
    failure = None
    if action in {"failed", "delayed", "expired"}:
        failure = classify(
            smtp_code=None,
            enhanced_status=fields.get("status") or None,
            diagnostic=diagnostic,
            permanent=action != "delayed",
            recipient=final,
            remote_host=typed_value(fields.get("remote-mta"))[1],
        )
        if action != "expired" or failure.cause is not Cause.UNDETERMINED:
            kind, cause = (Kind.DEFERRED if action == "delayed" else failure.kind), failure.cause
    metadata = {
        "reporting_mta": typed_value(message.get("reporting-mta"))[1],
        "remote_mta": typed_value(fields.get("remote-mta"))[1],
        "envelope_id": message.get("original-envelope-id"),
        "final_recipient": final if len(recipients) > 1 else "",
        "status": fields.get("status"),
    }
    return ReportEntry(
        what=f"dsn/{action or 'no_action'}",
        word=fit_text(fields.get("action").strip().lower() or fields.get("status").strip(), WORD_LIMIT),
        kind=kind,
        cause=cause,
        recipients=recipients,
        failure=failure,
        diagnostic=diagnostic,
        occurred_at=mail_time(fields.get("last-attempt-date")) or mail_time(mail.headers.get("date")),
        recognised=action in ACTIONS,
        metadata={name: fit_text(value, WORD_LIMIT) for name, value in metadata.items() if value},
    )


def _action(fields: Headers) -> str:
    written = fields.get("action").strip().lower()
    for begin, action in _ACTION_BEGINS.items():
        if written.startswith(begin):
            return action
    return fit_text(written, 40) or _ACTION_BY_CLASS.get(fields.get("status").strip()[:1], "")
