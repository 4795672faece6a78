"""Schemes of vendors that send a secret instead of a signature: basic, bearer, a header, the URL's query."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from msgspec import Struct

from schemas.source import Secret, Source
from worker.providers.authentication.comparison import as_bytes, texts_match
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.source_options import Option
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

_BASIC = "basic "
_CHALLENGE = 'Basic realm="bouncekeeper", charset="UTF-8"'


class BasicCredentials(Struct, frozen=True, tag_field="scheme", tag="basic", forbid_unknown_fields=True):
    """`Authorization: Basic` with one of the secrets, each written `user:password` (RFC 7617)."""

    unproven_bytes: ClassVar[int | None] = 0
    options: ClassVar[tuple[Option[Any], ...]] = ()

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets."""
        return partial(self._refuse, secrets=source.secrets)

    def _refuse(self, request: WebhookRequest, _now: datetime, *, secrets: Sequence[Secret]) -> Refused | None:
        """None if user and password are one of the source's secrets."""
        return refuse_basic_auth(request, secrets)

    def check_secrets(self, source: Source) -> list[str]:
        """Each secret needs a colon and a password after it."""
        if any(not secret.reveal().partition(":")[2] for secret in source.secrets):
            return ["a secret of basic authentication is written user:password"]
        return []


class HeaderToken(Struct, frozen=True, kw_only=True, tag_field="scheme", tag="header", forbid_unknown_fields=True):
    """A request header that carries one of the secrets, after an optional prefix (`Bearer `)."""

    unproven_bytes: ClassVar[int | None] = 0
    options: ClassVar[tuple[Option[Any], ...]] = ()

    header: str = "authorization"  # in lower case
    prefix: str = ""  # compared without regard to case

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets."""
        return partial(self._refuse, secrets=source.secrets)

    def _refuse(self, request: WebhookRequest, _now: datetime, *, secrets: Sequence[Secret]) -> Refused | None:
        """None if the header's value is one of the source's secrets."""
        value = request.headers.get(self.header, "")
        if not value:
            return Refused(
                reason="missing_credentials",
                detail=f"the request has no header {self.header}: enter it and its secret at the vendor",
            )
        if value[: len(self.prefix)].lower() != self.prefix.lower():
            return Refused(
                reason="unreadable_credentials",
                detail=f"the header {self.header} does not begin with {self.prefix.strip()!r}",
            )
        return _refuse_token(value[len(self.prefix) :].strip(), secrets, f"the header {self.header}")

    def check_secrets(self, source: Source) -> list[str]:
        """Any text is allowed that a header can carry."""
        if any(secret.reveal() != secret.reveal().strip() for secret in source.secrets):
            return ["one of the secrets begins or ends with a blank, which no header keeps: take it out"]
        return []


def bearer_token() -> HeaderToken:
    """`Authorization: Bearer` with one of the secrets (RFC 6750)."""
    return HeaderToken(prefix="Bearer ")


class QueryToken(Struct, frozen=True, kw_only=True, tag_field="scheme", tag="query", forbid_unknown_fields=True):
    """A parameter of the webhook's URL that carries one of the secrets; the last resort, as URLs are logged."""

    unproven_bytes: ClassVar[int | None] = 0
    options: ClassVar[tuple[Option[Any], ...]] = ()

    parameter: str = "token"

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets."""
        return partial(self._refuse, secrets=source.secrets)

    def _refuse(self, request: WebhookRequest, _now: datetime, *, secrets: Sequence[Secret]) -> Refused | None:
        """None if the parameter's value is one of the source's secrets."""
        value = request.query.get(self.parameter, "")
        if not value:
            return Refused(
                reason="missing_credentials",
                detail=f"the URL has no parameter {self.parameter}: append ?{self.parameter}=… with the secret "
                "to the webhook's URL at the vendor",
            )
        return _refuse_token(value, secrets, f"the URL's parameter {self.parameter}")

    def check_secrets(self, _source: Source) -> list[str]:
        """Any text is allowed."""
        return []


def _refuse_token(token: str, secrets: Sequence[Secret], where: str) -> Refused | None:
    matches = [texts_match(token, secret.reveal()) for secret in secrets if secret.reveal()]
    if any(matches):
        return None
    return Refused(
        reason="bad_credentials",
        detail=f"{where} matches no secret of this source: compare it with what was entered at the vendor",
    )


def refuse_basic_auth(request: WebhookRequest, secrets: Sequence[Secret]) -> Refused | None:
    """None if the request carries one of the secrets, each written `user:password` (RFC 7617)."""
    header = request.headers.get("authorization", "")
    if not header:
        return Refused(
            reason="missing_credentials",
            detail="the request has no Authorization header: put user and password into the webhook's URL",
            challenge=_CHALLENGE,
        )
    credentials = _basic_credentials(header)
    if credentials is None:
        return Refused(
            reason="unreadable_credentials",
            detail="the Authorization header is not Basic with base64 of user:password",
            challenge=_CHALLENGE,
        )
    # The user ends at the first colon; the password may contain more of them.
    user, _, password = credentials.partition(b":")
    matches = []
    for secret in secrets:
        expected_user, colon, expected_password = as_bytes(secret.reveal()).partition(b":")
        same_user = texts_match(user, expected_user)
        same_password = texts_match(password, expected_password)
        matches.append(bool(colon) and bool(expected_password) and same_user and same_password)
    if any(matches):
        return None
    return Refused(
        reason="bad_credentials",
        detail="user and password match no secret of this source: compare them with the webhook's URL",
        challenge=_CHALLENGE,
    )


def _basic_credentials(header: str) -> bytes | None:
    if header[: len(_BASIC)].lower() != _BASIC:
        return None
    try:
        decoded = base64.b64decode(header[len(_BASIC) :].strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if b":" in decoded else None
