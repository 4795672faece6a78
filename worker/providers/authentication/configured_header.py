"""A header of the operator's own naming, for vendors that send along what headers they are told to."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from schemas.source import Source
from worker.providers.authentication.credentials import HeaderToken
from worker.providers.authentication.scheme import Scheme
from worker.providers.provider import Refused, WebhookRequest

HEADER_OPTION = "header"
DEFAULT_HEADER = "x-webhook-secret"

# RFC 9110, section 5.6.2. A longer one than this no vendor takes.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# What every request carries, or what proxies on the way may set: none of these is a place for a secret.
_TAKEN = frozenset(
    {"connection", "content-length", "content-type", "forwarded", "host", "transfer-encoding", "user-agent"}
)


class ConfiguredHeader(Struct, frozen=True, kw_only=True):
    """The header that the source's option `header` names carries one of the secrets; nothing stands before it."""

    unproven_bytes: ClassVar[int | None] = 0

    default: str = DEFAULT_HEADER  # in lower case

    def named(self, source: Source) -> HeaderToken:
        """The scheme with the source's own name for the header, the default where that cannot be one."""
        return HeaderToken(header=_header_name(source) or self.default)

    def refuse(self, request: WebhookRequest, source: Source, *, now: datetime) -> Refused | None:
        """None when the header's value is one of the source's secrets."""
        return self.named(source).refuse(request, source, now=now)

    def check_secrets(self, source: Source) -> list[str]:
        """What is wrong with the header's name, and with the secrets that it is to carry."""
        problems = self.named(source).check_secrets(source)
        if HEADER_OPTION in source.options and _header_name(source) is None:
            problems.append(
                f"{HEADER_OPTION} = {source.options[HEADER_OPTION]!r}: write the name of a header that is "
                'yours alone, as the vendor sends it, such as "X-Webhook-Secret", without colon and value'
            )
        return problems


def check_header_option(source: Source, schemes: Mapping[str, Scheme]) -> list[str]:
    """A named header that the chosen way of authentication never looks at, with its remedy; [] when there is none."""
    ways = [f'authentication = "{name}"' for name, scheme in schemes.items() if isinstance(scheme, ConfiguredHeader)]
    if not ways or HEADER_OPTION not in source.options:
        return []
    if isinstance(schemes.get(source.authentication), ConfiguredHeader):
        return []
    return [f"{HEADER_OPTION} counts only with {' or '.join(ways)}: add that, or take the option out"]


def _header_name(source: Source) -> str | None:
    """The option in lower case, as requests have it; None when it is missing or no name for a secret's header."""
    name = source.options.get(HEADER_OPTION)
    if not isinstance(name, str) or not _TOKEN.fullmatch(name) or name.lower() in _TAKEN:
        return None
    return name.lower()
