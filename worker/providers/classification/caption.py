"""What stands around a server's reply: the sending server's caption, and what it tells of the stage.

Forms: Postfix smtp(8), error(8) and bounce(8); Exim's "SMTP error from remote mail server after"; Sendmail's
transcript (>>> and <<<); qmail-remote(8); Cisco's "Unknown address error 550-'…'"; Exchange's "Remote Server
returned" and LED=; Gmail's "The response was".
"""

import re

from msgspec import Struct

from worker.providers.classification.reply import Speaker, Stage


class Captioned(Struct, frozen=True, kw_only=True, gc=False):
    """The innermost speaker's words, without what stands around them."""

    text: str
    speaker: Speaker
    stage: Stage
    smtp_code: int | None = None  # where the caption holds the code, and the quotes only the words


# Only where one of these words, an arrow or a quoted reply occurs does a text have a caption, or tell the stage.
_CUES = frozenset(
    {
        *("said", "says", "response", "responded", "answered", "returned", "replied", "reply", "after", "suspended"),
        *("refused", "while", "led", "error", "last", "like", "was", "command", "timeout", "rcpt", "data", "helo"),
        *("ehlo", "reason", "greeting", "status", "diagnostic", "code"),
    }
)
_TYPE = re.compile(r"\s*(?:smtp|lmtp|dns|x-[a-z0-9-]{1,20})\s*;\s*")
_CODE = r"(?=[245]\d\d(?:[ \-:;,#]|$)|[245]\.\d{1,3}\.\d{1,3}\b)"
_QUOTED = re.compile(
    # whatever caption it is: a verb of speaking, and then a code
    r"(?:\b(?:said|says|responded|replied|answered|returned|response|respond|reply|error|reason|was|led|is|code|status"
    r"|diagnostic|recipient|data|greeting|connection|server|host)\b[^:=>'\"<]{0,40}"
    rf"(?:[:=]|->|\swith|['\"<])\s*['\"<(\[#]*\s*{_CODE})"
    # and these even where no code follows
    r"|(?:\bsaid:\s*)|(?:\brefused to talk to me:\s*)|(?:->\s*)"
    r"|(?:\bsmtp error from remote mail(?:er| server)? after [^:]{1,40}:(?:<[^>]{0,320}>)?(?:\s*size=\d+)?:?\s*"
    r"(?:host \S{1,255} \[[^\]]{1,64}\]:\s*)?)"
)
_IN_QUOTES = re.compile(r"\b([45]\d\d)-?\s?'([^']{3,1500})'")
_COMMAND = re.compile(
    r"\(in reply to (?:end of )?(?P<postfix>[a-z ]{2,30}?) command\)"
    r"|\bafter (?:pipelined |sending )?(?:end of )?"
    r"(?P<exim>initial connection|ehlo|helo|starttls|auth|mail from|rcpt to|data)"
    r"|>>> ?(?P<sendmail>ehlo|helo|auth|mail|rcpt|data)"
    r"|\bwhile (?:sending |performing the |receiving the )?(?:end of )?(?:the )?"
    r"(?P<while>initial server greeting|ehlo handshake|helo handshake|ehlo|helo|mail from|rcpt to|data|message body)"
    r"|\b(?:in response to|response to|reply to|during|to the)(?: the)? (?:smtp )?(?:end of |end-of-)?"
    r"(?P<response>ehlo|helo|auth|mail from|rcpt to|data)\b"
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
}
# qmail-remote tells the stage in its own words.
_QMAIL_STAGES = (
    ("does not like recipient", Stage.RCPT_TO),
    ("connected to", Stage.CONNECT),
    ("sender was rejected", Stage.MAIL_FROM),
    ("my name was rejected", Stage.HELO),
    ("greeting failed", Stage.CONNECT),
    ("failed after i sent the message", Stage.DATA),
    ("failed on data command", Stage.DATA),
)
_SUSPENDED = "delivery temporarily suspended: "
_STAGE_WORDS = frozenset(
    {"rcpt", "from", "data", "helo", "ehlo", "auth", "starttls", "greeting", "connection", "body", "connected"}
    | {"like", "sender", "name", "sent"}
)
# What Exim appends to the last reason that it had (retry(5)).
_EXIM_TAIL = ": retry timeout exceeded"
_TAIL = re.compile(r"\s*\((?:in reply to [a-z ]{2,40}|delivery attempts: \d+)\)\s*$")
_REFUSED_TO_TALK = "refused to talk"
_BEGINS_WITH_CODE = re.compile(r"[245]\d\d(?:[ \-:]|$)")
# The first refusal in Sendmail's transcript; the commands that were sent behind it are refused for its sake.
_TRANSCRIPT = re.compile(r"<<<\s*([45]\d\d[^<>]{1,1500}(?:<(?!<<)[^<>]{0,320}>[^<>]{0,1500})*)")


def take_off_caption(text: str, tokens: frozenset[str]) -> Captioned:
    """The innermost speaker's words. `text` is in lower case and one line; `tokens` is all that may be a word in it."""
    if typed := _TYPE.match(text):
        text = text[typed.end() :]
    if _CUES.isdisjoint(tokens) and "->" not in text and "-'" not in text:
        return Captioned(text=text, speaker=_speaker(text), stage=Stage.UNKNOWN)
    return _innermost(text, Stage.UNKNOWN if _STAGE_WORDS.isdisjoint(tokens) else _stage(text))


def _innermost(text: str, stage: Stage) -> Captioned:
    text = text.removeprefix(_SUSPENDED)
    if len(text) > len(_EXIM_TAIL):
        text = text.removesuffix(_EXIM_TAIL)
    if quoted := _IN_QUOTES.search(text):
        return Captioned(text=quoted.group(2), speaker=Speaker.REMOTE, stage=stage, smtp_code=int(quoted.group(1)))
    if transcript := _TRANSCRIPT.search(text):
        return Captioned(text=transcript.group(1), speaker=Speaker.REMOTE, stage=stage)
    start = 0
    for opening in _QUOTED.finditer(text):
        if opening.end() < len(text):
            start = opening.end()
            if opening.group().startswith(_REFUSED_TO_TALK):
                stage = Stage.CONNECT
    inner = text[start:]
    while (tail := _TAIL.search(inner)) is not None:
        inner = inner[: tail.start()]
    if start:
        return Captioned(text=inner.rstrip(" '\">])"), speaker=Speaker.REMOTE, stage=stage)
    return Captioned(text=inner, speaker=_speaker(inner), stage=stage)


def _speaker(text: str) -> Speaker:
    return Speaker.REMOTE if _BEGINS_WITH_CODE.match(text) else Speaker.SENDING_MTA


def _stage(text: str) -> Stage:
    """What the caption says of the command that was refused; the last one counts, for it is the innermost."""
    if commands := list(_COMMAND.finditer(text)):
        return _STAGES.get(commands[-1].group(commands[-1].lastgroup or 0).strip(), Stage.UNKNOWN)
    for words, stage in _QMAIL_STAGES:
        if words in text:
            return stage
    return Stage.UNKNOWN
