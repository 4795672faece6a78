"""Forms that are signed together with the URL they were posted to, as Mandrill and Twilio do it.

Base64 of an HMAC-SHA1 over the webhook's URL as the operator entered it at the vendor, then the name and the value of
each form field, in the order of their names. What arrives here does not tell that URL: a proxy before the receiver may
have taken https, the host or the port away. So the source says it, in its option `url`, or several in `urls`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from msgspec import Struct

from schemas.source import Secret, Source
from worker.errors import UnreadablePayload
from worker.providers.authentication.comparison import as_bytes
from worker.providers.authentication.hmac_signature import bad_signature, hmac_matches, missing_signature
from worker.providers.payload.form_payload import decode_form_bytes
from worker.providers.provider import Refused, WebhookRequest

URL_OPTION = "url"
URLS_OPTION = "urls"


class SignedForm(Struct, frozen=True, kw_only=True):
    """A header that carries such a signature; see the module."""

    unproven_bytes: ClassVar[int | None] = 8 * 1024 * 1024  # all fields are signed: the whole form is read

    header: str  # in lower case

    def refuse(self, request: WebhookRequest, source: Source, *, now: datetime) -> Refused | None:
        """None when the signature fits one of the source's URLs under one of its secrets."""
        del now  # no time is signed
        given = request.headers.get(self.header, "")
        if not given:
            return missing_signature(self.header)
        fields = self.signed_fields(request)
        if fields is None:
            return bad_signature()
        secrets, form = self.keys(source, fields), joined_fields(fields)
        matches = [
            hmac_matches(given, as_bytes(url) + form, secrets, digest="sha1", encoding="base64")
            for url in self.signed_urls(request, source)
        ]
        return None if any(matches) else _NO_MATCH

    def signed_fields(self, request: WebhookRequest) -> Mapping[str, bytes] | None:
        """The fields that are signed behind the URL; None when the body cannot be what the vendor signed."""
        try:
            return decode_form_bytes(request.body, "form")
        except UnreadablePayload:
            return None

    def signed_urls(self, request: WebhookRequest, source: Source) -> Sequence[str]:
        """The URLs that may have been signed: those of the source, where the vendor has no custom beside."""
        del request
        return source_urls(source)

    def keys(self, source: Source, fields: Mapping[str, bytes]) -> Sequence[Secret]:
        """What these fields may be signed with: one of the source's secrets, where the vendor has no custom beside."""
        del fields
        return source.secrets

    def check_secrets(self, source: Source) -> list[str]:
        """Any text can be a key; but what is signed must be known."""
        if not source_urls(source):
            return [f'{URL_OPTION} is missing: give the webhook\'s URL as it was entered at the vendor, "https://…"']
        return [problem for url in source_urls(source) if (problem := _url_problem(url))]


def source_urls(source: Source) -> list[str]:
    """The URLs that lead to this source, as they were entered at the vendor."""
    single, several = source.options.get(URL_OPTION), source.options.get(URLS_OPTION)
    urls = [single, *several] if isinstance(several, (list, tuple)) else [single, several]
    return [url for url in urls if isinstance(url, str) and url]


def _url_problem(url: str) -> str | None:
    if not url.startswith(("https://", "http://")):
        return f"{url!r} is no URL: give the webhook's as it was entered at the vendor, with its https://"
    if "<" in url or ">" in url:
        return (
            f"{url!r} still holds the <…> of an example: give the webhook's URL as it was entered at the vendor, with "
            "your host in it, for it is signed too"
        )
    return None


def signed_message(url: str, fields: Mapping[str, bytes]) -> bytes:
    """The bytes that the vendor signs."""
    return as_bytes(url) + joined_fields(fields)


def joined_fields(fields: Mapping[str, bytes]) -> bytes:
    """What is signed behind the URL."""
    return b"".join(name.encode() + fields[name] for name in sorted(fields))


_NO_MATCH = Refused(
    reason="bad_signature",
    detail="the signature fits none of this source's secrets and URLs: compare the key with the one at the vendor, and "
    f"{URL_OPTION} with the webhook's URL there, to the last slash, for it is signed too",
)
