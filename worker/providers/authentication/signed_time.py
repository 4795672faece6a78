"""Reads the times that vendors sign, only in the one form that the vendor documents.

If other fields are signed beside a time, a second form of the time is a second way to split the bytes: three digits of
the token after a time in seconds turn it into one in milliseconds. So a time in any other form is refused before a
signature is computed. In none of these forms is the beginning or the end of one time another time.
"""

import re
from datetime import UTC, datetime
from typing import Literal

from worker.providers.payload.vendor_time import from_iso
from worker.providers.verdict import Refused

TimeFormat = Literal["seconds", "milliseconds", "rfc3339"]

# Ten digits last from 2001 to 2286. ASCII only: \d matches the digits of other scripts too.
_FORMS: dict[TimeFormat, re.Pattern[str]] = {
    "seconds": re.compile(r"[1-9][0-9]{9}"),
    "milliseconds": re.compile(r"[1-9][0-9]{12}"),
    "rfc3339": re.compile(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
    ),
}
_LATEST_SECONDS = 10_000_000_000
_EXAMPLES: dict[TimeFormat, str] = {
    "seconds": "seconds since 1970 as ten digits",
    "milliseconds": "milliseconds since 1970 as thirteen digits",
    "rfc3339": "a time as 2026-03-04T12:00:00Z",
}


def read_signed_time(text: str, time_format: TimeFormat = "seconds") -> datetime | None:
    """The aware UTC time; None for a text in any other form, even if it is readable."""
    if not _FORMS[time_format].fullmatch(text):
        return None
    if time_format == "rfc3339":
        return from_iso(text)
    return datetime.fromtimestamp(int(text) / (1000 if time_format == "milliseconds" else 1), UTC)


def numeric_date(value: object) -> datetime | None:
    """The time in a token's claim (RFC 7519, 2): a number of seconds, neither a text nor milliseconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LATEST_SECONDS:
        return None
    return datetime.fromtimestamp(value, UTC)


def bad_time(text: str, time_format: TimeFormat = "seconds") -> Refused:
    """The refusal of a request whose time is not in its vendor's form."""
    return Refused(
        reason="bad_timestamp",
        detail=f"the time {text[:40]!r} is not in the vendor's form, {_EXAMPLES[time_format]}: the request is a "
        "forgery, or a proxy has changed it",
    )
