"""Reads a reply before it is judged: removes the caption, and finds the codes, the stage and the last line."""

import re

from worker.providers.classification.caption import take_off_caption, tokens_of, usual_caption, without_type
from worker.providers.classification.remote_host import remote_host as host_name
from worker.providers.classification.reply import Reply, Stage

_LONGEST_TEXT = 2_000
# Codes that answer only one command (RFC 4954, 4.7.2; RFC 5248).
_STAGE_BY_CODE = dict.fromkeys((523, 524, 525, 530, 534, 535, 538), Stage.AUTH)
# Details may have three digits. The pattern begins with the first digit, which makes the search fast.
_ENHANCED = re.compile(r"[45]\.[0-7]\.\d{1,3}(?!\.?\d|\w)")
_VERSION_WORDS = frozenset({"version", "ver", "ver.", "release", "build"})
_REPLY = re.compile(r"(?<![\w.:/@#+-])[45][0-5-7]\d(?=[ \-:;,#]|$)")
# Most refusals begin with both codes, which are then found at once.
_BOTH = re.compile(r"\s*([45][0-5-7]\d)[ -]#?([45]\.[0-7]\.\d{1,3})(?!\.?\d|\w)")
_STATUS = re.compile(r"\s*([45]\.[0-7]\.\d{1,3})(?!\.?\d)")


def read_reply(
    diagnostic: str,
    *,
    smtp_code: int | None = None,
    enhanced_status: str | None = None,
    stage: Stage = Stage.UNKNOWN,
    recipient: str | None = None,
    sender: str | None = None,
    remote_host: str | None = None,
) -> Reply:
    """The parts of a reply. Beside the text stands what the report or the vendor says outside of it."""
    text = without_type(" ".join(diagnostic[:_LONGEST_TEXT].lower().split()))
    if (usual := usual_caption(text)) is not None:
        captioned, tokens = usual
    else:
        tokens = tokens_of(text)
        captioned = take_off_caption(text, tokens)
    reply, enhanced = find_codes(captioned.smtp_code or smtp_code, enhanced_status, captioned.text)
    if stage is Stage.UNKNOWN:
        stage = captioned.stage
    if stage is Stage.UNKNOWN and reply is not None:
        stage = _STAGE_BY_CODE.get(reply, stage)
    return Reply(
        speaker=captioned.speaker,
        stage=stage,
        smtp_code=reply,
        enhanced_status=enhanced,
        text=captioned.text,
        last_line=_last_line(captioned.text),
        tokens=tokens,
        recipient=recipient.lower() if recipient else "",
        sender=sender.lower() if sender else "",
        caption=captioned.caption,
        remote_host=host_name(remote_host) if remote_host else "",
    )


def _last_line(text: str) -> str:
    """The last line of a reply of several lines, each of which begins with the reply code (RFC 5321, 4.2.1)."""
    if text[3:4] != "-" or not text[:3].isdigit():
        return ""
    code = text[:3]
    place = max(text.rfind(f" {code} "), text.rfind(f" {code}-"))
    return text[place + 1 :] if place > 0 else ""


def find_codes(smtp_code: int | None, enhanced_status: str | None, words: str) -> tuple[int | None, str | None]:
    """The reply code and the enhanced code to believe, of those that are reported and those in the innermost reply."""
    reply = smtp_code if smtp_code is not None and 400 <= smtp_code <= 599 else None  # noqa: PLR2004
    stated = None
    if enhanced_status:
        if match := _STATUS.match(enhanced_status):
            stated = match.group(1)
        elif reply is None and (bare := _REPLY.match(enhanced_status)):
            reply = int(bare.group())
    if not words:
        return reply, stated
    if both := _BOTH.match(words):
        reply, quoted = reply or int(both.group(1)), both.group(2)
    else:
        if reply is None and (match := _REPLY.search(words)):
            reply = int(match.group())
        quoted = _quoted_status(words)
    if quoted is None or quoted == stated:
        return reply, stated
    return reply, _preferred(stated, quoted, reply)


def _quoted_status(words: str) -> str | None:
    """The first enhanced code in the words. Parts of IPv4 addresses and version numbers are none."""
    for match in _ENHANCED.finditer(words):
        before = words[max(0, match.start() - 12) : match.start()]
        if before and (before[-1].isalnum() or before[-1] in "._/"):
            continue
        words_before = before.replace(":", " ").replace("=", " ").lower().split()
        if words_before and words_before[-1] in _VERSION_WORDS:
            continue
        return match.group()
    return None


def _preferred(stated: str | None, quoted: str, reply: int | None) -> str:
    """The code to believe: the one in the report's own field, or the one in the server's words."""
    if stated is None:
        return quoted
    if reply is not None and (stated[0] == str(reply)[0]) != (quoted[0] == str(reply)[0]):
        return stated if stated[0] == str(reply)[0] else quoted
    if stated.endswith(".0") != quoted.endswith(".0"):
        return quoted if stated.endswith(".0") else stated
    # Both say equally much. The code in the receiving server's words is nearer to the truth; but "no such mailbox" is
    # believed unless the server refuses the sender.
    if stated[2:] == "1.1" and quoted[2:4] != "7.":
        return stated
    return quoted
