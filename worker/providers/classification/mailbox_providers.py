"""Tokens of single mailbox providers that say what their codes do not, each an exact pattern."""

import re

from msgspec import Struct

from schemas.vocabulary import Cause


class Token(Struct, frozen=True, kw_only=True, gc=False):
    """One provider's token. `text` that it is sought in is in lower case."""

    provider: str
    name: str
    cause: Cause
    cue: str  # must occur for the pattern to be tried
    pattern: re.Pattern[str]


def _token(provider: str, cause: Cause, cue: str, pattern: str, *, name: str = "") -> Token:
    return Token(provider=provider, name=name or cue, cause=cause, cue=cue, pattern=re.compile(pattern))


TOKENS: tuple[Token, ...] = (
    # Google, https://support.google.com/a/answer/3726730: 5.2.1 is an idle account or a rate, 5.2.2 a full
    # mailbox or a full and forsaken one; gcdp is a rule that the recipient's own administrator wrote.
    _token("Google", Cause.MAILBOX_DISABLED, "p=", r"\bp=(?:disableduser|overquotaperm)\b"),
    _token("Google", Cause.RATE_LIMITED, "p=", r"\bp=receivingrate(?:perm)?\b"),
    _token("Google", Cause.MAILBOX_FULL, "p=", r"\bp=overquota(?:temp)?\b"),
    _token("Google", Cause.MAILBOX_DOES_NOT_EXIST, "p=", r"\bp=nosuchuser\b"),
    _token("Google", Cause.VIRUS, "p=", r"\bp=blockedmessage\b"),
    _token("Google", Cause.SENDER_AUTHENTICATION, "p=", r"\bp=unauthenticated\b"),
    _token("Google", Cause.SENDER_REPUTATION, "p=", r"\bp=unsolicited\w*"),
    _token("Google", Cause.RECIPIENT_RESTRICTED, "gcdp", r"\bgcdp\b"),
    _token("Google", Cause.SENDER_AUTHENTICATION, "autherror", r"\bautherror\b"),
    # Microsoft
    _token(
        "Microsoft",
        Cause.MAILBOX_DOES_NOT_EXIST,
        "resolver.adr",
        r"\bresolver\.adr\.(?:recip\w*notfound|exrecipnotfound|invalid\w*)",
    ),
    _token("Microsoft", Cause.RECIPIENT_RESTRICTED, "resolver.rst", r"\bresolver\.rst\.\w+"),
    _token("Microsoft", Cause.SENDER_REPUTATION, "(s3", r"\(s31[45]0\)"),
    _token("Microsoft", Cause.RATE_LIMITED, "rp-00", r"\brp-00[1-3]\b"),
    _token("Microsoft", Cause.SENDER_REPUTATION, "-00", r"\b(?:sc|dy|ou)-00[1-4]\b"),
    _token("Microsoft", Cause.CONTENT, "content filter agent", r"\bcontent filter agent\b"),
    # Yahoo and AOL, https://senders.yahooinc.com/smtp-error-codes
    _token("Yahoo", Cause.SENDER_REPUTATION, "[ts", r"\[tss?\d{2}\]"),
    _token("Yahoo", Cause.SENDER_REPUTATION, "[bl", r"\[bl\d{2}\]"),
    _token("Yahoo", Cause.CONTENT, "[ph", r"\[ph\d{2}\]"),
    _token("Yahoo", Cause.MAILBOX_DISABLED, "554.30", r"\(554\.30\)"),
    _token("Yahoo", Cause.MAILBOX_DOES_NOT_EXIST, "[-", r"\[-(?:5|20)\]"),
    # Apple, https://support.apple.com/102322: a Hide My Email relay, a local policy.
    _token("Apple", Cause.SENDER_AUTHENTICATION, "[hme", r"\[hme\d\]"),
    _token("Apple", Cause.SENDER_REPUTATION, "[cs", r"\[cs\d{2}\]"),
    # Orange and La Poste: a full mailbox comes as "552 5.1.1", an archived one as anything; the number counts.
    _token("Orange", Cause.MAILBOX_DOES_NOT_EXIST, "_416", r"\b(?:ofr|lpn)\w*_416\b"),
    _token("Orange", Cause.MAILBOX_FULL, "_417", r"\b(?:ofr|lpn)\w*_417\b"),
    _token("Orange", Cause.MAILBOX_DISABLED, "_42", r"\b(?:ofr|lpn)\w*_42[06]\b"),
    _token("Orange", Cause.SENDER_REPUTATION, "_10", r"\b(?:ofr|lpn)\w*_10[234]\b"),
    _token("Orange", Cause.CONTENT, "_506", r"\b(?:ofr|lpn)\w*_506\b"),
    _token("Orange", Cause.MESSAGE_TOO_LARGE, "_514", r"\b(?:ofr|lpn)\w*_514\b"),
    _token("Orange", Cause.SENDER_AUTHENTICATION, "_517", r"\b(?:ofr|lpn)\w*_517\b"),
    # Spectrum and Cox number their acceptable-use blocks.
    _token("Spectrum", Cause.SENDER_REPUTATION, "aup#", r"\baup#"),
    # Mimecast says this to senders it does not know well; Tencent says that to those who are too fast.
    _token("Mimecast", Cause.GREYLISTED, "internal resources", r"\binternal resources (?:are )?temporarily\b"),
    _token("Tencent", Cause.RATE_LIMITED, "unavailable or access denied", r"\bmailbox unavailable or access denied\b"),
)
# A text without one of these words or marks has no token.
_WORDS = frozenset(
    {"p", "gcdp", "autherror", "resolver", "s", "rp", "sc", "dy", "ou", "filter", "aup", "internal", "unavailable"}
)


def token_in(text: str, words: frozenset[str]) -> Token | None:
    """The first token that occurs in a reply's own words, None where none does. `text` is in lower case."""
    if "[" not in text and "_" not in text and "(554.30)" not in text and _WORDS.isdisjoint(words):
        return None
    for token in TOKENS:
        if token.cue in text and token.pattern.search(text):
            return token
    return None
