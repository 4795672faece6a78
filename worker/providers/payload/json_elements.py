"""Splits JSON at its brackets only, for bodies with an element that cannot be read.

A decoder refuses the whole body for a lone surrogate, for NaN, or for nesting that is too deep. Here no value is read:
commas and brackets outside of texts show where an element ends, however deep it is.
"""

import re
from collections.abc import Iterator

import msgspec

# A text that never ends is one mark as well, up to the end: otherwise each of its quotation marks would be tried.
_MARK = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|[\[\]{},]', re.DOTALL)
_KEY = re.compile(rb'\s*("[^"\\]*+(?:\\.[^"\\]*+)*+")\s*:', re.DOTALL)
_OPENING, _CLOSING, _COMMA = b"[{", b"]}", ord(",")

_decode_text = msgspec.json.Decoder(str).decode


def split_array(array: bytes) -> list[bytes] | None:
    """The bytes of each element of the JSON array; None if the text is not a complete array.

    An element may be anything but empty: `[1,,2]` is not an array.
    """
    return _split(array, opening=b"[")


def split_object(text: bytes, *, most: int) -> dict[str, bytes] | None:
    """The bytes of each value of the JSON object; None if the text is not a complete object.

    None as well for more than `most` values.
    """
    members = _split(text, opening=b"{", most=most)
    if members is None:
        return None
    values = {}
    for member in members:
        key = _KEY.match(member)
        if key is None:
            return None
        try:
            values[_decode_text(key[1])] = member[key.end() :].strip()
        except (msgspec.DecodeError, UnicodeError):
            continue  # nobody needs a name that cannot be read
    return values


def _split(text: bytes, *, opening: bytes, most: int | None = None) -> list[bytes] | None:
    text = text.strip()
    if not text.startswith(opening):
        return None
    elements = []
    begin = 1
    for place, is_last in _ends(text):
        element = text[begin:place].strip()
        begin = place + 1
        if element:
            elements.append(element)
        if (not element and (elements or not is_last)) or (most is not None and len(elements) > most):
            return None
        if is_last:
            return elements if begin == len(text) else None
    return None


def _ends(text: bytes) -> Iterator[tuple[int, bool]]:
    """The end of each element of the outermost bracket, and whether it is the last one."""
    depth = 0
    for mark in _MARK.finditer(text):
        sign = text[mark.start()]
        if sign in _OPENING:
            depth += 1
        elif sign in _CLOSING:
            depth -= 1
            if depth == 0:
                yield mark.start(), True
                return
        elif sign == _COMMA and depth == 1:
            yield mark.start(), False
