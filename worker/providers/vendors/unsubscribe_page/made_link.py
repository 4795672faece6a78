"""A link for one mail, with the header fields that carry it."""

from msgspec import Struct

from worker.providers.vendors.unsubscribe_page.unsubscribe_page import PATH
from worker.providers.vendors.unsubscribe_page.unsubscribe_token import UnsubscribeKeys, UnsubscribeLink

# RFC 8058, 2: the field has this value and no other.
_POST = "List-Unsubscribe=One-Click"


class MadeLink(Struct, frozen=True, kw_only=True):
    """The link, and the two fields for the mail's header."""

    address: str  # as it was given
    url: str
    headers: dict[str, str]


def make_link(keys: UnsubscribeKeys, link: UnsubscribeLink, *, base_url: str) -> MadeLink | None:
    """The link, made with the first secret; None if it would be too long for a header line.

    `base_url` is where the receivers are reached from outside.
    """
    token = keys.make(link)
    if token is None:
        return None
    url = f"{base_url.rstrip('/')}{PATH}{token}"
    return MadeLink(
        address=link.address, url=url, headers={"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": _POST}
    )
