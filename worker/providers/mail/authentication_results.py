"""The Authentication-Results header of the operator's own mail server (RFC 8601), distinguished from a forged one.

Anybody can write such a field. It counts only with an authserv-id that the operator named, and only in a place where
the sender cannot have written it: a server puts its fields on top of the mail, so everything above the first Received
field is ours. If a server writes its result below its own Received field, only the topmost field counts; the server
must remove fields of others with its name, or write one into every mail (5.).
"""

import re
from collections.abc import Collection

from worker.providers.mail.mail_part import Headers

_FIELD = "authentication-results"
_LONGEST = 4_000
_COMMENT = re.compile(r"\([^()]*\)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DKIM_PASS = re.compile(r"\s*dkim\s*(?:/\s*\d+\s*)?=\s*pass\b", re.IGNORECASE)
_SIGNER = re.compile(r"\bheader\.d\s*=\s*([A-Za-z0-9._-]+)", re.IGNORECASE)
_IDENTITY = re.compile(r"\bheader\.i\s*=\s*[^\s@;]*@([A-Za-z0-9._-]+)", re.IGNORECASE)


def dkim_domains(headers: Headers, trusted_servers: Collection[str]) -> tuple[str, ...]:
    """The domains whose DKIM signature one of the `trusted_servers` (in lower case) verified."""
    above: list[str] = []
    below: list[str] = []
    is_below_received = False
    for name, value in headers.fields:
        if name == "received":
            is_below_received = True
        elif name == _FIELD and _server(value) in trusted_servers:
            (below if is_below_received else above).append(value)
    return tuple(domain for value in (above or below[:1]) for domain in _passed(value))


def _server(value: str) -> str:
    """The authserv-id, which a version may follow."""
    words = _plain(value).partition(";")[0].split()
    return words[0].lower() if words else ""


def _passed(value: str) -> list[str]:
    return [
        signer.group(1).lower().rstrip(".")
        for result in _plain(value).split(";")[1:]
        if _DKIM_PASS.match(result) and (signer := _SIGNER.search(result) or _IDENTITY.search(result))
    ]


def _plain(value: str) -> str:
    """The value without comments; of quoted texts, only parts that cannot be mistaken for a result."""
    text = _QUOTED.sub(lambda quoted: re.sub(r"[^A-Za-z0-9@._-]", "_", quoted.group(1)), value[:_LONGEST])
    for _ in range(5):  # comments in comments
        text, count = _COMMENT.subn(" ", text)
        if not count:
            break
    return text.partition("(")[0]
