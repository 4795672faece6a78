"""GreenArrow Engine: the Event Notification System's HTTP destination, JSON objects alone or in an array.

https://greenarrowemail.com/docs/greenarrow-engine/Event-Notification-System/Types-of-Events

One refusal comes up to three times: as `delivery_attempt`, as `bounce_all`, and as `bounce_bad_address` as soon as
GreenArrow's own counting calls the address bad. An attempt is a deferral here; the other two count. That the
modern destination posts a bare array, and which other events Studio has, could not be verified. Nothing is signed.
"""

from collections.abc import Mapping
from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, QueryToken
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import Classification, classify
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://greenarrowemail.com/docs/greenarrow-engine/Event-Notification-System/Event-Delivery-Methods

SCHEMES: dict[str, Scheme] = {"": BasicCredentials(), "query": QueryToken()}

# -- What its events are -------------------------------------------------------------------------------------
# https://greenarrowemail.com/docs/greenarrow-engine/Event-Notification-System/Types-of-Events
# https://greenarrowemail.com/docs/greenarrow-engine/Event-Notification-System/Legacy-Types-of-Events

_BOUNCED = (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)  # the server's words say which bounce it was
_BAD_ADDRESS = (Kind.HARD_BOUNCE, Cause.UNDETERMINED)
EVENTS: dict[str, tuple[Kind, Cause]] = {
    "bounce_all": _BOUNCED,
    "bounce_bad_address": _BAD_ADDRESS,
    "scomp": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "delivery_attempt": (Kind.OTHER, Cause.NONE),  # by its status
    "engine_open": (Kind.OPENED, Cause.NONE),
    "engine_click": (Kind.CLICKED, Cause.NONE),
    "engine_unsub": (Kind.UNSUBSCRIBE, Cause.NONE),
    "studio_open": (Kind.OPENED, Cause.NONE),
    "studio_click": (Kind.CLICKED, Cause.NONE),
    "studio_unsub": (Kind.UNSUBSCRIBE, Cause.NONE),
    "hook_stat": _BOUNCED,  # the three names of before 2011
    "hook_bounce": _BAD_ADDRESS,
    "hook_scomp": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
}
STATUSES: dict[str, tuple[Kind, Cause]] = {
    "success": (Kind.DELIVERED, Cause.NONE),
    "accepted": (Kind.DELIVERED, Cause.NONE),
    "failure": (Kind.DEFERRED, Cause.UNDETERMINED),  # final; a bounce event follows, and counts
    "failure_toolong": (Kind.DEFERRED, Cause.EXPIRED),
    "deferral": (Kind.DEFERRED, Cause.UNDETERMINED),
    "connmaxout": (Kind.DEFERRED, Cause.RATE_LIMITED),  # our own limit of connections
}

# -- Why -----------------------------------------------------------------------------------------------------
# `bounce_type`, if the words say nothing. GreenArrow never calls an address bad after a single bounce.

BOUNCE_TYPES: dict[str, tuple[Kind, Cause]] = {
    "h": _BOUNCED,
    "s": _BOUNCED,
    "o": (Kind.BLOCKED, Cause.POLICY),  # other: neither the mailbox nor its server
}

# -- How it is read ------------------------------------------------------------------------------------------

_NO_ID = (None, "", 0, "0")
_TIMES = ("event_time", "timestamp", "bounce_time")
_PARTS_OF_THE_KEY = ("sendid", "listid", "msguid", "click_tracking_id", "click_url")
_ABOUT_THE_MAIL = ("listid", "list_name", "list_label", "sendid", "click_tracking_id", "msguid")

_BATCH = BatchBody("GreenArrow event", lines=True)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of one object or an array of them; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_event)


def _read_event(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    name, address = _word(values, "event_type"), json_payload.text(values, "email")
    if name is None:
        raise UnreadablePayload("GreenArrow event: it has no event_type")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    known, detail = name in EVENTS, None
    diagnostic = _text(values, "bounce_text") or _text(values, "bounce_message") or _text(values, "message")
    failure = None
    if name == "delivery_attempt":
        detail = _word(values, "status")
        known = detail in STATUSES
        kind, cause = STATUSES.get(detail or "", (kind, cause))
    elif kind in {Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE}:
        detail = _word(values, "bounce_type")
    if kind in {Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE}:
        code = json_payload.integer(values, "bounce_code")  # the SMTP code, or a class of GreenArrow's own
        failure = classify(
            smtp_code=code, enhanced_status=None, diagnostic=diagnostic, permanent=None, recipient=address
        )
        kind, cause = _meaning(kind, cause, detail, failure)
    value_of = values.get
    happened = next((time for field in _TIMES if (time := from_unix_seconds(value_of(field)))), None)
    event_id = value_of("id") if value_of("id") not in _NO_ID else None
    times = tuple(map(value_of, _TIMES))
    # The number belongs to one server, and several may post to the same source.
    parts = tuple(map(value_of, _PARTS_OF_THE_KEY))
    key: tuple[object, ...] = (event_id, name, address, *times, *parts) if event_id or any(times) else (raw,)
    former_key = (event_id, name, address, happened, *parts) if event_id or happened else (raw,)
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=key,
        former_key=former_key,
        address=address,
        vendor_event=f"{name}/{detail}" if detail else name,
        recognised=known,
        vendor_time=happened,
        failure=failure,
        message_id=_message_id(values, "click_tracking_id")
        or _message_id(values, "msguid")
        or _message_id(values, "sendid"),
        diagnostic=diagnostic,
        scope=_word(values, "listid") if kind is Kind.UNSUBSCRIBE else None,
        tags=json_payload.tags(values, "sendid"),
        metadata=json_payload.metadata({part: values[part] for part in _ABOUT_THE_MAIL if values.get(part)}),
        campaign=json_payload.text(values, "sendid"),
    )


def _meaning(kind: Kind, cause: Cause, bounce_type: str | None, failure: Classification) -> tuple[Kind, Cause]:
    reply_cause = failure.cause
    if kind is Kind.DEFERRED:
        return kind, reply_cause if reply_cause is not Cause.UNDETERMINED else cause
    if kind is Kind.SOFT_BOUNCE:
        return (failure.kind, reply_cause) if not failure.vague else BOUNCE_TYPES.get(bounce_type or "", (kind, cause))
    # GreenArrow has counted and calls the address bad; a refusal that is our fault does not make it bad.
    if CAUSE_BLAME[reply_cause] is Blame.SENDER and not failure.vague:
        return Kind.BLOCKED, reply_cause
    return kind, cause if failure.vague else reply_cause


def _word(values: Mapping[str, Any], key: str) -> str | None:
    return json_payload.text(values, key, json_payload.WORD_LIMIT)


def _text(values: Mapping[str, Any], key: str) -> str | None:
    return json_payload.text(values, key)


def _message_id(values: Mapping[str, Any], key: str) -> str | None:
    return json_payload.text(values, key, json_payload.MESSAGE_ID_LIMIT)


PROVIDER = Provider(
    name="greenarrow",
    title="GreenArrow Engine",
    documentation="https://greenarrowemail.com/docs/greenarrow-engine/Event-Notification-System/Types-of-Events",
    proof="basic, or a token in the URL",
    secret_help="`user:password`, both of your own choosing: put them into the destination's URL",
    schemes=SCHEMES,
    batch=_BATCH,
    batches=True,
    account_paths={"sending_domain": "from_address || sender"},
    campaign_fields=("sendid",),
    always_tells_domain=False,
    vocabulary=(
        EVENTS
        | {f"bounce_all/{name}": meaning for name, meaning in BOUNCE_TYPES.items()}
        | {f"delivery_attempt/{name}": meaning for name, meaning in STATUSES.items()}
    ),
    parse=parse,
)
