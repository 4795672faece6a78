"""Bounces in prose: what servers write that follow no RFC, by the detectors of flufl.bounce and our own tables.

flufl.bounce (https://fluflbounce.readthedocs.io) knows the forms of qmail, Exim, Exchange, GroupWise, Yahoo and
some seventy others, and tells who bounced and whether the server goes on trying. Why, it does not tell: that is
read from the words that the bounce quotes. It is given a copy of the mail that is decoded, short, and without the
mail that is returned, whose body it would otherwise read as well.
"""

import logging
import re
from email.message import Message

from flufl.bounce import all_failures

from schemas.address import normalise_address
from schemas.vocabulary import Kind
from worker.providers.classification.failure import classify
from worker.providers.mail.finding import Finding, Report
from worker.providers.mail.mail_part import RETURNED_TYPES, Headers, MailPart
from worker.providers.mail.mail_text import addresses_in, html_as_text, mail_time
from worker.providers.mail.quoted_words import notice_and_copy, prose_of, returned_headers, words_about

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it logs each detector that it tries or that stumbles

_MOST_RECIPIENTS = 50
# The detectors' patterns take time with the square of a line's length.
_LONGEST_LINE = 200
_MOST_CHARACTERS = 24_000
_MOST_LINES = 1_500
_READ_BY_DETECTORS = ("subject", "x-mailer", "content-description")
_NOBODY = "nobody@sender.invalid"  # one of them stumbles over a From field without an address

_SENDERS = re.compile(
    r"^(?:mailer[-_.]?daemon|mail[-_.]?daemon|postmaster|mdaemon|bounces?|mail-?delivery(?:-?sub)?system|mailsystem)\b"
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
_STILL_TRYING = re.compile(
    r"will (?:keep|be) (?:re)?tr(?:y|ied)|will be retried|still (?:being retried|trying)|no action is required"
    r"|this is (?:just )?a warning|not yet been delivered|has been delayed|has been postponed|advisory-only",
    re.IGNORECASE,
)
# Before each recipient's words, in the notices of Postfix, qmail and their kin in whatever language.
_NAMED_LINE = re.compile(r"^[ \t]{0,8}<([^<>\s]{3,320})>: ", re.MULTILINE)


def looks_like_bounce(mail: MailPart) -> bool:
    """True when a mail presents itself as a server's message about a mail that it did not deliver."""
    if mail.headers.get("x-failed-recipients"):
        return True
    subject = _SUBJECTS.search(mail.headers.readable("subject"))
    sender = next(iter(addresses_in(mail.headers.get("from"))), mail.headers.get("from").strip().lower())
    return bool(subject and (_SENDERS.match(sender) or not sender)) or bool(
        _SENDERS.match(sender) and (_SUBJECTS.search(prose_of(mail)[:4_000]) or subject)
    )


def read_prose_bounce(mail: MailPart, *, null_sender: bool) -> Report | None:
    """What a bounce in prose says of each recipient, None when the mail is none.

    `null_sender`: its envelope had no sender, as that of all servers' messages, and of some people's replies. Its
    findings name nobody where it plainly is a bounce, but whose remains unsaid.
    """
    is_bounce = looks_like_bounce(mail)
    if not (is_bounce or null_sender):
        return None  # a person who quotes a bounce
    notice, copied = notice_and_copy(prose_of(mail))
    returned: Headers = returned_headers(mail) or copied
    temporary, permanent = _detected(mail)
    if not (temporary or permanent or is_bounce):
        return None
    findings = [_finding(mail, notice, address, final=True) for address in permanent]
    findings += [_finding(mail, notice, address, final=False) for address in temporary if address not in permanent]
    if not findings and is_bounce:
        final = not _STILL_TRYING.search(notice)
        named = dict.fromkeys(address for line in _NAMED_LINE.findall(notice) for address in addresses_in(line))
        findings = [_finding(mail, notice, address, final=final) for address in named]
    if not findings:
        words = words_about(notice, None)
        if words is None and not _SUBJECTS.search(mail.headers.readable("subject")):
            return None
        # The returned mail tells after whose name the words stand, and no more: it is not believed for whom they blame.
        addressed = next((address for address in addresses_in(returned.get("to")) if address in notice.lower()), None)
        words = words or words_about(notice, addressed)
        findings = [_finding(mail, notice, None, final=not _STILL_TRYING.search(notice), words=words)]
    return Report(findings=tuple(findings[:_MOST_RECIPIENTS]), returned=returned)


def _finding(mail: MailPart, notice: str, address: str | None, *, final: bool, words: str | None = None) -> Finding:
    diagnostic = words or words_about(notice, address)
    failure = classify(smtp_code=None, enhanced_status=None, diagnostic=diagnostic, permanent=final)
    return Finding(
        what="bounce/failed" if final else "bounce/delayed",
        kind=failure.kind if final else Kind.DEFERRED,
        cause=failure.cause,
        recipients=(address,) if address else (),
        failure=failure,
        diagnostic=diagnostic,
        occurred_at=mail_time(mail.headers.get("date")),
    )


def _detected(mail: MailPart) -> tuple[list[str], list[str]]:
    """The addresses that fail for now, and those that failed; both sorted."""
    try:
        temporary, permanent = all_failures(_for_detectors(mail, [_MOST_CHARACTERS]))
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError, RecursionError):
        return [], []  # a detector stumbled over what it did not expect: our own words still apply
    return _addresses(temporary), _addresses(permanent)


def _addresses(found: frozenset[bytes] | set[bytes]) -> list[str]:
    normalised = {normalise_address(address.decode("ascii", "replace")) for address in found}
    return sorted(address for address in normalised if address is not None and " " not in address)


def _for_detectors(part: MailPart, characters_left: list[int]) -> Message:
    message = Message()
    sender = next(iter(addresses_in(part.headers.get("from"))), _NOBODY)
    message["from"] = sender if sender.isascii() else _NOBODY
    failed = [address for address in addresses_in(part.headers.get("x-failed-recipients")) if address.isascii()]
    if failed:
        message["x-failed-recipients"] = ", ".join(failed)
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
