"""Weak signs that a mail is a server's message about an undelivered mail.

No single sign decides, and no single one is needed: servers leave out the null sender, the daemon's domain or the usual
subject, and people quote bounces.
"""

import re

from worker.providers.mail.mail_part import RETURNED_TYPES, MailPart
from worker.providers.mail.mail_text import addresses_in
from worker.providers.mail.quoted_words import has_copy, notice_and_copy, prose_of

_ENOUGH = 3
_DAEMON = re.compile(
    r"(?:^|[\s<\"'(])(?:mailer[-_. ]?daemon|mail[-_.]?daemon|postmaster|mdaemon"
    r"|bounces?|mail-?delivery(?:-?(?:sub)?system)?"
    r"|mailsystem"
    r"|mail (?:delivery|transport|administration) (?:sub-?)?system|mail delivery service|system administrator"
    r"|microsoft outlook|delivery (?:sub)?system)\b",
    re.IGNORECASE,
)
_SUBJECTS = re.compile(
    r"undeliver|failure notice|returned mail|return(?:ed|ing) (?:e-?mail|message)|non.?deliver|not delivered"
    r"|(?:could|can)(?: ?not|n't)\s+be\s+delivered|unable to deliver|mail (?:system|delivery) (?:error|failed|failure)"
    r"|deliver(?:y|ed)[^\n]{0,30}(?:fail|error|problem|status|delay|impossible|unsuccessful)|message delayed"
    r"|delayed mail|fail(?:ed|ure)[^\n]{0,20}deliver|delivery notification"
    r"|warning: [^\n]{0,40}(?:delay|not (?:yet )?sent)"
    r"|mail failure|rejected mail|message rejected|unzustellbar|nicht zustellbar|non remis|non distribu|no entregad"
    r"|non recapit|onbestelbaar|niet bezorgd|n[ãa]o entregue|nie można dostarczyć|niedostarcz|nedoručiteln"
    r"|oleveransbart|gick inte att leverera|ikke leveres|kunne ikke levere|teslim edilemedi|kézbesíthetetlen"
    r"|не ?доставлен|не может быть доставлено|невозможно доставить|退信|无法投递|未送达|無法傳遞"
    r"|配信不能|配信できません|배달되지|배달할 수 없",
    re.IGNORECASE,
)
_OPENINGS = re.compile(
    r"created automatically by mail delivery software|this is the (?:mailer-daemon|mail (?:system|delivery|transport))"
    r"|this is the [^\n]{0,40}(?:mail agent|qmail-send program|mta program|mail delivery (?:agent|program))"
    r"|(?:permanent|fatal|permanent fatal|delivery) errors?\b|could not be (?:delivered|reached)|did not reach the"
    r"|was(?:n't| not) (?:able to )?deliver|unable to deliver|delivery (?:has |to [^\n]{0,80} )?fail|error delivering"
    r"|following (?:recipient|address)|undeliver|failed recipient|reporting-mta|final-recipient",
    re.IGNORECASE,
)
_REPORT_LINE = re.compile(
    r"^(?:final-recipient|reporting-mta|diagnostic-code|action)\s*:", re.IGNORECASE | re.MULTILINE
)
_REFUSAL = re.compile(r"(?<![\w.:/@#+-])5[0-5-7]\d[- ]|\b5\.\d\.\d{1,3}\b")


def looks_like_bounce(mail: MailPart, *, null_sender: bool = False) -> bool:
    """True if there are enough signs, one of them in a part that only servers write."""
    headers = mail.headers
    is_report = "delivery-status" in mail.parameters.get("report-type", "").lower()
    signs_of_a_server = (
        3 * bool(headers.get("x-failed-recipients")) + 2 * is_from_daemon(mail) + 2 * is_report + bool(null_sender)
    )
    if not signs_of_a_server:
        return False
    automatic = headers.get("auto-submitted").partition(";")[0].strip().lower() not in {"", "no"}
    signs = signs_of_a_server + 2 * bool(_SUBJECTS.search(headers.readable("subject"))) + automatic
    if signs >= _ENOUGH:
        return True
    prose = prose_of(mail)
    notice, _ = notice_and_copy(prose)
    signs += 2 * bool(_SUBJECTS.search(notice[:4_000])) or bool(_OPENINGS.search(notice[:4_000]))
    signs += bool(_REPORT_LINE.search(notice[:20_000]))
    return signs + (has_copy(prose) or _returns_a_mail(mail)) >= _ENOUGH


def is_from_daemon(mail: MailPart) -> bool:
    """True for the From of a mail system: `MAILER-DAEMON`, with or without a domain, or empty."""
    sender = mail.headers.readable("from").strip()
    if not sender or sender in {"<>", '""<>', '"" <>'}:
        return bool(mail.headers.get("date") or mail.headers.get("message-id") or sender)
    address = next(iter(addresses_in(sender)), "")
    return bool(_DAEMON.match(address) or _DAEMON.search(sender.partition("<")[0]) or _DAEMON.search(f"<{sender}"))


def refuses(mail: MailPart) -> bool:
    """True if the mail's own words quote a permanent refusal."""
    return bool(_REFUSAL.search(notice_and_copy(prose_of(mail))[0][:8_000]))


def has_bounce_subject(mail: MailPart) -> bool:
    """True if the subject is one that servers give to bounces."""
    return bool(_SUBJECTS.search(mail.headers.readable("subject")))


def _returns_a_mail(mail: MailPart) -> bool:
    return any(leaf.content_type in RETURNED_TYPES for leaf in mail.leaves())
