"""What stands around a server's reply: the sending server's caption, and what it tells of the stage.

Forms: Postfix smtp(8), error(8) and bounce(8); Exim's "SMTP error from remote mail server after"; Sendmail's
transcript (>>> and <<<); qmail-remote(8); Cisco's "Unknown address error 550-'…'"; Exchange's "Remote Server
returned" and LED=; Gmail's "The response was".
"""

import re

from msgspec import Struct

from worker.providers.classification.reply import Speaker, Stage

# A blank for each byte that is no letter; what is not ASCII has bytes above them, and stays.
_BLANKS = bytes(number if number > 127 or chr(number).isalpha() else 32 for number in range(256))  # noqa: PLR2004


def tokens_of(text: str) -> frozenset[str]:
    """Everything in a text that may be a word."""
    return frozenset(text.encode("utf-8", "surrogatepass").translate(_BLANKS).decode("utf-8", "surrogatepass").split())


class Captioned(Struct, frozen=True, kw_only=True, gc=False):
    """The innermost speaker's words, without what stands around them."""

    text: str
    speaker: Speaker
    stage: Stage
    smtp_code: int | None = None  # where the caption holds the code, and the quotes only the words
    caption: str = ""


# -- Whether there is a caption at all ------------------------------------------------------------------------

# Where none of these words, no arrow and no quoted reply occurs, there is none, and nothing tells the stage.
_CUES = frozenset(
    {
        *("said", "says", "response", "responded", "answered", "returned", "replied", "reply", "after", "suspended"),
        *("refused", "while", "led", "error", "last", "like", "was", "command", "timeout", "connected", "during"),
        *("reason", "greeting", "status", "diagnostic", "code"),
    }
)
_TYPE = re.compile(r"\s*(?:smtp|lmtp|dns|x-[a-z0-9-]{1,20})\s*;\s*")

# -- Where the quoted reply begins ----------------------------------------------------------------------------

# A code behind one of these signs is quoted, where a verb of speaking stands before it.
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
_REACH = 60  # characters before the code in which the verb stands
_REFUSED_TO_TALK = "refused to talk to me: "
_SAYING = ("said: ", _REFUSED_TO_TALK, "-> ")  # these even where no code follows
_EXIM = "smtp error from remote mail"
_AFTER_EXIMS_CAPTION = re.compile(
    r"\bsmtp error from remote mail(?:er| server)? after [^:]{1,40}:(?:<[^>]{0,320}>)?(?:\s*size=\d+)?:?\s*"
    r"(?:host \S{1,255} \[[^\]]{1,64}\]:\s*)?"
)
_IN_QUOTES = re.compile(r"\b([45]\d\d)-?\s?'([^']{3,1500})'")
# The first refusal in Sendmail's transcript; the commands that were sent behind it are refused for its sake.
_TRANSCRIPT = re.compile(r"<<<\s*([45]\d\d[^<>]{1,1500}(?:<(?!<<)[^<>]{0,320}>[^<>]{0,1500})*)")
_SUSPENDED = "delivery temporarily suspended: "
_EXIM_TAIL = ": retry timeout exceeded"  # what Exim appends to the last reason that it had (retry(5))
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
# qmail-remote tells the stage in its own words.
_QMAIL_STAGES = (
    ("does not like recipient", Stage.RCPT_TO),
    ("sender was rejected", Stage.MAIL_FROM),
    ("my name was rejected", Stage.HELO),
    ("greeting failed", Stage.CONNECT),
    ("failed after i sent the message", Stage.DATA),
    ("failed on data command", Stage.DATA),
    ("connected to", Stage.CONNECT),
)


def usual_caption(text: str) -> tuple[Captioned, frozenset[str]] | None:
    """The innermost speaker's words and their tokens, in one of the two usual captions; None for other texts.

    Postfix's: "host mx.example.org[192.0.2.1] said: 550 … (in reply to RCPT TO command)"; Exim's: "SMTP error from
    remote mail server after RCPT TO:<jane@example.org>: host mx.example.org [192.0.2.1]: 550 …". `text` is without
    its type.
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
    quoted = Captioned(text=inner.rstrip(" '\">])"), speaker=Speaker.REMOTE, stage=stage, caption=text[:start])
    return quoted, tokens


def _quotes(words: str, tokens: frozenset[str]) -> bool:
    """True if a reply may itself quote another, and so needs the long way."""
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
    """A diagnostic without the type that reports put before it: "smtp; 550 …"."""
    typed = _TYPE.match(text)
    return text[typed.end() :] if typed is not None else text


def take_off_caption(text: str, tokens: frozenset[str]) -> Captioned:
    """The innermost speaker's words. `text` is in lower case, one line, and without its type.

    `tokens` is all that may be a word in it.
    """
    if _CUES.isdisjoint(tokens) and "->" not in text and "-'" not in text and "<<<" not in text:
        return Captioned(text=text, speaker=_speaker(text), stage=Stage.UNKNOWN)
    return _innermost(text, tokens)


def _innermost(text: str, tokens: frozenset[str]) -> Captioned:
    stage = _stage(text)
    text = text.removeprefix(_SUSPENDED)
    if len(text) > len(_EXIM_TAIL):
        text = text.removesuffix(_EXIM_TAIL)
    if "'" in text and (quoted := _IN_QUOTES.search(text)):
        return Captioned(
            text=quoted.group(2),
            speaker=Speaker.REMOTE,
            stage=stage,
            smtp_code=int(quoted.group(1)),
            caption=text[: quoted.start()],
        )
    if "<<<" in text and (transcript := _TRANSCRIPT.search(text)):
        return Captioned(
            text=transcript.group(1), speaker=Speaker.REMOTE, stage=stage, caption=text[: transcript.start()]
        )
    start = _start_of_quote(text, tokens)
    if start and text.endswith(_REFUSED_TO_TALK, 0, start):
        stage = Stage.CONNECT
    inner = text[start:]
    while inner.endswith(")") and (tail := _TAIL.search(inner)) is not None:
        inner = inner[: tail.start()]
    if start:
        return Captioned(text=inner.rstrip(" '\">])"), speaker=Speaker.REMOTE, stage=stage, caption=text[:start])
    return Captioned(text=inner, speaker=_speaker(inner), stage=stage)


def _start_of_quote(text: str, tokens: frozenset[str]) -> int:
    """Where the innermost quoted reply begins; 0 where nothing is quoted."""
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
    """What the caption says of the command that was refused; the last one counts, for it is the innermost."""
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
