"""A header of the operator's own naming, for vendors that send along what headers they are told to."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct

from schemas.source import Source
from worker.providers.authentication.credentials import HeaderToken
from worker.providers.authentication.scheme import Refuse, Scheme
from worker.providers.authentication.source_options import Option, checked_elsewhere

DEFAULT_HEADER = "x-webhook-secret"

# RFC 9110, section 5.6.2. A longer one than this no vendor takes.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# What every request carries, or what proxies on the way may set: none of these is a place for a secret.
_TAKEN = frozenset(
    {"connection", "content-length", "content-type", "forwarded", "host", "transfer-encoding", "user-agent"}
)


def _header_name(name: object) -> str | None:
    """The name in lower case, as requests have it; None when it is no name for a secret's header."""
    if not isinstance(name, str) or not _TOKEN.fullmatch(name) or name.lower() in _TAKEN:
        return None
    return name.lower()


HEADER = checked_elsewhere("header", None, _header_name)


class ConfiguredHeader(Struct, frozen=True, kw_only=True):
    """The header that the source's option `header` names carries one of the secrets; nothing stands before it."""

    unproven_bytes: ClassVar[int | None] = 0
    options: ClassVar[tuple[Option[Any], ...]] = (HEADER,)

    default: str = DEFAULT_HEADER  # in lower case

    def header_token(self, source: Source) -> HeaderToken:
        """The scheme with the source's own name for the header, the default where that cannot be one."""
        return HeaderToken(header=HEADER.of(source) or self.default)

    def bind(self, source: Source) -> Refuse:
        """The header that the source names, with its secrets."""
        return self.header_token(source).bind(source)

    def check_secrets(self, source: Source) -> list[str]:
        """What is wrong with the header's name, and with the secrets that it is to carry."""
        problems = self.header_token(source).check_secrets(source)
        if HEADER.name in source.options and HEADER.of(source) is None:
            problems.append(
                f"{HEADER.name} = {source.options[HEADER.name]!r}: write the name of a header that is "
                'yours alone, as the vendor sends it, such as "X-Webhook-Secret", without colon and value'
            )
        return problems


def check_header_option(source: Source, schemes: Mapping[str, Scheme]) -> list[str]:
    """A named header that the chosen way of authentication never looks at, with its remedy; [] when there is none."""
    ways = [f'authentication = "{name}"' for name, scheme in schemes.items() if isinstance(scheme, ConfiguredHeader)]
    if not ways or HEADER.name not in source.options:
        return []
    if isinstance(schemes.get(source.authentication), ConfiguredHeader):
        return []
    return [f"{HEADER.name} counts only with {' or '.join(ways)}: add that, or take the option out"]
