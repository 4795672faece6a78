"""The words of the receiving server, as the prose of a bounce quotes them."""

import re
from collections.abc import Collection

from worker.providers.mail.mail_part import RETURNED_TYPES, Headers, MailPart, read_headers
from worker.providers.mail.mail_text import html_as_text
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT

LONGEST_LINE = 998  # RFC 5322, 2.1.1; longer lines are not written for people
_MOST_CHARACTERS = 64_000
_MOST_LINES = 12
_BEFORE_ADDRESS = frozenset(" \t<>()[],;:\"'=|*")

# The beginning of the returned mail, in bounces that copy it below their own text.
_COPY = re.compile(
    r"^(?:[->=* ]{2,}.{0,80}(?:copy of (?:the|your) message|original message|returned message|message headers)"
    r"|--- ?below (?:this line|the next line)|original message (?:follows|headers|details)"
    r"|-{4,} ?forwarded message|------ this is a copy)",
    re.IGNORECASE | re.MULTILINE,
)
_FIELDS = re.compile(
    r"^(?:Return-Path|Received|Message-ID|Date|From|DKIM-Signature|List-Unsubscribe): ?\S.*\n"
    r"(?:[ \t].*\n|[A-Za-z-]{2,40}:.*\n)",
    re.IGNORECASE | re.MULTILINE,
)
_REPLY = re.compile(r"(?<![\w.:/@#+-])[45][0-5-7]\d[- ]|\b[45]\.\d\.\d{1,3}\b")


def prose_of(mail: MailPart) -> str:
    """The text of a mail, without the mail that it returns as a part. Lines are cut to LONGEST_LINE."""
    texts = [leaf.text() for leaf in mail.leaves() if leaf.content_type == "text/plain"]
    if not any(text.strip() for text in texts):
        texts = [html_as_text(leaf.text()) for leaf in mail.leaves() if leaf.content_type == "text/html"]
    text = "\n".join(texts)[:_MOST_CHARACTERS]
    return "\n".join(line[:LONGEST_LINE] for line in text.split("\n"))


def notice_and_copy(prose: str) -> tuple[str, Headers]:
    """The text that the server itself wrote, and the header of the mail that it copied below."""
    copy = _COPY.search(prose)
    fields = _FIELDS.search(prose, copy.end() if copy else 0)
    begin = min((match.start() for match in (copy, fields) if match), default=len(prose))
    header = read_headers(prose[fields.start() :].encode("utf-8", "replace"))[0] if fields else Headers()
    return prose[:begin], header


def returned_headers(mail: MailPart) -> Headers | None:
    """The header of the mail that is returned as a part; None if there is none."""
    for leaf in mail.leaves():
        if leaf.content_type in RETURNED_TYPES and leaf.parts:
            return leaf.parts[0].headers
    return None


def has_copy(prose: str) -> bool:
    """True if there is a copy of the mail below the notice."""
    return bool(_COPY.search(prose) or _FIELDS.search(prose))


def words_about(notice: str, address: str | None, *, others: Collection[str] = ()) -> str | None:
    """The lines of a notice from the address on, or from the first reply code if the address is not there.

    They end before the next address in `others`: each recipient has words of its own (RFC 3464, 2.3). If there are
    others, words without an address belong to nobody.
    """
    lines = notice.split("\n")
    begin = None
    if address:
        begin = next((place for place, line in enumerate(lines) if _names(line, address)), None)
    if begin is None and not others:
        begin = next((place for place, line in enumerate(lines) if _REPLY.search(line)), None)
    if begin is None:
        return None
    words: list[str] = []
    for line in lines[begin : begin + _MOST_LINES]:
        if not line.strip() and any(_REPLY.search(word) for word in words):
            break
        if words and any(_names(line, other) for other in others if other != address):
            break
        if line.strip():
            words.append(line.strip())
    return " ".join(words)[:DIAGNOSTIC_LIMIT] or None


def _names(line: str, address: str) -> bool:
    """True if the line contains the address, and not only as the end of a longer one."""
    lowered = line.lower()
    place = lowered.find(address)
    while place >= 0:
        if place == 0 or lowered[place - 1] in _BEFORE_ADDRESS:
            return True
        place = lowered.find(address, place + 1)
    return False
