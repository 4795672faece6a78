"""Mailjet's Event API: one JSON object a request or, with grouped events, an array of them; nothing is signed.

https://dev.mailjet.com/email/guides/webhooks/

Not documented: how many events a group has at most, how long Mailjet waits for an answer, and what a test of the
console's posts; the documentation's samples are about api@mailjet.com, and so nothing about that address counts.
"""

from typing import Any

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.providers.authentication.credentials import BasicCredentials, QueryToken
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.vendor_verdict import kind_of_drop, settle
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://dev.mailjet.com/email/guides/webhooks/#secure-your-endpoint-url

SCHEMES: dict[str, Scheme] = {"": BasicCredentials(), "query": QueryToken()}

# -- What its events are -------------------------------------------------------------------------------------
# https://dev.mailjet.com/email/guides/webhooks/#event-types

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "sent": (Kind.DELIVERED, Cause.NONE),  # the receiving server took it
    "open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
    "bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "blocked": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),  # Mailjet did not try
    "spam": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "unsub": (Kind.UNSUBSCRIBE, Cause.NONE),
    "typofix": (Kind.OTHER, Cause.NONE),
}

# -- Why it happened -----------------------------------------------------------------------------------------
# https://dev.mailjet.com/email/guides/webhooks/#possible-values-for-errors


class MailjetError(Struct, frozen=True, kw_only=True):
    """The meaning of an `error` in a bounce with `hard_bounce`, in one without, and in a `blocked` event."""

    related_to: str
    hard: tuple[Kind, Cause]
    soft: tuple[Kind, Cause]
    blocked: Cause


def _error(
    related_to: str, hard: tuple[Kind, Cause], soft: tuple[Kind, Cause] | None = None, blocked: Cause | None = None
) -> MailjetError:
    """An error whose `soft` is that of `hard` by default, and whose `blocked` event repeats an older one."""
    return MailjetError(
        related_to=related_to, hard=hard, soft=soft or hard, blocked=blocked or Cause.SUPPRESSED_BY_PROVIDER
    )


def _of_the_sender(related_to: str, cause: Cause) -> MailjetError:
    return _error(related_to, (Kind.BLOCKED, cause), blocked=cause)


def _of_the_server(cause: Cause) -> MailjetError:
    return _error("system", (Kind.SOFT_BOUNCE, cause), blocked=cause)


_NO_ADDRESS = (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS)
_NOT_FOUND = (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE)
ERRORS: dict[str, MailjetError] = {
    "user unknown": _error("recipient", (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)),
    "mailbox inactive": _error(
        "recipient", (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED), (Kind.SOFT_BOUNCE, Cause.MAILBOX_DISABLED)
    ),
    "quota exceeded": _error("recipient", (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL)),
    # On a list of Mailjet, whatever the event is called: it repeats an exclusion or a complaint.
    "blacklisted": _error("recipient", (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)),
    "spam reporter": _error(
        "recipient", (Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER), blocked=Cause.COMPLAINED_AT_PROVIDER
    ),
    "invalid domain": _error(
        "domain", (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST), _NOT_FOUND, Cause.DOMAIN_DOES_NOT_EXIST
    ),
    # No server answers for the domain. It has no null MX, which would say that it takes no mail.
    "no mail host": _error(
        "domain", (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST), _NOT_FOUND, Cause.DOMAIN_DOES_NOT_EXIST
    ),
    "relay/access denied": _of_the_sender("domain", Cause.SENDER_CONFIGURATION),
    "greylisted": _error("domain", (Kind.SOFT_BOUNCE, Cause.GREYLISTED), (Kind.DEFERRED, Cause.GREYLISTED)),
    "typofix": _error("domain", _NO_ADDRESS, blocked=Cause.INVALID_ADDRESS),  # "gmial.com"
    "bad or empty template": _of_the_sender("content", Cause.SENDER_CONFIGURATION),
    "error in template language": _of_the_sender("content", Cause.SENDER_CONFIGURATION),
    "sender blocked": _of_the_sender("spam", Cause.SENDER_REPUTATION),
    "content blocked": _of_the_sender("spam", Cause.CONTENT),
    "policy issue": _of_the_sender("spam", Cause.POLICY),
    "system issue": _of_the_server(Cause.SERVER_UNAVAILABLE),
    "protocol issue": _of_the_server(Cause.SERVER_UNAVAILABLE),
    "connection issue": _of_the_server(Cause.CONNECTION_FAILED),
    "preblocked": _error(
        "mailjet", (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)
    ),  # it bounced recently, for another sender perhaps
    "duplicate in campaign": _error(
        "mailjet", (Kind.DROPPED, Cause.SENDER_CONFIGURATION), blocked=Cause.SENDER_CONFIGURATION
    ),
}
# By `error_related_to`, for unknown errors: the address is blamed only for errors about it.
RELATED_TO: dict[str, MailjetError] = {
    "recipient": _error("", (Kind.HARD_BOUNCE, Cause.UNDETERMINED), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    "domain": _error("", (Kind.HARD_BOUNCE, Cause.UNDETERMINED), (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)),
    "content": _of_the_sender("", Cause.CONTENT),
    "spam": _of_the_sender("", Cause.POLICY),
    "system": _of_the_server(Cause.SERVER_UNAVAILABLE),
    "mailjet": _error("", (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)),
}
_NEW_ERROR = RELATED_TO["recipient"]

# -- How it is read ------------------------------------------------------------------------------------------

SAMPLE_ADDRESS = "api@mailjet.com"

_decode_text = msgspec.json.Decoder().decode

_BATCH = BatchBody("Mailjet webhook")


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """One event for each element; an unreadable one becomes an event `malformed` without effect."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_event)


def _read_event(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    name = json_payload.text(values, "event", WORD_LIMIT)
    if name is None:
        return _inbound(raw, envelope) if "Sender" in values and "Recipient" in values else None
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    address = json_payload.text(values, "email")
    recognised, vendor_event, failure, scope = name in EVENTS, name, None, None
    diagnostic = json_payload.text(values, "smtp_reply")
    list_id = json_payload.text(values, "mj_list_id", WORD_LIMIT) if name == "unsub" else None
    list_scope = f"list:{list_id}" if list_id not in {None, "0"} else None
    if kind is Kind.SOFT_BOUNCE or kind is Kind.DROPPED:
        diagnostic = json_payload.text(values, "comment") or diagnostic
        label, error = _error_of(values)
        recognised = label in ERRORS
        hard = json_payload.flag(values, "hard_bounce")
        failure = classify(
            smtp_code=None, enhanced_status=None, diagnostic=diagnostic, permanent=hard, recipient=address
        )
        if kind is Kind.DROPPED:
            kind, cause, vendor_event = kind_of_drop(error.blocked), error.blocked, f"{name}/{label}"
        else:
            kind, cause = _bounce(error, failure, hard=hard)
            vendor_event = f"{name}/{'hard' if hard else 'soft'}/{label}"
    elif kind is Kind.UNSUBSCRIBE:
        scope = list_scope
    if address == SAMPLE_ADDRESS:
        kind, cause, scope = Kind.OTHER, Cause.TEST, None
    message_id = json_payload.text(values, "MessageID", MESSAGE_ID_LIMIT)
    message_id = message_id or json_payload.text(values, "Message_GUID", MESSAGE_ID_LIMIT)
    when = values.get("time")
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(message_id, address, name, when, values.get("url"), list_scope) if message_id and when else (raw,),
        address=address,
        vendor_event=vendor_event,
        recognised=recognised,
        vendor_time=from_unix_seconds(when),
        failure=failure,
        message_id=message_id,
        diagnostic=diagnostic,
        scope=scope,
        tags=json_payload.tags(values, "customcampaign"),
        metadata=_metadata(values),
        campaign=_campaign(values),
    )


def _campaign(values: dict[str, Any]) -> str | None:
    """The sender's own name of it, otherwise Mailjet's id."""
    own = json_payload.text(values, "customcampaign")
    return own or (json_payload.text(values, "mj_campaign_id") if values.get("mj_campaign_id") else None)


def _inbound(raw: bytes, envelope: Envelope) -> FeedbackEvent:
    """Mail from the Parse API, whose addresses are not feedback about contacts."""
    return new_event(envelope, raw, kind=Kind.OTHER, key=(raw,), address=None, vendor_event="inbound", vendor_time=None)


def _error_of(values: dict[str, Any]) -> tuple[str, MailjetError]:
    """The error and its name; Mailjet writes it into `error_related_to` at times and leaves `error` empty."""
    error = (json_payload.text(values, "error", WORD_LIMIT) or "").lower()
    related = (json_payload.text(values, "error_related_to", WORD_LIMIT) or "").lower()
    for label in (error, related):
        if label in ERRORS:
            return label, ERRORS[label]
    return error or related, RELATED_TO.get(related, _NEW_ERROR)


def _bounce(error: MailjetError, classification: Classification, *, hard: bool) -> tuple[Kind, Cause]:
    kind, cause = error.hard if hard else error.soft
    if (
        kind is Kind.BLOCKED
        and classification.cause is not Cause.POLICY
        and CAUSE_BLAME[classification.cause] is Blame.SENDER
    ):
        return kind, classification.cause
    if kind in {Kind.BLOCKED, Kind.DROPPED} or error.related_to == "system":
        return kind, cause  # somebody else is to blame, even if the refusal quotes an address
    return settle(kind, cause, classification)


def _metadata(values: dict[str, Any]) -> dict[str, Any] | None:
    """`Payload`, which is JSON if the sender wrote JSON, and `CustomID`."""
    payload, custom_id = values.get("Payload"), values.get("CustomID")
    if not payload and not custom_id:
        return None
    metadata: dict[str, Any] = {}
    if isinstance(payload, str) and payload:
        try:
            payload_values = _decode_text(payload) if payload[0] == "{" else None
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            payload_values = None
        metadata = payload_values if isinstance(payload_values, dict) else {"Payload": payload}
    if custom_id:
        metadata["CustomID"] = custom_id
    return json_payload.metadata(metadata)


PROVIDER = Provider(
    name="mailjet",
    title="Mailjet",
    documentation="https://dev.mailjet.com/email/guides/webhooks/",
    proof="user and password, or a token in the URL",
    secret_help=(
        "`user:password`, both of your own choosing: put them into the endpoint's URL at Mailjet, "
        "https://user:password@host/webhooks/…"
    ),
    schemes=SCHEMES,
    batch=_BATCH,
    batches=True,
    account_paths={},  # Mailjet names neither a subaccount nor the sender
    campaign_fields=(
        "customcampaign",
        "mj_campaign_id",
    ),
    vocabulary={
        **EVENTS,
        **{f"bounce/hard/{name}": error.hard for name, error in ERRORS.items()},
        **{f"bounce/soft/{name}": error.soft for name, error in ERRORS.items()},
        **{f"blocked/{name}": (kind_of_drop(error.blocked), error.blocked) for name, error in ERRORS.items()},
    },
    parse=parse,
)
