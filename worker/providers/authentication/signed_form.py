"""Forms that are signed together with the URL they were posted to, as Mandrill and Twilio do it.

Base64 of an HMAC-SHA1 over the webhook's URL as the operator entered it at the vendor, then the name and the value of
each form field, in the order of their names; of a name that repeats, each different value in the order of the values,
as Twilio's libraries do it. There are no separators: the scheme of a vendor must make sure that its forms can be split
in one way only (`signed_fields`).

The request does not show that URL: a proxy before the receiver may have removed https, the host or the port. So the
source names it, in its option `url`, or several in `urls`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from msgspec import Struct

from schemas.source import Secret, Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.comparison import as_bytes
from worker.providers.authentication.hmac_signature import bad_signature, hmac_matches, missing_signature
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.source_options import Option, checked_elsewhere, texts
from worker.providers.payload.form_payload import decode_form_pairs
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

Field = tuple[str, bytes]

URL = checked_elsewhere("url", None, lambda value: value if isinstance(value, str) and value else None)
URLS = texts("urls")
URL_OPTIONS = (URL, URLS)


class SignedForm(Struct, frozen=True, kw_only=True):
    """A header with such a signature. The subclass of each vendor says which fields may be signed."""

    options: ClassVar[tuple[Option[Any], ...]] = URL_OPTIONS
    unproven_bytes: ClassVar[int | None] = 8 * 1024 * 1024  # all fields are signed: the whole form is read

    header: str  # in lower case

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and URLs."""
        return partial(self._refuse, secrets=source.secrets, urls=source_urls(source))

    def _refuse(
        self, request: WebhookRequest, _now: datetime, *, secrets: Sequence[Secret], urls: Sequence[str]
    ) -> Refused | None:
        """None if the signature matches one of the source's URLs and secrets."""
        signature = request.headers.get(self.header, "")
        if not signature:
            return missing_signature(self.header)
        fields = self.signed_fields(request)
        if isinstance(fields, Refused):
            return fields
        keys, form = self.keys(secrets, fields), joined_fields(fields)
        matches = [
            hmac_matches(signature, as_bytes(url) + form, keys, digest="sha1", encoding="base64")
            for url in self.signed_urls(request, urls)
        ]
        return None if any(matches) else _NO_MATCH

    def signed_fields(self, request: WebhookRequest) -> Sequence[Field] | Refused:
        """The fields after the URL; refused if the vendor cannot have signed them, or if they are ambiguous."""
        try:
            return decode_form_pairs(request.body, "form")
        except UnreadablePayload:
            return bad_signature()

    def signed_urls(self, _request: WebhookRequest, urls: Sequence[str], /) -> Sequence[str]:
        """The URLs that may have been signed: those of the source, unless the vendor has a special rule."""
        return urls

    def keys(self, secrets: Sequence[Secret], _fields: Sequence[Field], /) -> Sequence[Secret]:
        """The keys for these fields: the source's secrets, unless the vendor has a special rule."""
        return secrets

    def check_secrets(self, source: Source) -> list[str]:
        """Any text can be a key, but the URL must be known."""
        if not source_urls(source):
            return [f'{URL.name} is missing: give the webhook\'s URL as it was entered at the vendor, "https://…"']
        return [problem for url in source_urls(source) if (problem := _url_problem(url))]


def source_urls(source: Source) -> list[str]:
    """The URLs that lead to this source, as they were entered at the vendor."""
    return [url for url in (URL.of(source), *URLS.of(source)) if url]


def _url_problem(url: str) -> str | None:
    if not url.startswith(("https://", "http://")):
        return f"{url!r} is not a URL: give the webhook's as it was entered at the vendor, with its https://"
    if "<" in url or ">" in url:
        return (
            f"{url!r} still holds the <…> of an example: give the webhook's URL as it was entered at the vendor, with "
            "your host in it, for it is signed too"
        )
    return None


def signed_message(url: str, fields: Iterable[Field]) -> bytes:
    """The bytes that the vendor signs, for fields in any order."""
    return as_bytes(url) + joined_fields(fields)


def joined_fields(fields: Iterable[Field]) -> bytes:
    """The signed bytes after the URL."""
    return b"".join(name.encode() + value for name, value in sorted(set(fields)))


def ambiguous_form(what: str) -> Refused:
    """The refusal of a form that proves nothing, because its bytes could be split into other fields."""
    return Refused(
        reason="ambiguous_form",
        detail=f"{what}: what is signed could be cut into other fields, so that the signature does not prove these. "
        "The request is a forgery, or the vendor has changed its forms: report it with the names of the fields",
    )


_NO_MATCH = Refused(
    reason="bad_signature",
    detail="the signature matches no secret and URL of this source: compare the key with the one at the vendor, and "
    f"{URL.name} with the webhook's URL there, to the last slash, for it is signed too",
)
