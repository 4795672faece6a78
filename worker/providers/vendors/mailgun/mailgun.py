"""Mailgun's webhooks: one event a request, as JSON or (the older sort) as a form, an HMAC over a time and a token.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks
"""

from collections.abc import Mapping
from email.utils import getaddresses
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.scheme import is_open
from worker.providers.bound_source import BoundSource
from worker.providers.classification.vendor_verdict import kind_of_drop
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, child, fit_text
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider
from worker.providers.vendors.mailgun.mailgun_failure import FAILURES, Failure, settle_failure
from worker.providers.vendors.mailgun.mailgun_form import (
    as_json,
    event_in_todays_shape,
    is_form,
    key_parts,
    read_form,
    vendor_words,
)
from worker.providers.vendors.mailgun.mailgun_signature import (
    TokenSignature,
    accept_once,
    seconds_remembered,
    signed_event,
)
from worker.providers.verdict import Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# worker.providers.vendors.mailgun.mailgun_signature

# -- What its events are -------------------------------------------------------------------------------------
# https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-structure

EVENT_KINDS: dict[str, Kind] = {
    "accepted": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "failed": Kind.SOFT_BOUNCE,  # severity and reason decide: worker.providers.vendors.mailgun.mailgun_failure
    "rejected": Kind.DROPPED,
    "complained": Kind.COMPLAINT,
    "unsubscribed": Kind.UNSUBSCRIBE,
    "opened": Kind.OPENED,
    "clicked": Kind.CLICKED,
    "dropped": Kind.DROPPED,  # old names, in JSON
    "blocked": Kind.DROPPED,
    "stored": Kind.OTHER,  # inbound mail
    "list_member_uploaded": Kind.OTHER,
    "list_member_upload_error": Kind.OTHER,
    "list_uploaded": Kind.OTHER,
}

# -- Why it happened -----------------------------------------------------------------------------------------
# The table of `failed` is in worker.providers.vendors.mailgun.mailgun_failure; of the others only these name a reason.

REJECT_CAUSES: tuple[tuple[str, Cause], ...] = (
    ("virus", Cause.VIRUS),
    ("malware", Cause.VIRUS),
    # Limits of our own account, whose texts speak of recipients too: "… or add the address to authorized recipients".
    ("sandbox", Cause.SENDER_CONFIGURATION),
    ("authorized recipient", Cause.SENDER_CONFIGURATION),
    ("account", Cause.SENDER_CONFIGURATION),
    ("free accounts", Cause.SENDER_CONFIGURATION),
    ("disabled", Cause.SENDER_CONFIGURATION),
    ("too many recipients", Cause.RATE_LIMITED),
    ("limit", Cause.RATE_LIMITED),
    ("suppress", Cause.SUPPRESSED_BY_PROVIDER),
    ("invalid recipient", Cause.INVALID_ADDRESS),
    ("recipient address", Cause.INVALID_ADDRESS),
    ("not a valid address", Cause.INVALID_ADDRESS),
    ("spam", Cause.CONTENT),
)

VOCABULARY: dict[str, tuple[Kind, Cause]] = (
    {
        name: (kind, Cause.UNDETERMINED if kind in {Kind.SOFT_BOUNCE, Kind.DROPPED} else Cause.NONE)
        for name, kind in EVENT_KINDS.items()
        if name != "failed"  # without its severity
    }
    | {"complained": (Kind.COMPLAINT, Cause.ABUSE_REPORT)}
    | FAILURES
    | {"bounced": (Kind.HARD_BOUNCE, Cause.UNDETERMINED)}  # and in forms
    | {
        word.replace("failed/permanent", "dropped"): meaning
        for word, meaning in FAILURES.items()
        if word.startswith("failed/permanent/")
    }
    | {f"rejected/{word}": (kind_of_drop(cause), cause) for word, cause in REJECT_CAUSES}
)

# -- How it is read ------------------------------------------------------------------------------------------

# The console's sample events carry these variables.
_SAMPLE_VARIABLE = ("my_var_1", "Mailgun Variable #1")


class _Webhook(Struct, gc=False):
    """The body; the event stays bytes."""

    event: msgspec.Raw = msgspec.field(name="event-data")


_decode_webhook = msgspec.json.Decoder(_Webhook).decode


def tailor(bound: BoundSource) -> BoundSource:
    """Accepts a signature for one event only, unless everybody may post to the source."""
    if is_open(bound.source):
        return bound
    return msgspec.structs.replace(bound, welcome=partial(_welcome, window_seconds=seconds_remembered(bound.source)))


def _welcome(request: WebhookRequest, *, window_seconds: int) -> Verdict:
    """The verdict, with the signed token and the event that came with it."""
    return accept_once(request, used_for=signed_event(request), window_seconds=window_seconds)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body."""
    if is_form(envelope.body, envelope.content_type):
        form = read_form(envelope.body, envelope.content_type)
        raw = as_json(form)
        values = event_in_todays_shape(form)
        return [_read_event(values, raw, envelope, key=key_parts(form, raw), words=vendor_words(form))]
    try:
        raw = bytes(_decode_webhook(envelope.body).event)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadablePayload(f"Mailgun webhook body: no JSON object with event-data ({error})") from error
    values = json_payload.decode_object(raw, "Mailgun event-data")
    return [_read_event(values, raw, envelope, key=_key(values, raw))]


def _read_event(
    values: dict[str, Any],
    raw: bytes,
    envelope: Envelope,
    *,
    key: tuple[str | bytes | None, ...],
    words: str | None = None,
) -> FeedbackEvent:
    name = values.get("event")
    if not isinstance(name, str) or not name:
        raise UnreadablePayload("Mailgun event-data: the event has no name")
    status = child(values, "delivery-status")
    diagnostic = json_payload.text(status, "message", DIAGNOSTIC_LIMIT) or json_payload.text(
        status, "description", DIAGNOSTIC_LIMIT
    )
    failure = _what_happened(name, values, status, diagnostic)
    if _is_test(values):
        failure = Failure(kind=Kind.OTHER, cause=Cause.TEST, vendor_event=failure.vendor_event)
    return new_event(
        envelope,
        raw,
        kind=failure.kind,
        cause=failure.cause,
        key=key,
        address=_recipient(values),
        vendor_event=words or failure.vendor_event,
        vendor_time=from_unix_seconds(values.get("timestamp")),
        recognised=failure.recognised,
        failure=failure.by_codes,
        message_id=_message_id(values),
        diagnostic=failure.diagnostic or diagnostic,
        machine=json_payload.text(child(values, "client-info"), "bot") is not None,
        tags=json_payload.tags(values, "tags"),
        metadata=json_payload.metadata(values.get("user-variables")),
    )


def _what_happened(name: str, values: Mapping[str, Any], status: Mapping[str, Any], diagnostic: str | None) -> Failure:
    if name == "failed":
        return settle_failure(values, status, diagnostic)
    kind = EVENT_KINDS.get(name, Kind.OTHER)
    if kind is Kind.DROPPED:
        reject = child(values, "reject")
        words = [json_payload.text(reject, key) for key in ("reason", "description")]
        reason = ": ".join(word for word in words if word) or diagnostic
        cause = _reject_cause(reason)
        return Failure(
            kind=kind_of_drop(cause), cause=cause, vendor_event=name, diagnostic=reason and fit_text(reason, 2000)
        )
    cause = Cause.ABUSE_REPORT if kind is Kind.COMPLAINT else Cause.NONE
    return Failure(kind=kind, cause=cause, vendor_event=name, recognised=name in EVENT_KINDS)


def _reject_cause(reason: str | None) -> Cause:
    lowered = (reason or "").lower()
    return next((cause for word, cause in REJECT_CAUSES if word in lowered), Cause.UNDETERMINED)


def _is_test(values: Mapping[str, Any]) -> bool:
    flags = child(values, "flags")
    if flags.get("is-test-mode") is True or flags.get("is-system-test") is True:
        return True
    key, value = _SAMPLE_VARIABLE
    return child(values, "user-variables").get(key) == value


def _key(values: Mapping[str, Any], raw: bytes) -> tuple[str | bytes | None, ...]:
    vendor_id = json_payload.text(values, "id", MESSAGE_ID_LIMIT)
    if vendor_id is None:
        return (raw,)
    # Mailgun promises unique ids for one day only.
    vendor_time = from_unix_seconds(values.get("timestamp"))
    day = vendor_time.date().isoformat() if vendor_time is not None else None
    return (vendor_id, day, json_payload.text(values, "event"), json_payload.text(values, "recipient"))


def _message_id(values: Mapping[str, Any]) -> str | None:
    headers = child(child(values, "message"), "headers")
    message_id = json_payload.text(headers, "message-id", MESSAGE_ID_LIMIT)
    return message_id.strip("<> ") or None if message_id else None


def _recipient(values: Mapping[str, Any]) -> str | None:
    recipient = values.get("recipient")
    if isinstance(recipient, str):
        return recipient
    # `rejected` has only the header To; if that names several people, it is unclear which one it was.
    to = json_payload.text(child(child(values, "message"), "headers"), "to")
    addresses = getaddresses([to]) if to else []
    return addresses[0][1] if len(addresses) == 1 else None


PROVIDER = Provider(
    name="mailgun",
    title="Mailgun",
    documentation="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks",
    proof="HMAC-SHA256 of a time and a one-time token",
    secret_help="the HTTP webhook signing key of the account: Sending > Webhooks, or Settings > API security",
    schemes={"": TokenSignature()},
    vocabulary=VOCABULARY,
    account_paths={
        "subaccount": "account.id",
        "sending_domain": "domain.name || domain || message.headers.from",
    },
    tailor=tailor,
    parse=parse,
)
