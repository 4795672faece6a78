"""A source: one configured sender of webhooks, reached at `POST /webhooks/{name}`."""

from typing import Any

from msgspec import Struct


class Secret:
    """A text that never appears in a repr, a log line or a traceback."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class Source(Struct, frozen=True, kw_only=True):
    """The operator's configuration of one webhook URL."""

    name: str
    provider: str
    account: str = "default"
    account_from: str = ""  # the field of an event that names its account; "" = the source's account
    campaign_from: str = ""  # the field that names its campaign; "" = the vendor's own, if any; "none" = no campaigns
    makes_accounts: bool = True  # an account that `account_from` finds, and that does not exist, is made
    authentication: str = ""  # "" = the provider's default scheme; "none" = open, explicitly
    secrets: tuple[Secret, ...] = ()  # several at once while a secret is being rotated
    allowed_addresses: tuple[str, ...] = ()  # IP networks (CIDR) that may call; empty = any
    bulk: bool = False  # its webhooks wait behind those of the other sources: for imports
    options: dict[str, Any] = {}  # settings of this provider only, e.g. SES `topics`
