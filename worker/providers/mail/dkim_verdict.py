"""DKIM verdicts of other servers: the domains whose signatures they found valid.

A vendor that only says "pass" does not say which signature passed. Anybody can add a valid signature of his own domain
to a mail that pretends to come from a feedback loop. So such a verdict counts only if all signatures of the mail have
one domain.

A valid signature covers the body and the fields in its h=, and no others: whoever passes on a signed mail can add a To,
or a boundary that splits the body into other parts (RFC 6376, 8.15).
"""

import re
from collections.abc import Collection, Iterator

_HEADER_LIMIT_BYTES = 256 * 1024
_END_OF_HEADER = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_BREAK = re.compile(rb"[\r\n]+")
_BLANKS = re.compile(r"\s+")
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+")


def header_values(message: bytes, name: str) -> list[str]:
    """The unfolded values of one header field of a mail, in their order; bytes beyond ASCII become U+FFFD."""
    header = _END_OF_HEADER.split(message[:_HEADER_LIMIT_BYTES], maxsplit=1)[0]
    wanted = name.encode().lower()
    values = []
    for line in _BREAK.split(_FOLD.sub(b" ", header)):
        field, colon, value = line.partition(b":")
        if colon and field.strip().lower() == wanted:
            values.append(value.strip().decode("ascii", "replace"))
    return values


def signing_domains(message: bytes) -> dict[str, bool]:
    """The d= domains of the mail's DKIM-Signature fields, and whether each signs the whole body.

    A signature with l= covers only the beginning of it: anything that is appended, even a report, seems signed.
    """
    domains: dict[str, bool] = {}
    for domain, tags in _signatures(message):
        domains[domain] = domains.get(domain, True) and "l" not in tags
    return domains


def signed_fields(message: bytes, domains: Collection[str]) -> frozenset[str]:
    """The fields, in lower case, that all signatures of these domains cover: nobody knows which of them is valid."""
    wanted = {domain.lower().rstrip(".") for domain in domains}
    covered = [
        frozenset(_BLANKS.sub("", tags.get("h", "")).lower().split(":"))
        for domain, tags in _signatures(message)
        if domain in wanted
    ]
    return frozenset.intersection(*covered) if covered else frozenset()


def passed_unnamed(message: bytes) -> tuple[str, ...]:
    """The domain that a "pass" without a domain means; () if the mail has signatures of several domains."""
    domains = signing_domains(message)
    return passed_named(message, domains) if len(domains) == 1 else ()


def passed_named(message: bytes, passed: Collection[str]) -> tuple[str, ...]:
    """The domains of a verdict, if their signature is in the mail and covers the whole body."""
    domains = signing_domains(message)
    return tuple(domain for domain in passed if _DOMAIN.fullmatch(domain) and domains.get(domain, False))


def _signatures(message: bytes) -> Iterator[tuple[str, dict[str, str]]]:
    """The domain and the tags of each DKIM-Signature."""
    for value in header_values(message, "dkim-signature"):
        tags = {name.strip(): text.strip() for name, _, text in (tag.partition("=") for tag in value.split(";"))}
        yield _BLANKS.sub("", tags.get("d", "")).lower(), tags
