"""Vendors' forms (application/x-www-form-urlencoded), read with tolerance.

https://url.spec.whatwg.org/#urlencoded-parsing
"""

import binascii
from urllib.parse import unquote_to_bytes

from worker.errors import UnreadablePayload

FIELDS_LIMIT = 1_000


def decode_form(body: bytes, what: str) -> dict[str, str]:
    """The fields by name; of several with one name the last counts, as in PHP and Django.

    Bytes that are no UTF-8 become U+FFFD, a `%` without two hex digits stands for itself. `what` names the body in the
    error that one raises which has more than 1,000 fields.
    """
    return {name: value.decode("utf-8", "replace") for name, value in decode_form_bytes(body, what).items()}


def decode_form_bytes(body: bytes, what: str) -> dict[str, bytes]:
    """The same with each value as its bytes, for what is no text: a mail in a charset of its own."""
    return dict(decode_form_pairs(body, what))


def decode_form_pairs(body: bytes, what: str) -> list[tuple[str, bytes]]:
    """The same in the order of the form, for vendors that repeat names."""
    if body.count(b"&") >= FIELDS_LIMIT:
        raise UnreadablePayload(f"{what}: the form has more than {FIELDS_LIMIT} fields, which no vendor sends")
    pairs = []
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name or value:
            pairs.append((_unquote(name).decode("utf-8", "replace"), _unquote(value)))
    return pairs


def _unquote(quoted: bytes) -> bytes:
    escapes = quoted.count(b"%")
    text = quoted.replace(b"+", b" ") if b"+" in quoted else quoted
    if not escapes or b"\n" in text or b"\r" in text:
        return unquote_to_bytes(text)
    # Quoted-printable is the same but for its sign, and a hundred events of quoted JSON take 0.2 ms so, not 3 ms.
    decoded = binascii.a2b_qp(text.replace(b"=", b"%3D").replace(b"%", b"="))
    # Each escape makes one byte of three; a `%` that is none does not, and would have become another character.
    return decoded if len(decoded) == len(text) - 2 * escapes else unquote_to_bytes(text)
