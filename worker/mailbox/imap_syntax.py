"""Folders, sets of messages and times as IMAP writes them (RFC 3501)."""

import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_INTERNAL_DATE = re.compile(r"\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_PRINTABLE = re.compile(r"[ -~]+|[^ -~]+")


def quoted_folder(name: str) -> str:
    """A folder's name as a quoted string, in modified UTF-7 (RFC 3501, 5.1.3)."""
    encoded = "".join(
        part.replace("&", "&-") if part.isascii() and part.isprintable() else f"&{_modified_base64(part)}-"
        for part in _PRINTABLE.findall(name)
    )
    escaped = encoded.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _modified_base64(text: str) -> str:
    encoded = binascii.b2a_base64(text.encode("utf-16-be", "replace"), newline=False).decode()
    return encoded.rstrip("=").replace("/", ",")


def uid_set(uids: Sequence[int]) -> str:
    """UIDs in ascending order as a sequence set: `3:5,9`."""
    spans: list[list[int]] = []
    for uid in uids:
        if spans and uid == spans[-1][1] + 1:
            spans[-1][1] = uid
        else:
            spans.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in spans)


def internal_date(text: str) -> datetime | None:
    """`17-Jul-1996 02:44:25 -0700` in UTC; None if the text is not such a time. Months are English in every locale."""
    match = _INTERNAL_DATE.fullmatch(text)
    if match is None or match[2].lower() not in _MONTHS:
        return None
    offset = timedelta(hours=int(match[8]), minutes=int(match[9]))
    month = _MONTHS.index(match[2].lower()) + 1
    clock = (int(match[4]), int(match[5]), int(match[6]))
    try:
        zone = timezone(-offset if match[7] == "-" else offset)
        return datetime(int(match[3]), month, int(match[1]), *clock, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
