"""Make-believe vendors that sign the URL to which they post a form."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import ClassVar, Self

from msgspec import structs

from schemas.source import Source
from worker.providers.authentication.signed_form import URL, signed_message, source_urls
from worker.samples.untimed_vendor import UntimedVendor


class UrlVendor(UntimedVendor):
    """Posts to `url`, and signs it together with the form's fields by HMAC-SHA1."""

    sample_url: ClassVar[str]
    url: str

    def __init__(self, *, seed: bytes | None = None) -> None:
        super().__init__(seed=seed)
        self.url = self.sample_url

    def source(self, name: str) -> Source:
        """A source that accepts this sender's requests."""
        return structs.replace(super().source(name), options={URL.name: self.url})

    def speaking_as(self, source: Source) -> Self:
        """A sender with this source's first secret and URL."""
        speaking = super().speaking_as(source)
        speaking.url = next(iter(source_urls(source)), self.url)
        return speaking

    def signature(self, url: str, fields: Mapping[str, str], *, key: str | None = None) -> str:
        """Over a form, or over the URL alone of a body that is none; by this vendor's secret unless told otherwise."""
        message = signed_message(url, [(name, value.encode()) for name, value in fields.items()])
        return b64encode(hmac.digest((key or self.secret).encode(), message, "sha1")).decode()
