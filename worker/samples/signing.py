"""Requests signed by the schemes whose secret the operator holds, for real."""

import hmac
from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

import msgspec

from schemas.source import Source
from worker.providers.authentication.configured_header import ConfiguredHeader
from worker.providers.authentication.credentials import BasicCredentials, HeaderToken, QueryToken
from worker.providers.authentication.hmac_signature import HmacSignature, encode_digest
from worker.providers.authentication.scheme import Scheme
from worker.providers.authentication.signed_time import TimeFormat
from worker.providers.authentication.standard_webhooks import PUBLIC_KEY_PREFIX, StandardWebhooks
from worker.providers.webhook_request import WebhookRequest
from worker.samples.posting import basic, iso_time, standard_signature, unix_time

SIGNABLE = (BasicCredentials, HeaderToken, ConfiguredHeader, QueryToken, HmacSignature, StandardWebhooks)


def can_sign(scheme: Scheme, secret: str) -> bool:
    """False for schemes of which only the vendor holds the key."""
    return isinstance(scheme, SIGNABLE) and not secret.startswith(PUBLIC_KEY_PREFIX)


def sign(
    request: WebhookRequest, scheme: Scheme, secret: str, *, now: datetime, source: Source | None = None
) -> WebhookRequest:
    """The request as it proves itself by this scheme; raises TypeError where `can_sign` says no.

    `source` is the one that the request is for: its options may name the header that carries the secret.
    """
    match scheme:
        case BasicCredentials():
            return _with_headers(request, basic(secret))
        case HeaderToken():
            return _with_headers(request, {scheme.header: scheme.prefix + secret})
        case ConfiguredHeader():
            return _with_headers(request, {scheme.header_token(source).header if source else scheme.default: secret})
        case QueryToken():
            return msgspec.structs.replace(request, query={**request.query, scheme.parameter: secret})
        case HmacSignature():
            extra = {}
            if scheme.timestamp_header:
                extra[scheme.timestamp_header] = written_time(now, scheme.timestamp_format)
            if scheme.id_header:
                extra[scheme.id_header] = str(uuid4())
            timed = _with_headers(request, extra)
            digest = hmac.digest(secret.encode(), scheme.message(timed) or b"", scheme.digest)
            return _with_headers(timed, {scheme.header: scheme.prefix + encode_digest(digest, scheme.encoding)})
        case StandardWebhooks():
            message_id, timestamp = f"msg_{uuid4().hex}", unix_time(now)
            signature = standard_signature(scheme.key(secret) or b"", message_id, timestamp, request.body)
            return _with_headers(
                request,
                {
                    "webhook-id": message_id,
                    "webhook-timestamp": timestamp,
                    "webhook-signature": f"v1,{signature}",
                },
            )
    raise TypeError(f"only the vendor can sign by {type(scheme).__name__}")


def written_time(time: datetime, time_format: TimeFormat) -> str:
    """The time in the form that a vendor signs."""
    match time_format:
        case "seconds":
            return unix_time(time)
        case "milliseconds":
            return f"{unix_time(time)}000"
        case "rfc3339":
            return iso_time(time)


def _with_headers(request: WebhookRequest, headers: Mapping[str, str]) -> WebhookRequest:
    return msgspec.structs.replace(request, headers={**request.headers, **headers})
