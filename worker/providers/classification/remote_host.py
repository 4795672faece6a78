"""The host that refused, as a caption, a vendor or a report names it."""

import re
from collections.abc import Iterable

_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_LONGEST_NAME = 253  # RFC 1035, 3.1
# Postfix, Exim: "host mx.example.org[192.0.2.1] said:", "host mx.example.org [192.0.2.1]:"; Sendmail: "to
# mx.example.org.:"; Gmail: "by mx.example.org. [192.0.2.1]"; Exchange: "mx.example.org gave this error:".
_SPEAKER = re.compile(
    r"\b(?:host |to |by |from |server )([a-z0-9_.-]{4,253})\.?(?= ?\[| ?:| \(| said| refused| rejected)"
    r"|([a-z0-9_.-]{4,253}) (?:gave this error|said:|rejected your)"
)


def remote_host(text: str | None) -> str:
    """The host's name in lower case, from `mx.example.org.`, `dns; mx.example.org (192.0.2.1)` or `mx.example.org:25`.

    "" if there is none, and for an IP address or a name of one label: they do not tell whose host it is.
    """
    match = _NAME.search(text[: 2 * _LONGEST_NAME]) if text else None
    return match.group().lower() if match is not None else ""


def host_in_caption(caption: str) -> str:
    """The host that a caption quotes, in lower case: the last one that it names; "" if it names none."""
    host = ""
    for match in _SPEAKER.finditer(caption):
        host = remote_host(match.group(1) or match.group(2)) or host
    return host


def is_under(host: str, domains: Iterable[str]) -> bool:
    """True if a host belongs to one of the domains."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)
