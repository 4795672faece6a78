"""Reads small parts of mails: addresses, dates, typed values, the text of HTML."""

import html
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from schemas.address import normalise_address
from worker.providers.payload.vendor_time import from_iso

# Not the end of a longer local part, which Exchange writes for people without an address: the end may be the address
# of somebody else.
_ADDRESS = re.compile(r"(?<![^\s<>()\[\],;:\"'@\\])[^\s<>()\[\],;:\"'@\\]{1,64}@[^\s<>()\[\],;:\"'@\\]{1,255}")
_ENCAPSULATED = ("imceaex-", "imceainvalid-")  # Exchange's way to write a directory's name as an address
_DATE = re.compile(
    r"(?:[A-Za-z]{3},?\s+)?\d{1,2}\s+[A-Za-z]{3}\s+\d{2,4}\s+\d{1,2}:\d\d(?::\d\d)?(?:\s+(?:[+-]\d{4}|[A-Z]{1,5}))?"
)
_HIDDEN = re.compile(r"<(style|script|head)\b", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/li|/h\d)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"<[/!a-zA-Z][^<>]{0,2000}>")
_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")
_BLACKED_OUT = ("redacted", "undisclosed", "anonymi", "xxxx", "****")


def addresses_in(text: str) -> list[str]:
    """The addresses in a header field or a line, in their one spelling, each once; at most 50."""
    addresses = []
    for match in _ADDRESS.finditer(text[:8_000]):
        address = normalise_address(match.group().strip("."))
        if address is not None and address not in addresses:
            addresses.append(address)
            if len(addresses) == 50:  # noqa: PLR2004 - told in the docstring
                break
    return addresses


def typed_value(value: str) -> tuple[str, str]:
    """`rfc822; jane@example.org` as ("rfc822", "jane@example.org"); the type is "" if there is none."""
    kind, separator, rest = value.partition(";")
    if not separator or not re.fullmatch(r"\s*[A-Za-z0-9-]{1,30}\s*", kind):
        return "", value.strip()
    return kind.strip().lower(), rest.strip()


def typed_address(value: str) -> str | None:
    """The address in a typed value (RFC 3464, RFC 6533), without the comments and brackets around it."""
    kind, text = typed_value(value)
    if kind == "utf-8":
        text = re.sub(r"\\x\{([0-9A-Fa-f]{2,6})\}", _sign, text[:2_000])
    quoted = re.match(r'\s*<?("[^"]{1,62}"@[^\s<>]{1,255})', text)
    if quoted:
        return normalise_address(quoted.group(1))
    return next((address for address in addresses_in(text) if not address.startswith(_ENCAPSULATED)), None)


def _sign(match: re.Match[str]) -> str:
    number = int(match.group(1), 16)
    return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else ""  # noqa: PLR2004 - no surrogates


def mail_time(text: str) -> datetime | None:
    """A date of RFC 5322, with anything after it; without a known zone it is UTC."""
    match = _DATE.search(text[:200])
    if match is None:
        return None
    try:
        moment = parsedate_to_datetime(match.group())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return from_iso(moment.isoformat())


def html_as_text(markup: str) -> str:
    """The text of a page, one line per block; for a long page, of its beginning."""
    text = _LINE_BREAK.sub("\n", _without_hidden(markup[:64_000]))
    return html.unescape(_TAG.sub(" ", text))


def _without_hidden(markup: str) -> str:
    """The page without its invisible parts: style, scripts, head."""
    lowered, visible, place = markup.lower(), [], 0
    for match in _HIDDEN.finditer(markup):
        if match.start() < place:
            continue
        end = lowered.find(f"</{match.group(1).lower()}", match.end())
        if end < 0:
            break  # it never ends: then it counts as text
        visible.append(markup[place : match.start()])
        place = end
    return " ".join([*visible, markup[place:]])


def is_blacked_out(address: str) -> bool:
    """True if a feedback loop put a hash or a word for "redacted" where the address was (RFC 6590)."""
    local, _, domain = address.partition("@")
    if _HASH.fullmatch(local) or domain.endswith(".invalid"):
        return True
    return any(word in local for word in _BLACKED_OUT) or any(word in domain for word in ("redacted", "undisclosed"))
