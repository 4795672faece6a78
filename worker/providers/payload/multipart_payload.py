"""Vendors' forms with parts (multipart/form-data, RFC 7578), read with tolerance and within bounds.

Values stay bytes: a part may be a whole mail, in its own charset.
"""

from collections.abc import Collection

from multipart import MultipartError, PushMultipartParser, parse_options_header

from worker.errors import UnreadablePayload
from worker.providers.payload.form_payload import decode_form_pairs, pick_form_pairs

PARTS_LIMIT = 200
_HEADER_LIMIT_BYTES = 16 * 1024
_MULTIPART = "multipart/form-data"
_URLENCODED = "application/x-www-form-urlencoded"


def decode_any_form(body: bytes, content_type: str, what: str) -> dict[str, bytes]:
    """The fields by name, of a form of either sort; of several with one name the last counts.

    Raises UnreadablePayload, in which `what` names the body, if it is not a form or has more parts than any vendor
    sends.
    """
    return dict(decode_any_form_pairs(body, content_type, what))


def decode_any_form_pairs(body: bytes, content_type: str, what: str) -> list[tuple[str, bytes]]:
    """The fields in the order of the form, for vendors that repeat names."""
    return _pairs(body, content_type, what, None)


def pick_any_form_pairs(body: bytes, content_type: str, what: str, names: Collection[str]) -> list[tuple[str, bytes]]:
    """The fields with these names, in the order of the form. All others are skipped."""
    return _pairs(body, content_type, what, names)


def _pairs(body: bytes, content_type: str, what: str, names: Collection[str] | None) -> list[tuple[str, bytes]]:
    kind, options = parse_options_header(content_type)
    kind = kind.strip().lower()
    if kind == _URLENCODED:
        return decode_form_pairs(body, what) if names is None else pick_form_pairs(body, what, names)
    boundary = options.get("boundary", "")
    if kind != _MULTIPART or not boundary:
        raise UnreadablePayload(
            f"{what}: expected a form ({_MULTIPART} with its boundary, or {_URLENCODED}) and found {kind[:60]!r}"
        )
    try:
        return _decode_parts(body, boundary, names)
    except (MultipartError, UnicodeError, ValueError) as error:
        raise UnreadablePayload(f"{what}: the form cannot be read: {error}") from error


def _decode_parts(body: bytes, boundary: str, names: Collection[str] | None) -> list[tuple[str, bytes]]:
    fields: list[tuple[str, bytes]] = []
    name, chunks, is_wanted = "", list[bytes](), False
    with PushMultipartParser(
        boundary, content_length=len(body), max_header_size=_HEADER_LIMIT_BYTES, max_segment_count=PARTS_LIMIT
    ) as parser:
        for event in parser.parse(body):
            if isinstance(event, (bytes, bytearray)):
                if is_wanted:
                    chunks.append(bytes(event))
            elif event is None:
                if is_wanted:
                    fields.append((name, b"".join(chunks)))
            else:
                name, chunks = event.name or "", []
                is_wanted = names is None or name in names
    return fields
