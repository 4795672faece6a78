"""Recognises mail that arrives in the same mailboxes but reports no failure, so that it has no effect.

An out-of-office reply comes back to the same envelope sender as a bounce, often from the null sender too. Its token
tells who replied, but not that anything is wrong.
"""

import re

from schemas.vocabulary import Cause, Kind
from worker.providers.mail.bounce_signs import is_from_daemon, refuses
from worker.providers.mail.mail_part import Headers, MailPart
from worker.providers.mail.mail_text import addresses_in, mail_time
from worker.providers.mail.quoted_words import notice_and_copy, prose_of, returned_headers
from worker.providers.mail.report import Report, ReportEntry

# The names of such mail, with kind and cause of its event.
OTHER_MAIL: dict[str, tuple[Kind, Cause]] = {
    "mail/auto_reply": (Kind.OTHER, Cause.AUTO_REPLY),
    "mail/challenge": (Kind.OTHER, Cause.CHALLENGE_RESPONSE),
    "mail/address_changed": (Kind.OTHER, Cause.ADDRESS_CHANGED),
    "mail/read_receipt": (Kind.OTHER, Cause.NONE),  # RFC 8098
    "mail/domain_report": (Kind.OTHER, Cause.NONE),  # DMARC (RFC 7489) and TLS (RFC 8460) aggregates
    "mail/list": (Kind.OTHER, Cause.NONE),
    "mail/ordinary": (Kind.OTHER, Cause.NONE),
    "mail/unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),  # to the address of List-Unsubscribe (RFC 2369)
    "mail/apple_unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),  # Apple Mail's own button
}

_AUTO_SUBJECT = re.compile(
    r"^\s*(?:re: ?|aw: ?)?(?:auto(?:matic|mated)?[ -]?(?:reply|response|responder)|auto:|auto-?reply"
    r"|(?:i am |i'm )?(?:currently )?out of (?:the )?office|out-of-office|on vacation|vacation (?:reply|notice)"
    r"|away from"
    r"|abwesenheit|automatische? antwor?t?d?|automatisch antwoord|afwezig|r[ée]ponse automatique|absence du bureau"
    r"|absent"
    r"|respuesta autom|fuera de (?:la )?oficina|risposta automatica|fuori sede|resposta autom|autosvar|automaattinen"
    r"|automatyczna odpowied|ooo\b|自動応答|自動返信|自动回复|自動回覆"
    r"|자동 ?회신|автоответ|автоматический ответ|автоматична відповідь|odpowied[źz] automatyczna|automatick[áa] odpov"
    r"|automatiskt? svar|automatikus v[áa]lasz|otomatik yan.t|răspuns automat)",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"spam ?arrest|boxtrapper|mailblocks|challenge.?response|confirm (?:that )?you are (?:a )?human"
    r"|verify (?:that )?you are (?:a )?(?:human|real)|please confirm your (?:message|e-?mail)"
    r"|sender verification required"
    r"|(?:your|this) (?:e-?mail|message) (?:is|has been) (?:being )?held[^\n]{0,60}(?:confirm|verif|approv)"
    r"|click[^\n]{0,80}to (?:have|allow) your (?:e-?mail|message)[^\n]{0,30}deliver",
    re.IGNORECASE,
)
_ADDRESS_CHANGED = re.compile(
    r"(?:e-?mail )?address (?:has |have |was )?(?:been )?chang|new e-?mail address|no longer (?:use|check|monitor)"
    r"|neue e-?mail-?adresse|nouvelle adresse",
    re.IGNORECASE,
)
_AGGREGATE_TYPES = frozenset({"application/tlsrpt+gzip", "application/tlsrpt+json"})


def read_request_to_unsubscribe(mail: MailPart) -> Report | None:
    """A mail to the address in List-Unsubscribe, written by a mail program or by hand; None for another mail."""
    subject = mail.headers.readable("subject").strip().lower()
    if subject != "unsubscribe":
        return None
    apple = mail.headers.get("x-apple-unsubscribe").strip().lower() == "true"
    what = "mail/apple_unsubscribe" if apple else "mail/unsubscribe"
    return Report(entries=(_entry(mail, what, tuple(addresses_in(mail.headers.get("from"))[:1])),))


def read_auto_reply(mail: MailPart) -> Report | None:
    """An automatic reply of a person's mailbox; None for another mail, such as a postmaster's that quotes a refusal."""
    if not is_auto_reply(mail) or (is_from_daemon(mail) and refuses(mail)):
        return None
    changed = _ADDRESS_CHANGED.search(_beginning(mail))
    return Report(entries=(_entry(mail, "mail/address_changed" if changed else "mail/auto_reply"),))


def is_auto_reply(mail: MailPart) -> bool:
    """True for mail that only a person's mailbox sends automatically (RFC 3834, and older or other conventions)."""
    headers = mail.headers
    precedence = headers.get("precedence").strip().lower()
    return (
        bool(_AUTO_SUBJECT.match(headers.readable("subject")))
        or precedence in {"auto_reply", "auto-reply"}
        or any(headers.get(name) for name in ("x-autoreply", "x-autorespond", "x-autoreply-from", "x-mail-autoreply"))
        or headers.get("x-apple-action").strip().upper() == "VACATION"
        or bool(headers.get("x-ms-exchange-inbox-rules-loop"))
    )


def read_remaining(mail: MailPart) -> Report:
    """The report for any other mail, with a name for what it seems to be."""
    return Report(entries=(_entry(mail, _name_of(mail)),), returned=returned_headers(mail) or Headers())


def is_read_receipt(mail: MailPart) -> bool:
    """True for a disposition notification (RFC 8098)."""
    if mail.parameters.get("report-type", "").lower() == "disposition-notification":
        return True
    return any(leaf.content_type == "message/disposition-notification" for leaf in mail.leaves())


def _name_of(mail: MailPart) -> str:
    headers = mail.headers
    subject = headers.readable("subject").strip().lower()
    if is_read_receipt(mail):
        return "mail/read_receipt"
    if _CHALLENGE.search(_beginning(mail)):
        return "mail/challenge"
    if (
        mail.parameters.get("report-type", "").lower() in {"tlsrpt", "dmarc"}
        or any(leaf.content_type in _AGGREGATE_TYPES for leaf in mail.leaves())
        or subject.startswith("report domain:")
    ):
        return "mail/domain_report"
    automatic = headers.get("auto-submitted").partition(";")[0].strip().lower() not in {"", "no"}
    if (
        headers.get("list-id")
        or headers.get("list-post")
        or headers.get("precedence").strip().lower() in {"list", "bulk"}
    ):
        return "mail/list"
    if automatic or headers.get("x-auto-response-suppress") or headers.get("precedence").strip().lower() == "junk":
        return "mail/auto_reply"
    return "mail/ordinary"


def _beginning(mail: MailPart) -> str:
    """Subject and first lines, without a mail that is copied below."""
    return f"{mail.headers.readable('subject')}\n{notice_and_copy(prose_of(mail))[0][:4_000]}"


def _entry(mail: MailPart, what: str, recipients: tuple[str, ...] = ()) -> ReportEntry:
    kind, cause = OTHER_MAIL[what]
    return ReportEntry(
        what=what, kind=kind, cause=cause, recipients=recipients, occurred_at=mail_time(mail.headers.get("date"))
    )
