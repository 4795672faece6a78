"""A header that the operator names, for vendors that can send custom headers."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct

from schemas.source import Source
from worker.providers.authentication.credentials import HeaderToken
from worker.providers.authentication.scheme import Refuse, Scheme
from worker.providers.authentication.source_options import Option, checked_elsewhere

DEFAULT_HEADER = "x-webhook-secret"

# RFC 9110, section 5.6.2. No vendor accepts a longer one.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# Headers of every request, and headers that proxies may set: none of them can carry a secret.
_OTHER_USES = frozenset(
    {"connection", "content-length", "content-type", "forwarded", "host", "transfer-encoding", "user-agent"}
)


def _header_name(name: object) -> str | None:
    """The name in lower case, as in requests; None if a header with a secret cannot have it."""
    if not isinstance(name, str) or not _TOKEN.fullmatch(name) or name.lower() in _OTHER_USES:
        return None
    return name.lower()


HEADER = checked_elsewhere("header", None, _header_name)


class ConfiguredHeader(Struct, frozen=True, kw_only=True):
    """The header named by the source's option `header` carries one of the secrets, without a prefix."""

    unproven_bytes: ClassVar[int | None] = 0
    options: ClassVar[tuple[Option[Any], ...]] = (HEADER,)

    default: str = DEFAULT_HEADER  # in lower case

    def header_token(self, source: Source) -> HeaderToken:
        """The scheme with the header that the source names; with the default if the name is impossible."""
        return HeaderToken(header=HEADER.of(source) or self.default)

    def bind(self, source: Source) -> Refuse:
        """The header that the source names, with its secrets."""
        return self.header_token(source).bind(source)

    def check_secrets(self, source: Source) -> list[str]:
        """The mistakes in the header's name and in its secrets."""
        problems = self.header_token(source).check_secrets(source)
        if HEADER.name in source.options and HEADER.of(source) is None:
            problems.append(
                f"{HEADER.name} = {source.options[HEADER.name]!r}: write the name of a header that is "
                'yours alone, as the vendor sends it, such as "X-Webhook-Secret", without colon and value'
            )
        return problems


def check_header_option(source: Source, schemes: Mapping[str, Scheme]) -> list[str]:
    """The mistake of naming a header that the chosen scheme does not use, with its remedy."""
    ways = [f'authentication = "{name}"' for name, scheme in schemes.items() if isinstance(scheme, ConfiguredHeader)]
    if not ways or HEADER.name not in source.options:
        return []
    if isinstance(schemes.get(source.authentication), ConfiguredHeader):
        return []
    return [f"{HEADER.name} counts only with {' or '.join(ways)}: add that, or take the option out"]
