"""One failed delivery in, its kind and cause out: what the codes and the server's own words mean together.

The order of belief: a mailbox provider's own tokens; the words, where the code is vague or the words plainly
contradict it; the enhanced code; the SMTP reply code; nothing. The reply's first digit says whether the
refusal was temporary ("421 5.7.32" is), but it never makes a bounce hard: only the cause does.
"""

import re

from msgspec import Struct

from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.classification.bounce_codes import REPLY_CODES, CodeMeaning, Trust, enhanced_meaning
from worker.providers.classification.bounce_texts import CODE_RULES, GUARD_RULES, GUARD_STEMS, TEXT_RULES
from worker.providers.classification.mailbox_providers import cause_in_house
from worker.providers.classification.text_rule import cause_in_words


class Classification(Struct, frozen=True, kw_only=True, gc=False):
    """What a failure was. The codes are those given, or else those found in the diagnostic."""

    kind: Kind  # HARD_BOUNCE, SOFT_BOUNCE or BLOCKED
    cause: Cause
    smtp_code: int | None
    enhanced_status: str | None

    @property
    def vague(self) -> bool:
        """True when codes and words leave the cause open, so that a label which the sending server gave says more."""
        return self.cause is Cause.UNDETERMINED or (self.cause is Cause.POLICY and self.enhanced_status is None)


HARD_CAUSES = frozenset(
    {
        Cause.MAILBOX_DOES_NOT_EXIST,
        Cause.INVALID_ADDRESS,
        Cause.MAILBOX_OWNER_CHANGED,
        Cause.MAILBOX_DISABLED,
        Cause.DOMAIN_DOES_NOT_EXIST,
        Cause.DOMAIN_ACCEPTS_NO_MAIL,
    }
)

# What a temporary refusal means when its words name a lasting cause: the server could not say for now.
_SOFTENED: dict[Cause, Cause] = {
    Cause.MAILBOX_DOES_NOT_EXIST: Cause.SERVER_UNAVAILABLE,
    Cause.INVALID_ADDRESS: Cause.SERVER_UNAVAILABLE,
    Cause.MAILBOX_DISABLED: Cause.SERVER_UNAVAILABLE,
    Cause.DOMAIN_DOES_NOT_EXIST: Cause.DNS_FAILURE,
    Cause.DOMAIN_ACCEPTS_NO_MAIL: Cause.DNS_FAILURE,
}

_KINDS: dict[Cause, Kind] = {
    cause: Kind.HARD_BOUNCE
    if cause in HARD_CAUSES
    else (Kind.BLOCKED if CAUSE_BLAME[cause] is Blame.SENDER else Kind.SOFT_BOUNCE)
    for cause in Cause
}

_LONGEST_TEXT = 2_000
_ADDRESS = re.compile(r"[^\s<>@\"']{1,64}@[^\s<>@\"']{1,255}")
# The reply code that opens each further line of a long answer, where it stands in the middle of a phrase.
_CONTINUATION = re.compile(r"\s*\b[45]\d\d[- ][45]\.\d{1,3}\.\d{1,3}\s")
# Details may have three digits. The class digit stands first so that the search can run ahead to one.
_ENHANCED = re.compile(r"[45]\.[0-7]\.\d{1,3}(?!\.?\d|\w)")
_VERSION_WORDS = frozenset({"version", "ver", "ver.", "release", "build"})
_REPLY = re.compile(r"(?<![\w.:/@#+-])[45][0-5-7]\d(?=[ -]|$)")
# How most refusals begin: both codes at once, as the two searches above would find them.
_BOTH = re.compile(r"([45][0-5-7]\d)[ -]([45]\.[0-7]\.\d{1,3})(?!\.?\d|\w)")
_STATUS = re.compile(r"\s*([45]\.[0-7]\.\d{1,3})(?!\.?\d)")


def bounce_kind(cause: Cause) -> Kind:
    """The kind of bounce that a cause makes: its blame decides, never a code's first digit."""
    return _KINDS[cause]


def classify(
    *, smtp_code: int | None, enhanced_status: str | None, diagnostic: str | None, permanent: bool | None
) -> Classification:
    """The kind and cause of a failure.

    `enhanced_status` may carry a comment or be a bare reply code, as some reports have it. `permanent` is
    the vendor's own verdict and counts only where neither code says whether the refusal was temporary.
    """
    words = diagnostic[:_LONGEST_TEXT] if diagnostic else ""
    reply, enhanced = _codes(smtp_code, enhanced_status, words)
    if reply is not None:
        temporary = reply < 500  # noqa: PLR2004 - RFC 5321: 4yz is temporary, 5yz permanent
    elif enhanced is not None:
        temporary = enhanced[0] == "4"
    else:
        temporary = permanent is False
    cause = _cause(reply, enhanced, words, temporary=temporary)
    if temporary:
        cause = _SOFTENED.get(cause, cause)
    return Classification(kind=_KINDS[cause], cause=cause, smtp_code=reply, enhanced_status=enhanced)


def _codes(smtp_code: int | None, enhanced_status: str | None, words: str) -> tuple[int | None, str | None]:
    reply = smtp_code if smtp_code is not None and 400 <= smtp_code <= 599 else None  # noqa: PLR2004
    stated = None
    if enhanced_status:
        if found := _STATUS.match(enhanced_status):
            stated = found.group(1)
        elif reply is None and (bare := _REPLY.match(enhanced_status)):
            reply = int(bare.group())
    if not words:
        return reply, stated
    if both := _BOTH.match(words):
        reply, quoted = reply or int(both.group(1)), both.group(2)
    else:
        if reply is None and (found := _REPLY.search(words)):
            reply = int(found.group())
        quoted = _quoted_status(words)
    if quoted is None or quoted == stated:
        return reply, stated
    return reply, _preferred(stated, quoted, reply)


def _quoted_status(words: str) -> str | None:
    """The first enhanced code in the words that is neither part of an IPv4 address nor a version number."""
    for found in _ENHANCED.finditer(words):
        before = words[max(0, found.start() - 12) : found.start()]
        if before and (before[-1].isalnum() or before[-1] in "._/"):
            continue
        words_before = before.replace(":", " ").replace("=", " ").lower().split()
        if words_before and words_before[-1] in _VERSION_WORDS:
            continue
        return found.group()
    return None


def _preferred(stated: str | None, quoted: str, reply: int | None) -> str:
    """Which of two codes to believe: the one in the report's own field, or the one in the server's words."""
    if stated is None:
        return quoted
    if reply is not None and (stated[0] == str(reply)[0]) != (quoted[0] == str(reply)[0]):
        return stated if stated[0] == str(reply)[0] else quoted
    if stated.endswith(".0") != quoted.endswith(".0"):
        return quoted if stated.endswith(".0") else stated
    # What remains: two of the same weight. The far server's word is nearer to the truth, except that a
    # plain "no such mailbox" is not taken back by anything but a refusal for the sender's sake.
    if stated[2:] == "1.1" and quoted[2:4] != "7.":
        return stated
    return quoted


def _cause(reply: int | None, enhanced: str | None, words: str, *, temporary: bool) -> Cause:
    by_enhanced = enhanced_meaning(enhanced) if enhanced is not None else None
    by_reply = REPLY_CODES.get(reply) if reply is not None else None
    trust = _trust(by_enhanced, by_reply)
    if words and trust is not Trust.SURE:
        text = _readable(words)
        cause = cause_in_house(text)
        if cause is None and enhanced is not None and (rules := CODE_RULES.get(enhanced[2:])):
            cause = cause_in_words(text, rules)
        if cause is None:
            cause = _in_words(text, trust)
        if cause is None:
            cause = _by_command(text, reply, enhanced)
        if cause is not None:
            return cause
    for meaning in (by_enhanced, by_reply):
        if meaning is not None:
            cause = meaning.temporary if temporary else meaning.permanent
            if cause is not Cause.UNDETERMINED:
                return cause
    return Cause.UNDETERMINED


def _in_words(text: str, trust: Trust) -> Cause | None:
    if trust is Trust.VAGUE:
        return cause_in_words(text, TEXT_RULES)
    for stem in GUARD_STEMS:
        if stem in text:
            return cause_in_words(text, GUARD_RULES)
    return None


def _trust(by_enhanced: CodeMeaning | None, by_reply: CodeMeaning | None) -> Trust:
    if by_enhanced is not None and by_enhanced.trust is not Trust.VAGUE:
        return by_enhanced.trust
    if by_enhanced is None and by_reply is not None:
        return by_reply.trust
    return Trust.VAGUE


def _readable(words: str) -> str:
    text = words.lower()
    if "-4." in text or "-5." in text or "\n" in text:
        text = " ".join(_CONTINUATION.sub(" ", text).split())
    if "@" in text:
        text = _ADDRESS.sub("", text)
    return text


def _by_command(text: str, reply: int | None, enhanced: str | None) -> Cause | None:
    """What the SMTP command that was refused gives away, when the words say nothing else."""
    if reply != 550 or enhanced is not None:  # noqa: PLR2004 - the one reply that means all and nothing
        return None
    if "rcpt to" in text:
        return Cause.MAILBOX_DOES_NOT_EXIST
    if "mail from" in text:
        return Cause.SENDER_CONFIGURATION
    return Cause.POLICY if "end of data" in text or "data command" in text else None
