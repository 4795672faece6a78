"""Our own token in a mail. It proves that a report is about a mail of ours, and names the recipient.

A token contains the address, the account and, if wanted, the sender's own id of the message, so nothing is looked up.
It is authenticated, and unreadable without the key (a synthetic IV, as in RFC 5297, made of HMAC-SHA256): no feedback
loop can find the address in it and redact it. It is written in a-z and 2-7 after `bk1`, so it survives servers that
change the case of a local part, and needs no escaping in URLs, header fields and Message-IDs. docs/mail.md describes
the format byte by byte.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from urllib.parse import quote, unquote

from msgspec import Struct

from schemas.address import normalise_address
from schemas.source import Secret
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, fit_text

MARK = "bk1"  # the 1 does not occur in the rest of a token, so a token is found anywhere in a text
TAG_BYTES = 8
LOCAL_PART_LIMIT = 64  # octets, RFC 5321, 4.5.3.1.1

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789.@-_+=/ "
_BASE = len(_ALPHABET) + 1  # no character is 0: a 0 at the beginning would be lost
_NUMBER_OF = {character: number for number, character in enumerate(_ALPHABET, 1)}
_PACKED, _PLAIN = b"\x01", b"\x02"
_MAX_CONTENT_BYTES = 600
_FOUND = re.compile(r"bk1([a-z2-7]{16,1000})", re.IGNORECASE)
_MOST_TRIED = 10


class MailToken(Struct, frozen=True, kw_only=True):
    """The content of a token whose tag was verified."""

    address: str
    account: str | None = None  # None: the account of the source that receives the report
    message_id: str | None = None  # the sender's own


def make_token(address: str, *, secret: str, account: str | None = None, message_id: str | None = None) -> str:
    """The token for a mail to `address`; the same for the same arguments.

    An address of 37 characters makes a token of 59; with `b+` before it, that is a local part of 61 octets.
    """
    fields = [normalise_address(address) or address, quote(account or ""), quote(message_id or "")]
    content = _pack(" ".join(fields).rstrip(" "))
    tag = _tag(secret, content)
    code = base64.b32encode(tag + _mask(secret, tag, content)).decode().rstrip("=").lower()
    return MARK + code


def make_verp_sender(
    address: str,
    *,
    bounce_domain: str,
    secret: str,
    account: str | None = None,
    message_id: str | None = None,
    prefix: str = "b",
    separator: str = "+",
) -> str | None:
    """The envelope sender for a mail to `address`: bounces come back to it, with the token.

    None if the local part would exceed its 64 octets even without the message id: such a mail has its token only in a
    header.
    """
    for kept in (message_id, None):
        local = prefix + separator + make_token(address, secret=secret, account=account, message_id=kept)
        if len(local) <= LOCAL_PART_LIMIT:
            return f"{local}@{bounce_domain}"
    return None


def read_token(text: str, secrets: Sequence[Secret]) -> MailToken | None:
    """The first genuine token in a text, or None. Other text may stand around it."""
    return next(genuine_tokens(text, secrets), None)


def genuine_tokens(text: str, secrets: Sequence[Secret]) -> Iterator[MailToken]:
    """All genuine tokens in a text. The first ten that look like tokens are tried."""
    for number, match in enumerate(_FOUND.finditer(text)):
        if number == _MOST_TRIED:
            return
        token = _decrypt(match.group(1), secrets)
        if token is not None:
            yield token


def holds_token(text: str) -> bool:
    """True if something in the text looks like a token, genuine or not."""
    return _FOUND.search(text) is not None


def _decrypt(code: str, secrets: Sequence[Secret]) -> MailToken | None:
    try:
        sealed = base64.b32decode(code.upper() + "=" * (-len(code) % 8))
    except (binascii.Error, ValueError):
        return None
    tag, masked = sealed[:TAG_BYTES], sealed[TAG_BYTES:]
    if not masked or len(masked) > _MAX_CONTENT_BYTES:
        return None
    opened = None
    for secret in secrets:  # all of them, each time
        content = _mask(secret.reveal(), tag, masked)
        if hmac.compare_digest(_tag(secret.reveal(), content), tag):
            opened = content
    text = _unpack(opened) if opened is not None else None
    if text is None:
        return None
    address, account, message_id = (*text.split(" "), "", "")[:3]
    account, message_id = (fit_text(unquote(part), MESSAGE_ID_LIMIT) for part in (account, message_id))
    normalised = normalise_address(address)
    if normalised is None:
        return None
    return MailToken(address=normalised, account=account or None, message_id=message_id or None)


def _tag(secret: str, content: bytes) -> bytes:
    return hmac.new(secret.encode(), b"bk1 tag\x00" + content, sha256).digest()[:TAG_BYTES]


def _mask(secret: str, tag: bytes, content: bytes) -> bytes:
    """The content, masked with the key stream of the tag. Masking it again unmasks it."""
    stream = b""
    while len(stream) < len(content):
        block = bytes([len(stream) // 32])
        stream += hmac.new(secret.encode(), b"bk1 stream\x00" + tag + block, sha256).digest()
    return bytes(one ^ other for one, other in zip(content, stream, strict=False))


def _pack(text: str) -> bytes:
    """Five and a half bits for each character if all are common in addresses, otherwise UTF-8."""
    number = 0
    for character in text:
        if character not in _NUMBER_OF:
            return _PLAIN + text.encode()
        number = number * _BASE + _NUMBER_OF[character]
    return _PACKED + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _unpack(content: bytes) -> str | None:
    if content[:1] == _PLAIN:
        return content[1:].decode("utf-8", "replace")
    if content[:1] != _PACKED:
        return None
    characters = []
    number = int.from_bytes(content[1:], "big")
    while number:
        number, place = divmod(number, _BASE)
        if not place:
            return None
        characters.append(_ALPHABET[place - 1])
    return "".join(reversed(characters))
