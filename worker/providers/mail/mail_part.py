"""Splits a mail into headers and MIME parts, within limits that no sender can exceed.

Written for the reports of forty years of servers, and for forgeries: it raises only if the input is not a mail at all.
All sorts of line ends, wrong boundaries, broken encodings and unknown charsets are read as well as possible. Depth,
number of parts and size of headers are limited, and the rest is left out. Python's own parser is not used, because it
goes as deep as the sender wants.
"""

import binascii
import quopri
import re
import string
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header

from msgspec import Struct
from msgspec.structs import replace

from worker.errors import UnreadablePayload

MAX_DEPTH = 8
MAX_PARTS = 60  # in one mail; only attacks have more
MAX_HEADER_BYTES = 128 * 1024
MAX_FIELDS = 400
MAX_VALUE_CHARACTERS = 8_000
MAX_TEXT_BYTES = 256 * 1024
MAX_ENCODED_BYTES = MAX_TEXT_BYTES * 3  # quoted-printable writes a byte in three
RETURNED_TYPES = frozenset(
    {
        "message/rfc822",
        "message/global",
        "message/global-headers",
        "text/rfc822-headers",
        "text/rfc822-header",  # not registered, but some servers write it
    }
)

_FIELD = re.compile(rb"([A-Za-z0-9][A-Za-z0-9_.-]{0,100})[ \t]*:(.*)", re.DOTALL)
_OF_EVERY_MAIL = frozenset(
    {"from", "to", "date", "received", "subject", "message-id", "return-path", "content-type", "mime-version"}
)
_PARAMETER = re.compile(r""";\s*([A-Za-z0-9_*-]{1,50})\s*=\s*(?:"((?:[^"\\]|\\.){0,300})"|([^\s;"]{1,300}))""")
_LIKELY_BOUNDARY = re.compile(rb"^--([^\s-][^\n]{0,150})\nContent-", re.MULTILINE | re.IGNORECASE)
_CHARSET = re.compile(
    r"utf-?8|utf-?16(?:le|be)?|us-ascii|ascii|iso-?8859-?\d{1,2}|latin-?\d|windows-?\d{3,4}|cp-?\d{3,4}|koi8-?[ru]"
    r"|gb2312|gbk|gb18030|big5|shift[_-]?jis|euc-(?:jp|kr)|ks_c_5601-1987|iso-2022-(?:jp|kr)|tis-620",
    re.IGNORECASE,
)
_NOT_BASE64 = bytes(set(range(256)) - set(string.ascii_letters.encode() + string.digits.encode() + b"+/"))


class Headers(Struct, frozen=True):
    """Header fields in their order, names in lower case, values unfolded."""

    fields: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """The first value, or "" if the field is missing."""
        for field, value in self.fields:
            if field == name:
                return value
        return ""

    def all(self, name: str) -> list[str]:
        """Every value, from the top."""
        return [value for field, value in self.fields if field == name]

    def readable(self, name: str) -> str:
        """The first value with its encoded words (RFC 2047) in letters."""
        value = self.get(name)[:1_000]
        if "=?" not in value:
            return value
        try:
            return "".join(
                word if isinstance(word, str) else decoded(word, charset or "")
                for word, charset in decode_header(value)
            )
        except (MessageError, ValueError, LookupError, AssertionError):
            return value


class MailPart(Struct, frozen=True, kw_only=True):
    """A mail, or a part of one. A returned message (RETURNED_TYPES) is the one part of its part."""

    headers: Headers
    content_type: str  # in lower case; "text/plain" if there is none
    parameters: dict[str, str]  # of the content type, names in lower case
    # The encoded part after the headers, as positions in the whole mail. With its own bytes, each part would be a copy
    # of everything below it.
    mail: bytes
    begin: int
    end: int
    parts: tuple["MailPart", ...] = ()

    def payload(self) -> bytes:
        """The body without its transfer encoding, up to MAX_TEXT_BYTES."""
        body = self.mail[self.begin : min(self.end, self.begin + MAX_ENCODED_BYTES)]
        return _transfer_decoded(body, self.headers.get("content-transfer-encoding").strip().lower())

    def first_boundary(self) -> bytes | None:
        """The first line in the body that looks like a boundary, without its hyphens; None if none does."""
        match = _LIKELY_BOUNDARY.search(self.mail, self.begin, self.end)
        return match.group(1).rstrip() if match else None

    def text(self) -> str:
        """The body as text, with LF at line ends."""
        return decoded(self.payload(), self.parameters.get("charset", "")).replace("\r\n", "\n").replace("\r", "\n")

    def leaves(self) -> Iterator["MailPart"]:
        """The parts without parts of their own, in order; a returned message is one leaf."""
        if self.content_type in RETURNED_TYPES or not self.parts:
            yield self
        else:
            for part in self.parts:
                yield from part.leaves()


def read_mail_part(message: bytes) -> MailPart:
    """The mail with its parts; raises UnreadablePayload if it is not a mail."""
    if b"\r\r\n" in message[:MAX_HEADER_BYTES]:  # lines that end in LF, with CR LF inside
        message = message.replace(b"\r\r\n", b"\n")
    lines = message.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n\t ")
    if lines.startswith((b"From ", b">From ")):  # the line that an mbox file puts before each mail
        lines = lines.partition(b"\n")[2]
    headers, _ = _headers_at(lines, 0, len(lines))
    if not any(name in _OF_EVERY_MAIL for name, _ in headers.fields):
        raise UnreadablePayload(
            "mail: the body begins with no header field of a mail (From, Date, Subject …): post the raw message"
        )
    return _Reader().read(lines, 0, len(lines), depth=0)


def read_headers(lines: bytes) -> tuple[Headers, bytes]:
    """The header fields before the first empty line, and the rest. Lines that are no fields are left out."""
    headers, body = _headers_at(lines, 0, len(lines))
    return headers, lines[body:]


def _headers_at(lines: bytes, begin: int, end: int) -> tuple[Headers, int]:
    """The header fields between these positions, and the position of the body."""
    if lines.startswith(b"\n", begin, end):
        return Headers(), begin + 1
    empty_line = lines.find(b"\n\n", begin, end)
    head_end, body = (end, end) if empty_line < 0 else (empty_line, empty_line + 2)
    unfolded = re.sub(rb"\n[ \t]+", b" ", lines[begin : min(head_end, begin + MAX_HEADER_BYTES)])
    fields = [
        (field.group(1).decode().lower(), _header_text(field.group(2).strip())[:MAX_VALUE_CHARACTERS])
        for line in unfolded.split(b"\n", MAX_FIELDS)[:MAX_FIELDS]
        if (field := _FIELD.match(line))
    ]
    return Headers(tuple(fields)), body


def _header_text(value: bytes) -> str:
    """The same as `decoded` with UTF-8, but faster: each mail has dozens of fields."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def decoded(text: bytes, charset: str) -> str:
    """The bytes as text: in the named charset if it is known, otherwise as UTF-8, otherwise as Latin-1."""
    charset = charset.strip().strip("'\"")
    for encoding in ([charset] if _CHARSET.fullmatch(charset) else []) + ["utf-8"]:
        try:
            return text.decode(encoding)
        except (UnicodeError, LookupError):
            continue
    return text.decode("latin-1")


def _transfer_decoded(body: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        letters = body[: MAX_TEXT_BYTES * 2].translate(None, delete=_NOT_BASE64)
        letters = letters[: len(letters) - (len(letters) % 4 == 1)]
        try:
            return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))[:MAX_TEXT_BYTES]
        except binascii.Error:
            return b""
    if encoding == "quoted-printable":
        return quopri.decodestring(body[: MAX_TEXT_BYTES * 3])[:MAX_TEXT_BYTES]
    return body[:MAX_TEXT_BYTES]


class _Reader:
    """Reads one mail, and counts its parts."""

    def __init__(self) -> None:
        self.parts_left = MAX_PARTS

    def read(self, mail: bytes, begin: int, end: int, *, depth: int) -> MailPart:
        self.parts_left -= 1
        headers, body = _headers_at(mail, begin, end)
        content_type, parameters = _content_type(headers.get("content-type"))
        part = MailPart(
            headers=headers, content_type=content_type, parameters=parameters, mail=mail, begin=body, end=end
        )
        if depth >= MAX_DEPTH:
            return part
        if content_type in RETURNED_TYPES:
            inside = part.payload().replace(b"\r\n", b"\n").lstrip(b"\n")
            if self.parts_left <= 0:
                return part
            return replace(part, parts=(self.read(inside, 0, len(inside), depth=depth + 1),))
        if content_type.startswith("multipart/"):
            return replace(part, parts=self._split(part, depth))
        return part

    def _split(self, part: MailPart, depth: int) -> tuple[MailPart, ...]:
        parts = []
        for begin, end in _pieces(part):
            if self.parts_left <= 0:
                break
            parts.append(self.read(part.mail, begin, end, depth=depth + 1))
        return tuple(parts)


def _content_type(value: str) -> tuple[str, dict[str, str]]:
    kind = value.partition(";")[0].strip().lower()
    parameters: dict[str, str] = {}
    for name, quoted, bare in _PARAMETER.findall(value[:2_000]):
        parameters.setdefault(name.lower().removesuffix("*"), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)
    return (kind if "/" in kind else "text/plain"), parameters


def _pieces(part: MailPart) -> list[tuple[int, int]]:
    """The parts between the boundaries. If the named boundary does not occur, a likely one is taken."""
    boundary = part.parameters.get("boundary", "").strip().encode()
    pieces = _between(part, boundary) if boundary else []
    if not pieces and (likely := part.first_boundary()):
        pieces = _between(part, likely)
    return pieces


def _between(part: MailPart, boundary: bytes) -> list[tuple[int, int]]:
    line = re.compile(rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\n|\Z)", re.MULTILINE)
    pieces: list[tuple[int, int]] = []
    begin = None
    for match in line.finditer(part.mail, part.begin, part.end):
        if begin is not None:
            pieces.append((begin, max(begin, match.start() - 1)))
        begin = None if match.group(1) else match.end()
        if begin is None or len(pieces) > MAX_PARTS:
            return pieces
    if begin is not None:
        pieces.append((begin, part.end))  # the closing boundary was cut off
    return pieces
