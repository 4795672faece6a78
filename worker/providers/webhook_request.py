"""An HTTP request as authentication sees it."""

from collections.abc import Mapping

from msgspec import Struct


class WebhookRequest(Struct, frozen=True, kw_only=True):
    """A vendor's request, its body read."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # looked up by names in lower case
    body: bytes  # raw, after transfer and content decoding
    remote_address: str
    raw_query: str = ""  # the part after the URL's `?`, for vendors that sign it: a query has many spellings
