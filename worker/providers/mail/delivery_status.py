"""Bounces that follow the RFC: delivery status notifications (RFC 3464, RFC 6533), and those that nearly do.

The Action of each recipient says whether it is over, never the first digit of its Status; what it means for the
address is decided by the codes and the server's words (worker.providers.classification).
"""

import re
from collections.abc import Iterator

from schemas.vocabulary import Cause, Kind
from worker.providers.classification.failure import classify
from worker.providers.mail.finding import Finding, Report
from worker.providers.mail.mail_part import Headers, MailPart, read_headers
from worker.providers.mail.mail_text import addresses_in, mail_time, typed_address, typed_value
from worker.providers.mail.quoted_words import notice_and_copy, prose_of, returned_headers, words_about
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, WORD_LIMIT, fit_text

# RFC 3464, 2.3.3; servers write more than the word, and OpenSMTPD writes "error". A failure's kind is classified.
ACTIONS: dict[str, tuple[Kind, Cause]] = {
    "failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "delayed": (Kind.DEFERRED, Cause.UNDETERMINED),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "relayed": (Kind.OTHER, Cause.NONE),  # handed to a server that reports nothing further
    "expanded": (Kind.OTHER, Cause.NONE),  # it was a list, and its members are not ours
}
_ACTION_BEGINS = {
    "fail": "failed",
    "error": "failed",
    "delay": "delayed",
    "deliver": "delivered",
    "relay": "relayed",
    "expand": "expanded",
}
_ACTION_BY_CLASS = {"2": "delivered", "4": "delayed", "5": "failed"}  # where no Action is told
_REPORT_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RECIPIENT_FIELDS = ("original-recipient", "final-recipient", "x-actual-recipient")
_MOST_RECIPIENTS = 100
_MOST_GROUPS = _MOST_RECIPIENTS * 2
_MOST_FIELDS = 40  # in a group

# Whose words a refusal is in, by where the remote server stands: worker.providers.classification.mailbox_providers
# knows them by these marks.
_HOUSES = {
    "google.com": "google",
    "googlemail.com": "google",
    "outlook.com": "outlook",
    "hotmail.com": "outlook",
    "yahoodns.net": "yahoo",
    "yahoo.com": "yahoo",
    "icloud.com": "icloud",
    "apple.com": "apple",
}


def read_delivery_status(mail: MailPart) -> Report | None:
    """What a delivery status notification says of each recipient, None when the mail is none."""
    for leaf in mail.leaves():
        if leaf.content_type in _REPORT_TYPES or _is_report_in_disguise(mail, leaf):
            text = leaf.text()
            message, recipients = _groups(text)
            if not recipients:
                continue
            notice, copied = notice_and_copy(prose_of(mail))
            returned = returned_headers(mail) or copied
            findings = tuple(_finding(mail, message, fields, notice) for fields in recipients)
            return Report(findings=findings, fields=text, returned=returned)
    return None


def _is_report_in_disguise(mail: MailPart, leaf: MailPart) -> bool:
    if mail.parameters.get("report-type", "").lower() != "delivery-status" or not leaf.content_type.startswith("text/"):
        return False
    beginnings = [line.partition(":")[0].strip().lower() for line in leaf.text()[:20_000].split("\n")]
    return "final-recipient" in beginnings and ("action" in beginnings or "status" in beginnings)


def _groups(text: str) -> tuple[Headers, list[Headers]]:
    """The fields about the message, and those about each recipient, however empty lines are set."""
    message: list[tuple[str, str]] = []
    recipients: list[list[tuple[str, str]]] = []
    for name, value, begins_group in _fields(text):
        current = recipients[-1] if recipients else None
        known = {field for field, _ in current} if current is not None else set()
        is_recipient = name in _RECIPIENT_FIELDS
        if is_recipient and (current is None or name in known or (begins_group and known & set(_RECIPIENT_FIELDS))):
            if len(recipients) == _MOST_RECIPIENTS:
                break
            recipients.append([(name, value)])
        elif current is not None:
            current.append((name, value))
        elif name in {"action", "status"}:  # a recipient's fields before anybody is named
            recipients.append([(name, value)])
        else:
            message.append((name, value))
    return Headers(tuple(message)), [Headers(tuple(fields)) for fields in recipients]


def _fields(text: str) -> Iterator[tuple[str, str, bool]]:
    """Name, value and whether an empty line stood before it."""
    lines = "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")
    groups: list[str] = []
    for group in re.split(r"\n{2,}", lines, maxsplit=_MOST_GROUPS)[:_MOST_GROUPS]:
        if groups and group.startswith((" ", "\t")):
            groups[-1] += "\n" + group  # an empty line in the midst of a folded field
        else:
            groups.append(group)
    for group in groups:
        headers, _ = read_headers(group.encode("utf-8", "replace"))
        for place, (name, value) in enumerate(headers.fields[:_MOST_FIELDS]):
            yield name, value, place == 0


def _finding(mail: MailPart, message: Headers, fields: Headers, notice: str) -> Finding:
    addresses = [typed_address(fields.get(name)) for name in _RECIPIENT_FIELDS]
    recipients = tuple(dict.fromkeys(address for address in addresses if address))
    if not recipients and not any(fields.get(name) for name in _RECIPIENT_FIELDS):
        recipients = tuple(addresses_in(mail.headers.get("x-failed-recipients"))[:1])
    action = _action(fields)
    kind, cause = ACTIONS.get(action, (Kind.OTHER, Cause.NONE))
    said = typed_value(fields.get("diagnostic-code"))[1]
    final = recipients[-1] if recipients else None
    diagnostic = fit_text(said or words_about(notice, final) or "", DIAGNOSTIC_LIMIT) or None
    failure = None
    if action in {"failed", "delayed"}:
        remote = typed_value(fields.get("remote-mta"))[1]
        failure = classify(
            smtp_code=None,
            enhanced_status=fields.get("status") or None,
            diagnostic=f"{diagnostic or ''}{_mark_of(remote)}" or None,
            permanent=action == "failed",
        )
        kind, cause = (Kind.DEFERRED if action == "delayed" else failure.kind), failure.cause
    told = {
        "reporting_mta": typed_value(message.get("reporting-mta"))[1],
        "remote_mta": typed_value(fields.get("remote-mta"))[1],
        "envelope_id": message.get("original-envelope-id"),
        "final_recipient": final if len(recipients) > 1 else "",
        "status": fields.get("status"),
    }
    return Finding(
        what=f"dsn/{action or 'no_action'}",
        word=fit_text(fields.get("action").strip().lower() or fields.get("status").strip(), WORD_LIMIT),
        kind=kind,
        cause=cause,
        recipients=recipients,
        failure=failure,
        diagnostic=diagnostic,
        occurred_at=mail_time(fields.get("last-attempt-date")) or mail_time(mail.headers.get("date")),
        recognised=action in ACTIONS,
        told={name: fit_text(value, WORD_LIMIT) for name, value in told.items() if value},
    )


def _action(fields: Headers) -> str:
    written = fields.get("action").strip().lower()
    for begin, action in _ACTION_BEGINS.items():
        if written.startswith(begin):
            return action
    return fit_text(written, 40) or _ACTION_BY_CLASS.get(fields.get("status").strip()[:1], "")


def _mark_of(remote: str) -> str:
    """The mark of the mailbox provider whose server this is, to be read beside its words."""
    host = remote.lower().split(" ")[0].rstrip(".")
    return next((f" [{mark}]" for domain, mark in _HOUSES.items() if host == domain or host.endswith("." + domain)), "")
