"""The token in an unsubscribe link: address and list, encrypted, so that nobody can read or forge it.

    token  = base64url without padding (head ‖ nonce ‖ AES-256-GCM(key, nonce, content, head))
    head   = the byte 1 ‖ 4 bytes: the key's id
    nonce  = 12 bytes; ours are made of the content, so that the same link is always the same text
    key    = HMAC-SHA256(secret, "unsubscribe-key")
    key id = HMAC-SHA256(secret, "unsubscribe-key-id"), its first 4 bytes
    content = JSON: {"address": "jane@example.org", "list": "newsletter", …}

A token has no end: mails are years old when somebody leaves. docs/unsubscribe.md shows how senders make them
themselves. AES-GCM (NIST SP 800-38D) of `cryptography`; a nonce that is a keyed hash of the content never comes twice
with different contents, up to some 2^32 of them for each secret.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections.abc import Iterable
from enum import StrEnum

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct, structs

from schemas.address import normalise_recipient
from schemas.list_name import salvage_list_name
from schemas.source import Secret
from schemas.vocabulary import Channel

# A header line has 998 characters at most (RFC 5322, 2.1.1), the rest of the URL among them.
MOST_TOKEN_CHARACTERS = 800

_VERSION = 1
_HEAD_BYTES, _NONCE_BYTES, _TAG_BYTES = 5, 12, 16
_LEAST_TOKEN_BYTES = _HEAD_BYTES + _NONCE_BYTES + _TAG_BYTES + len('{"address":"a@b"}')


class UnsubscribeLink(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of a link: its person, list and message.

    Fields of newer versions are ignored: nobody must be kept on a list because a token has too many.
    """

    address: str  # as the sender wrote it
    list: str = ""  # the scope of an opt-out; "" for a link that is about all lists
    account: str = ""  # "" for `default`
    channel: Channel = Channel.EMAIL
    message_id: str = ""
    campaign: str = ""


class TokenFault(StrEnum):
    """Why a token is refused, as it is logged; the token itself never is."""

    MALFORMED = "malformed_token"  # not one of our tokens, or incomplete
    UNKNOWN_KEY = "unknown_key"  # made with a key that is not configured (any longer)
    FORGED = "forged_token"  # altered, or made up
    UNREADABLE = "unreadable_token"  # made with our key, but with a wrong content


class UnsubscribeKeys:
    """The secrets of unsubscribe links: the first makes tokens, all read them."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._keys = [_Key(secret) for secret in secrets]
        self._by_id = {key.id: key for key in reversed(self._keys)}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def make(self, link: UnsubscribeLink) -> str | None:
        """The link's token: the same for the same link and secret. None if it would be too long for a header line."""
        key = self._keys[0]
        content = _encode(link)
        nonce = key.nonce(content)
        sealed = key.cipher.encrypt(nonce, content, key.head)
        token = urlsafe_b64encode(key.head + nonce + sealed).rstrip(b"=").decode()
        return token if len(token) <= MOST_TOKEN_CHARACTERS else None

    def read(self, token: str) -> UnsubscribeLink | TokenFault:
        """The link of the token, or why it is refused. A text that is not a token is refused before decryption."""
        if len(token) > MOST_TOKEN_CHARACTERS or not token.isascii():
            return TokenFault.MALFORMED
        try:
            blob = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except NoBase64:
            return TokenFault.MALFORMED
        if len(blob) < _LEAST_TOKEN_BYTES or blob[0] != _VERSION:
            return TokenFault.MALFORMED
        head = blob[:_HEAD_BYTES]
        key = self._by_id.get(head[1:])
        if key is None:
            return TokenFault.UNKNOWN_KEY
        nonce = blob[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        try:
            content = key.cipher.decrypt(nonce, blob[_HEAD_BYTES + _NONCE_BYTES :], head)
        except InvalidTag:
            return TokenFault.FORGED
        return _read_content(content)


class _Key:
    def __init__(self, secret: Secret) -> None:
        self._secret = secret.reveal().encode()
        self.id = self._hash(b"unsubscribe-key-id")[: _HEAD_BYTES - 1]
        self.head = bytes([_VERSION]) + self.id
        self.cipher = AESGCM(self._hash(b"unsubscribe-key"))

    def nonce(self, content: bytes) -> bytes:
        return self._hash(b"unsubscribe-nonce" + content)[:_NONCE_BYTES]

    def _hash(self, message: bytes) -> bytes:
        return hmac.digest(self._secret, message, hashlib.sha256)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(UnsubscribeLink).decode


def _read_content(content: bytes) -> UnsubscribeLink | TokenFault:
    try:
        link: UnsubscribeLink = _decode(content)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return TokenFault.UNREADABLE
    if normalise_recipient(link.address, link.channel) is None:
        return TokenFault.UNREADABLE
    # An impossible list means all lists: nobody must be kept on one because of a mistake in the token.
    return structs.replace(link, list=salvage_list_name(link.list) or "") if link.list else link
