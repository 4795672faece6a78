"""Reads vendors' JSON with tolerance: odd values are left out, unreadable ones raise an error.

Every failure of decoding becomes UnreadablePayload. The accessors take an object and a key, and return a value of the
declared type or None. Texts are made fit for Postgres, which cannot store NUL, and cut to a length, always in the same
way. `raw` of an event keeps the vendor's own bytes.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from schemas.text_limit import cut_text
from worker.errors import UnreadablePayload
from worker.providers.payload.json_elements import split_array, split_object
from worker.providers.payload.json_size import check_values

DIAGNOSTIC_LIMIT = 2_000
MESSAGE_ID_LIMIT = 500
WORD_LIMIT = 200  # vendor event names, scopes, tags
TAGS_LIMIT = 50
# No vendor sends more than a hundredth of this.
ELEMENTS_LIMIT = 100_000

# In a body that is divided into elements: each becomes an object of 56 bytes, and is decoded by itself.
ELEMENTS_VALUES_LIMIT = 1_000_000
# In JSON that is decoded at once: each becomes an object of up to 300 bytes, while two bytes are enough to write it.
VALUES_LIMIT = 100_000
_FIELDS_LIMIT = 1_000

# Each recipient of one element becomes an event that carries the whole element.
RECIPIENTS_LIMIT = 1_024

_LARGEST_INTEGER = 2**63 - 1
_METADATA_DEPTH = 20

_decode_any = msgspec.json.Decoder().decode
_decode_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_skip_object = msgspec.json.Decoder(msgspec.defstruct("AnyObject", [])).decode


def decode_json(body: bytes, what: str, *, most_values: int = VALUES_LIMIT) -> Any:
    """The JSON value; `what` names it in errors: "SendGrid webhook body".

    Raises UnreadablePayload, also if it has more than `most_values` values.
    """
    check_values(body, what, most=most_values)
    try:
        return _decode_any(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        raise _unreadable(what, error) from error


def decode_object(body: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `body`. Raises UnreadablePayload if it is anything else."""
    value = decode_json(body, what)
    if not isinstance(value, dict):
        raise UnreadablePayload(f"{what}: expected a JSON object and found {type(value).__name__}")
    return value


def decode_array_of_raw(body: bytes, what: str) -> list[msgspec.Raw]:
    """The bytes of each element of the JSON array; a bare object counts as an array of one.

    The elements are only read as far as is needed to find their ends: decode each one by itself, so that a bad one does
    not spoil the others.
    """
    try:
        return _decode_raw_list(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        if body.lstrip()[:1] == b"{":
            decode_object(body, what)
            return [msgspec.Raw(body.strip())]
        elements = split_array(body)
        if elements is None:
            raise _unreadable(what, error) from error
        return [msgspec.Raw(element) for element in elements]


def decode_fields(body: bytes, what: str) -> Mapping[str, msgspec.Raw | bytes]:
    """The bytes of each value of the JSON object.

    Raises UnreadablePayload if the body is not an object, or has more than a thousand fields.
    """
    try:
        if len(body) <= VALUES_LIMIT:
            fields: dict[str, msgspec.Raw] = _decode_raw_fields(body)
            return fields
        _skip_object(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as error:
        values = split_object(body, most=_FIELDS_LIMIT)
        if values is None:
            raise _unreadable(what, error) from error
        return values
    values = split_object(body, most=_FIELDS_LIMIT)
    if values is None:
        raise UnreadablePayload(f"{what}: it has over {_FIELDS_LIMIT} fields, and no vendor sends so many")
    return values


def decode_elements(body: bytes, what: str, *, inside: str = "", lines: bool = False) -> list[msgspec.Raw]:
    """Like `decode_array_of_raw`, for vendors with more than one way to post several events at once.

    The array may be in the field `inside` of an object. With `lines`, the body may also have one object on each line
    (NDJSON), if its first line begins and ends like an object; a line that cannot be read is an element like the
    others. Raises UnreadablePayload, also for more than 100,000 elements or a million values.
    """
    check_values(body, what, most=ELEMENTS_VALUES_LIMIT)
    elements = _find_elements(body, what, inside=inside, lines=lines)
    if len(elements) > ELEMENTS_LIMIT:
        raise UnreadablePayload(f"{what}: it has {len(elements)} elements, and no vendor sends over {ELEMENTS_LIMIT}")
    return elements


def _find_elements(body: bytes, what: str, *, inside: str, lines: bool) -> list[msgspec.Raw]:
    if not (inside or lines) or body.lstrip()[:1] != b"{":
        return decode_array_of_raw(body, what)
    if inside and (elements := _decode_inside(body, inside)) is not None:
        return elements
    if lines and not _is_json(body) and (ndjson := _lines_in(body, what)):
        return ndjson
    fields = decode_fields(body, what)
    if inside in fields:
        return decode_array_of_raw(bytes(fields[inside]), what)
    return [msgspec.Raw(body.strip())]


def _decode_inside(body: bytes, inside: str) -> list[msgspec.Raw] | None:
    """The array in the field, read in one pass, as nearly all bodies have it; None for other bodies."""
    try:
        elements: list[msgspec.Raw] | None = _decoder_inside(inside)(body).elements
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        return None
    return elements


@lru_cache(maxsize=64)
def _decoder_inside(inside: str) -> Callable[[bytes], Any]:
    fields = [("elements", list[msgspec.Raw] | None, None)]
    return msgspec.json.Decoder(msgspec.defstruct("Inside", fields, rename={"elements": inside})).decode


def _lines_in(body: bytes, what: str) -> list[msgspec.Raw]:
    """The lines of NDJSON; [] if the body is a single value, perhaps on several lines."""
    lines = split_lines(body, what)
    return [msgspec.Raw(line) for line in lines] if len(lines) > 1 and lines[0].endswith(b"}") else []


def split_lines(body: bytes, what: str) -> list[bytes]:
    """The lines that are not empty. Raises UnreadablePayload if there are more than 100,000."""
    if body.count(b"\n") > 2 * ELEMENTS_LIMIT:  # with an empty one after each
        raise UnreadablePayload(f"{what}: it has over {ELEMENTS_LIMIT} lines, and no vendor sends so many")
    lines = [line for line in map(bytes.strip, body.split(b"\n")) if line]
    if len(lines) > ELEMENTS_LIMIT:
        raise UnreadablePayload(f"{what}: it has {len(lines)} lines, and no vendor sends over {ELEMENTS_LIMIT}")
    return lines


def _is_json(text: bytes) -> bool:
    try:
        _skip_object(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        return False
    return True


def _unreadable(what: str, error: Exception) -> UnreadablePayload:
    if isinstance(error, RecursionError):
        return UnreadablePayload(f"{what}: the JSON is nested too deeply to be read")
    if isinstance(error, UnicodeError):
        return UnreadablePayload(
            f"{what}: the body is not UTF-8 ({error.reason if hasattr(error, 'reason') else error})"
        )
    return UnreadablePayload(f"{what}: the body is not the JSON that this vendor documents ({error})")


def fit_text(text: str, limit: int) -> str:
    """The text without NUL characters, cut to `limit` characters."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if len(text) <= limit else cut_text(text, limit)


def text(values: Mapping[str, Any], key: str, limit: int = DIAGNOSTIC_LIMIT) -> str | None:
    """The text under `key`, a number as its digits; None if missing, empty or of another type."""
    value = values.get(key)
    if isinstance(value, str):
        if 0 < len(value) <= limit and "\x00" not in value:
            return value  # as nearly all are
        return fit_text(value, limit) if value else None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST_INTEGER:
        return str(value)
    return None


def integer(values: Mapping[str, Any], key: str) -> int | None:
    """The whole number under `key`, also when written as text; None for anything else or beyond 63 bits."""
    value = values.get(key)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len("9" * 18):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_INTEGER:
        return None
    return value


def flag(values: Mapping[str, Any], key: str) -> bool:
    """True only for a JSON true, or the text "true"."""
    value = values.get(key)
    return value is True or (isinstance(value, str) and value.lower() == "true")


def child(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The object under `key`; {} if it is missing, null or something else."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def tags(values: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The texts under `key`: one text or an array of them; at most 50, others are left out."""
    value = values.get(key)
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (fit_text(value, WORD_LIMIT),)
    if not isinstance(value, list):
        return ()
    if len(value) == 1 and type(value[0]) is str and value[0]:
        return (fit_text(value[0], WORD_LIMIT),)
    return tuple([fit_text(tag, WORD_LIMIT) for tag in value[:TAGS_LIMIT] if isinstance(tag, str) and tag])


def recipients(value: object) -> list[str]:
    """The text, or the texts of an array, each once; raises UnreadablePayload if there are more than 1,024."""
    if isinstance(value, str):
        return [value] if value else []
    if not isinstance(value, list):
        return []
    texts = list(dict.fromkeys(text for text in value if isinstance(text, str) and text))
    if len(texts) > RECIPIENTS_LIMIT:
        raise UnreadablePayload(f"it names {len(texts)} recipients, and no mail server takes over {RECIPIENTS_LIMIT}")
    return texts


def metadata(value: object) -> dict[str, Any] | None:
    """The sender's own variables, fit to be stored as JSON; None if there are none.

    NUL goes, whole numbers beyond 63 bits become text, and what is nested deeper than 20 is left out.
    """
    if not isinstance(value, dict) or not value:
        return None
    for key, item in value.items():
        if type(item) is not str or "\x00" in item or "\x00" in key:
            break
    else:
        return value  # as nearly all are: names and short texts
    fitted = _fit_json(value, 0)
    return fitted if isinstance(fitted, dict) else None


def _fit_json(value: object, depth: int) -> object:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd") if "\x00" in value else value
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) <= _LARGEST_INTEGER else str(value)[:100]
    if isinstance(value, (dict, list)) and depth >= _METADATA_DEPTH:
        return None
    if isinstance(value, dict):
        return {key.replace("\x00", "\ufffd"): _fit_json(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_fit_json(item, depth + 1) for item in value]
    return value
