"""Complaints: reports of feedback loops in ARF (RFC 5965), and in other formats.

Types: https://www.iana.org/assignments/marf-parameters/. Other forms: Microsoft until 2026 (no report part; the
recipient is in X-HmXmrOriginalRecipient of the returned mail) and since then (a report that names nobody), AOL's
`X-Loop: scomp`, Return Path's and Comcast's hashes instead of addresses, X-ARF (the report as JSON or YAML), SpamCop's
plain text, and authentication failures (RFC 6591), which have the same MIME type but are no complaints. The forms of
SpamCop and X-ARF are known only from public parsers and their samples.
"""

import re

import msgspec

from schemas.vocabulary import Cause, Kind
from worker.providers.mail.mail_part import RETURNED_TYPES, Headers, MailPart, read_headers
from worker.providers.mail.mail_text import addresses_in, mail_time
from worker.providers.mail.quoted_words import prose_of
from worker.providers.mail.report import Report, ReportEntry
from worker.providers.payload.json_payload import WORD_LIMIT, fit_text

# The meaning of each feedback type. "other" is a complaint only if it comes from a known reporter (mail_events.py).
FEEDBACK_TYPES: dict[str, tuple[Kind, Cause]] = {
    "abuse": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "fraud": (Kind.COMPLAINT, Cause.FRAUD_REPORT),
    "virus": (Kind.OTHER, Cause.VIRUS),  # about the message, not a reader's complaint
    "other": (Kind.OTHER, Cause.NONE),
    "not-spam": (Kind.OTHER, Cause.NONE),  # RFC 6430; it lifts no block
    "auth-failure": (Kind.OTHER, Cause.SENDER_AUTHENTICATION),  # RFC 6591
    "dmarc": (Kind.OTHER, Cause.SENDER_AUTHENTICATION),  # the name in a draft
    "opt-out": (Kind.UNSUBSCRIBE, Cause.NONE),  # drafts before RFC 5965
    "opt-out-list": (Kind.UNSUBSCRIBE, Cause.NONE),
    "miscategorized": (Kind.OTHER, Cause.NONE),
    "spamtrap": (Kind.OTHER, Cause.NONE),  # our word: "abuse" from the owner of a spam trap
}
SPAMTRAP = "spamtrap"

_ABUSE_SUBJECTS = ("complaint about message from",)
_LOOPS_BY_SENDER = ("staff@hotmail.com", "complaints@email-abuse.amazonses.com", "scomp@aol.net")
_TRAPS = ("spamtrap", "spam trap", "trap hit", "honeypot", "honey pot")
_TRAP_AGENTS = ("abusix",)
_SPAMCOP_SENDER, _SPAMCOP_MARK = "@reports.spamcop.net", "[ Offending message ]"
# X-ARF's types of reports about a mail, in versions 0.2 to 4 (https://xarf.org/docs/types/).
_XARF_TYPES = {
    "spam": "abuse",
    "abuse": "abuse",
    "bulk_messaging": "abuse",
    "phishing": "fraud",
    "fraud": "fraud",
    "malware": "virus",
}
_XARF_LINE = re.compile(r"^(Report-Type|Category|Source|Reported-From|Date|User-Agent)\s*:\s*(.+)$", re.MULTILINE)
_MOST_RECIPIENTS = 20


def read_feedback_report(mail: MailPart) -> Report | None:
    """The report of a feedback loop; None for another mail."""
    leaves = list(mail.leaves())
    returned = _returned_headers(leaves)
    for leaf in leaves:
        if leaf.content_type == "message/feedback-report" or (
            leaf.content_type == "text/plain" and _is_report_in_disguise(mail, leaf)
        ):
            fields, _ = read_headers(leaf.text().strip("\n").encode("utf-8", "replace"))
            return _report(mail, fields, leaf.text(), returned, form="arf")
    if mail.headers.get("x-xarf") or mail.headers.get("x-arf") or any(_is_xarf(leaf) for leaf in leaves):
        return _xarf(mail, leaves, returned)
    if any(sender.endswith(_SPAMCOP_SENDER) for sender in addresses_in(mail.headers.get("from"))):
        _, mark, copy = prose_of(mail).partition(_SPAMCOP_MARK)
        if mark:
            copied, _ = read_headers(copy.lstrip().encode("utf-8", "replace"))
            return _report(mail, Headers((("feedback-type", "abuse"),)), "", copied, form="spamcop")
    subject = mail.headers.readable("subject").strip().lower()
    is_loop = any(sender in _LOOPS_BY_SENDER for sender in addresses_in(mail.headers.get("from")))
    scomp = mail.headers.get("x-loop").strip().lower() == "scomp"
    if returned is not None and (scomp or (is_loop and subject.startswith(_ABUSE_SUBJECTS))):
        form = "scomp" if scomp else "jmrp" if "hotmail" in mail.headers.get("from") else "abuse_mail"
        fields = Headers((("feedback-type", "abuse"),))
        return _report(mail, fields, "", returned, form=form)
    return None


def _is_xarf(leaf: MailPart) -> bool:
    return leaf.content_type == "application/json" and '"xarf_version"' in leaf.text()


def _is_report_in_disguise(mail: MailPart, leaf: MailPart) -> bool:
    """True for a report part that was sent as plain text, in a mail that calls itself a report."""
    is_report = mail.parameters.get("report-type", "").lower() == "feedback-report"
    return is_report and leaf.text()[:4_000].lower().lstrip().startswith(("feedback-type:", "user-agent:", "version:"))


def _returned_headers(leaves: list[MailPart]) -> Headers | None:
    for leaf in leaves:
        if leaf.content_type in RETURNED_TYPES and leaf.parts:
            return leaf.parts[0].headers
    return None


def _report(
    mail: MailPart, fields: Headers, text: str, returned: Headers | None, *, form: str, word: str | None = None
) -> Report:
    told_type = fit_text(fields.get("feedback-type").partition(";")[0].strip().lower(), 50)
    name = SPAMTRAP if told_type == "abuse" and _is_trap(mail, fields) else told_type
    known = name in FEEDBACK_TYPES
    kind, cause = FEEDBACK_TYPES.get(name, (Kind.OTHER, Cause.NONE))
    metadata = {
        "feedback_type": told_type,
        "reporter": fit_text(fields.get("source") or fields.get("user-agent"), WORD_LIMIT),
        "incidents": fit_text(fields.get("incidents"), 20),
    }
    entry = ReportEntry(
        what=f"{form}/{name or 'untyped'}",
        word=fit_text(told_type if word is None else word, WORD_LIMIT),
        kind=kind,
        cause=cause,
        recipients=_told_recipients(fields, returned, form)[:_MOST_RECIPIENTS],
        occurred_at=mail_time(mail.headers.get("date")),
        recognised=known,
        metadata={key: value for key, value in metadata.items() if value},
    )
    return Report(entries=(entry,), fields=text, returned=returned or Headers(), redactable=True)


def _is_trap(mail: MailPart, fields: Headers) -> bool:
    agent = fields.get("user-agent").lower()
    words = f"{mail.headers.readable('subject')} {fields.get('abuse-type')} {fields.get('report-type')}".lower()
    return any(word in agent for word in _TRAP_AGENTS) or any(word in words for word in _TRAPS)


def _told_recipients(fields: Headers, returned: Headers | None, form: str) -> tuple[str, ...]:
    """The recipients named by the reporter: in its report, or in Microsoft's field above the returned mail."""
    recipients: list[str] = []
    named = [*fields.all("original-rcpt-to"), *fields.all("removal-recipient")]
    if form == "jmrp" and returned is not None:
        named += returned.all("x-hmxmroriginalrecipient")[:1]
    for value in named[: _MOST_RECIPIENTS * 2]:
        recipients += [address for address in addresses_in(value) if address not in recipients]
    return tuple(recipients)


def _xarf(mail: MailPart, leaves: list[MailPart], returned: Headers | None) -> Report:
    """X-ARF: the report as JSON (https://xarf.org), or as YAML lines in its older form (0.2)."""
    values: dict[str, str] = {}
    text = ""
    for leaf in leaves:
        if leaf.content_type == "application/json":
            text = leaf.text()
            values = _json_words(text)
            break
        if leaf.content_type.startswith("text/") and _XARF_LINE.search(leaf.text()[:8_000]):
            text = leaf.text()
            values = {name.lower(): value.strip() for name, value in _XARF_LINE.findall(text[:8_000])}
    kind = (values.get("type") or values.get("reporttype") or values.get("report-type") or "").lower()
    feedback_type = _XARF_TYPES.get(kind, kind)
    if feedback_type == "abuse" and values.get("evidencesource", "").lower() == SPAMTRAP:
        feedback_type = SPAMTRAP
    fields = Headers((("feedback-type", feedback_type), ("user-agent", values.get("user-agent", ""))))
    return _report(mail, fields, text, returned, form="xarf", word=kind)


def _json_words(text: str) -> dict[str, str]:
    """The texts of a JSON object and of the objects directly inside it; names in lower case without underscores."""
    try:
        document = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        return {}
    words: dict[str, str] = {}
    for level in [document, *(document.values() if isinstance(document, dict) else ())]:
        if isinstance(level, dict):
            for name, value in level.items():
                if isinstance(value, str):
                    words.setdefault(name.lower().replace("_", ""), value)
    return words
