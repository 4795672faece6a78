"""Separates a server's reply from its caption: what the sending server writes around it, often with the stage.

Known captions: Postfix smtp(8), error(8) and bounce(8); Exim's "SMTP error from remote mail server after"; Sendmail's
transcript (>>> and <<<); qmail-remote(8); Cisco's "Unknown address error 550-'…'"; Exchange's "Remote Server
returned" and LED=; Gmail's "The response was".
"""

import re

from msgspec import Struct

from worker.providers.classification.reply import Speaker, Stage

# Replaces each ASCII character that is not a letter by a blank. Other characters consist of higher bytes, and stay.
_BLANKS = bytes(number if number > 127 or chr(number).isalpha() else 32 for number in range(256))  # noqa: PLR2004


def tokens_of(text: str) -> frozenset[str]:
    """Every piece of the text that may be a word."""
    return frozenset(text.encode("utf-8", "surrogatepass").translate(_BLANKS).decode("utf-8", "surrogatepass").split())


class QuotedReply(Struct, frozen=True, kw_only=True, gc=False):
    """The innermost reply, without what stands around it."""

    text: str
    speaker: Speaker
    stage: Stage
    smtp_code: int | None = None  # if the code is in the caption, and the quotes hold only the words
    caption: str = ""


# -- Whether there is a caption at all ------------------------------------------------------------------------

# A text without any of these words, an arrow or a quoted reply has no caption, and does not tell the stage.
_CUES = frozenset(
    {
        *("said", "says", "response", "responded", "answered", "returned", "replied", "reply", "after", "suspended"),
        *("refused", "while", "led", "error", "last", "like", "was", "command", "timeout", "connected", "during"),
        *("reason", "greeting", "status", "diagnostic", "code"),
    }
)
_TYPE = re.compile(r"\s*(?:smtp|lmtp|dns|x-[a-z0-9-]{1,20})\s*;\s*")

# -- Where the quoted reply begins ----------------------------------------------------------------------------

# A code after one of these signs is quoted if a verb of speaking stands before it.
_QUOTED_CODE = re.compile(r"(?:[:=>'\"(\[<]|\bwith) ?['\"<(\[#]?(?=[245]\d\d(?:[ \-:;,#]|$)|[245]\.\d{1,3}\.\d{1,3}\b)")
_VERBS = re.compile(
    r"\b(?:said|says|responded|replied|answered|returned|response|respond|reply|error|reason|was|led|is|status|code"
    r"|diagnostic|recipient|data|greeting|connection|server|host)\b[^:=>'\"<]{0,40}$"
)
_VERB_WORDS = frozenset(
    {
        *("said", "says", "responded", "replied", "answered", "returned", "response", "respond", "error", "reason"),
        *("was", "led", "status", "code", "diagnostic", "greeting", "last"),
    }
)
_REACH = 60  # the verb is among so many characters before the code
_REFUSED_TO_TALK = "refused to talk to me: "
_SAYING = ("said: ", _REFUSED_TO_TALK, "-> ")  # quoted even if no code follows
_EXIM = "smtp error from remote mail"
_AFTER_EXIMS_CAPTION = re.compile(
    r"\bsmtp error from remote mail(?:er| server)? after [^:]{1,40}:(?:<[^>]{0,320}>)?(?:\s*size=\d+)?:?\s*"
    r"(?:host \S{1,255} \[[^\]]{1,64}\]:\s*)?"
)
_IN_QUOTES = re.compile(r"\b([45]\d\d)-?\s?'([^']{3,1500})'")
# The first refusal in Sendmail's transcript: the later commands are refused because of it.
_TRANSCRIPT = re.compile(r"<<<\s*([45]\d\d[^<>]{1,1500}(?:<(?!<<)[^<>]{0,320}>[^<>]{0,1500})*)")
_SUSPENDED = "delivery temporarily suspended: "
_EXIM_TAIL = ": retry timeout exceeded"  # Exim appends it to the last reason (retry(5))
_TAIL = re.compile(r"\s*\((?:in reply to [a-z ]{2,40}|delivery attempts: \d+)\)\s*$")
_LONGEST_USUAL = 340  # a host's name and its address
_SHORTEST_CAPTION = 12
_IN_REPLY = " (in reply to "
_BEGINS_WITH_CODE = re.compile(r"[245]\d\d(?:[ \-:]|$)")

# -- At which stage -------------------------------------------------------------------------------------------

_BEFORE_COMMAND = ("(in reply to ", "after ", "while ", ">>> ", "response to ", "reply to ", "during ")
_COMMAND = re.compile(
    r"(?:the |smtp |pipelined |sending |performing |receiving |processing |end of |end-of-|command ){0,4}"
    r"(initial connection|initial server greeting|starttls|ehlo handshake|helo handshake|ehlo|helo|auth|mail from|mail"
    r"|rcpt to|rcpt|data|message body|dot)\b"
)
_STAGES = {
    "initial connection": Stage.CONNECT,
    "initial server greeting": Stage.CONNECT,
    "starttls": Stage.CONNECT,
    "ehlo": Stage.HELO,
    "helo": Stage.HELO,
    "ehlo handshake": Stage.HELO,
    "helo handshake": Stage.HELO,
    "auth": Stage.AUTH,
    "mail": Stage.MAIL_FROM,
    "mail from": Stage.MAIL_FROM,
    "rcpt": Stage.RCPT_TO,
    "rcpt to": Stage.RCPT_TO,
    "data": Stage.DATA,
    "message body": Stage.DATA,
    "dot": Stage.DATA,
}
# qmail-remote has its own words for the stages.
_QMAIL_STAGES = (
    ("does not like recipient", Stage.RCPT_TO),
    ("sender was rejected", Stage.MAIL_FROM),
    ("my name was rejected", Stage.HELO),
    ("greeting failed", Stage.CONNECT),
    ("failed after i sent the message", Stage.DATA),
    ("failed on data command", Stage.DATA),
    ("connected to", Stage.CONNECT),
)


def usual_caption(text: str) -> tuple[QuotedReply, frozenset[str]] | None:
    """The reply in one of the two most common captions, and the reply's tokens; None for other texts.

    Postfix's: "host mx.example.org[192.0.2.1] said: 550 … (in reply to RCPT TO command)"; Exim's: "SMTP error from
    remote mail server after RCPT TO:<jane@example.org>: host mx.example.org [192.0.2.1]: 550 …". `text` has no type.
    """
    end = len(text)
    if text.startswith("host "):
        start = text.find("] said: ", 0, _LONGEST_USUAL) + len("] said: ")
        place = text.rfind(_IN_REPLY)
        if place < start or not text.endswith(")"):
            return None
        command, end = _COMMAND.match(text, place + len(_IN_REPLY)), place
    elif text.startswith(_EXIM):
        match = _AFTER_EXIMS_CAPTION.match(text)
        start = match.end() if match is not None else 0
        if "after " in text[start:]:
            return None
        command = _COMMAND.match(text, text.find("after ") + len("after "))
    else:
        return None
    inner = text[start:end]
    if start < _SHORTEST_CAPTION or command is None or not inner[:3].isdigit():
        return None
    tokens = tokens_of(inner)
    if _quotes(inner, tokens):
        return None
    stage = _STAGES[command.group(1)]
    quoted = QuotedReply(text=inner.rstrip(" '\">])"), speaker=Speaker.REMOTE, stage=stage, caption=text[:start])
    return quoted, tokens


def _quotes(words: str, tokens: frozenset[str]) -> bool:
    """True if the reply may quote another one, which only the full search finds."""
    return (
        "said: " in words
        or "-> " in words
        or "<<<" in words
        or _REFUSED_TO_TALK in words
        or ("'" in words and _IN_QUOTES.search(words) is not None)
        or (not _VERB_WORDS.isdisjoint(tokens) and _QUOTED_CODE.search(words, 1) is not None)
        or "reply:" in words
    )


def without_type(text: str) -> str:
    """The diagnostic without the type that reports write before it, as in "smtp; 550 …"."""
    typed = _TYPE.match(text)
    return text[typed.end() :] if typed is not None else text


def take_off_caption(text: str, tokens: frozenset[str]) -> QuotedReply:
    """The innermost reply in the text. `text` is one line in lower case, without a type; `tokens` are its tokens."""
    if _CUES.isdisjoint(tokens) and "->" not in text and "-'" not in text and "<<<" not in text:
        return QuotedReply(text=text, speaker=_speaker(text), stage=Stage.UNKNOWN)
    return _innermost(text, tokens)


def _innermost(text: str, tokens: frozenset[str]) -> QuotedReply:
    stage = _stage(text)
    text = text.removeprefix(_SUSPENDED)
    if len(text) > len(_EXIM_TAIL):
        text = text.removesuffix(_EXIM_TAIL)
    if "'" in text and (quoted := _IN_QUOTES.search(text)):
        return QuotedReply(
            text=quoted.group(2),
            speaker=Speaker.REMOTE,
            stage=stage,
            smtp_code=int(quoted.group(1)),
            caption=text[: quoted.start()],
        )
    if "<<<" in text and (transcript := _TRANSCRIPT.search(text)):
        return QuotedReply(
            text=transcript.group(1), speaker=Speaker.REMOTE, stage=stage, caption=text[: transcript.start()]
        )
    start = _start_of_quote(text, tokens)
    if start and text.endswith(_REFUSED_TO_TALK, 0, start):
        stage = Stage.CONNECT
    inner = text[start:]
    while inner.endswith(")") and (tail := _TAIL.search(inner)) is not None:
        inner = inner[: tail.start()]
    if start:
        return QuotedReply(text=inner.rstrip(" '\">])"), speaker=Speaker.REMOTE, stage=stage, caption=text[:start])
    return QuotedReply(text=inner, speaker=_speaker(inner), stage=stage)


def _start_of_quote(text: str, tokens: frozenset[str]) -> int:
    """Where the innermost quoted reply begins; 0 if nothing is quoted."""
    start = 0
    for saying in _SAYING:
        place = text.rfind(saying)
        if place >= 0 and place + len(saying) < len(text):
            start = max(start, place + len(saying))
    if _EXIM in text and (after := _AFTER_EXIMS_CAPTION.search(text)) and after.end() < len(text):
        start = max(start, after.end())
    if _VERB_WORDS.isdisjoint(tokens) and "reply:" not in text:
        return start
    for quoted in _QUOTED_CODE.finditer(text, start):
        if _VERBS.search(text[max(0, quoted.start() - _REACH) : quoted.start()].rstrip()):
            start = quoted.end()
    return start


def _speaker(text: str) -> Speaker:
    return Speaker.REMOTE if _BEGINS_WITH_CODE.match(text) else Speaker.SENDING_MTA


def _stage(text: str) -> Stage:
    """The stage of the command that was refused. If the caption names several, the last one is the innermost."""
    found, stage = -1, Stage.UNKNOWN
    for before in _BEFORE_COMMAND:
        place = text.rfind(before)
        if place > found and (command := _COMMAND.match(text, place + len(before))):
            found, stage = place, _STAGES[command.group(1)]
    if found >= 0:
        return stage
    for words, qmail_stage in _QMAIL_STAGES:
        if words in text:
            return qmail_stage
    return Stage.UNKNOWN
