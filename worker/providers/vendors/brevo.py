"""Brevo, formerly Sendinblue: transactional and marketing events, one JSON object a request or batches; nothing signed.

https://developers.brevo.com/docs/how-to-use-webhooks

Not documented: the JSON of a batch (an array is taken, and an object with an array inside), the wire names of a few
marketing events (known by their spellings when a webhook is made), what the console's "Send test request" posts (what
has the address or the id of the documentation's samples counts for nothing), and whether a 5xx is ever sent again: 429
is.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.configured_header import ConfiguredHeader
from worker.providers.authentication.credentials import BasicCredentials, bearer_token
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop, settle
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody, Element
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://developers.brevo.com/docs/secured-webhooks

SCHEMES: dict[str, Scheme] = {"": BasicCredentials(), "bearer": bearer_token(), "header": ConfiguredHeader()}

# -- What its events are -------------------------------------------------------------------------------------
# https://developers.brevo.com/docs/transactional-webhooks and https://developers.brevo.com/docs/marketing-webhooks

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "request": (Kind.ACCEPTED, Cause.NONE),  # even if `blocked` follows
    "sent": (Kind.ACCEPTED, Cause.NONE),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "deferred": (Kind.DEFERRED, Cause.UNDETERMINED),
    "soft_bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "hard_bounce": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "invalid_email": (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),  # never tried, and nothing else reports it
    "blocked": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "error": (Kind.OTHER, Cause.NONE),  # inside Brevo
    "spam": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    "opened": (Kind.OPENED, Cause.NONE),
    "unique_opened": (Kind.OPENED, Cause.NONE),
    "proxy_open": (Kind.OPENED, Cause.NONE),
    "unique_proxy_open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
    **dict.fromkeys(
        (
            *("list_addition", "contact_updated", "contact_deleted", "unique_coupon_sent"),
            *("inbound_email_processed", "reply"),
        ),
        (Kind.OTHER, Cause.NONE),
    ),
}
# By a proxy that fetches every picture, whether somebody reads the mail or not.
PROXY_OPENS = frozenset({"proxy_open", "unique_proxy_open"})


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


# The same names in other spellings: hardBounce and hard_bounced, uniqueOpened, unique_proxy_opened.
SPELLINGS: dict[str, str] = {_plain(name): name for name in EVENTS} | {
    "hardbounced": "hard_bounce",
    "softbounced": "soft_bounce",
    "invalid": "invalid_email",
    "clicked": "click",
    "open": "opened",
    "uniqueopen": "unique_opened",
    "proxyopened": "proxy_open",
    "uniqueproxyopened": "unique_proxy_open",
}

# -- Why it happened -----------------------------------------------------------------------------------------
# https://developers.brevo.com/docs/transactional-webhooks#blocked: `reason` of a `blocked` event, by words inside it

BLOCK_REASONS: dict[str, Cause] = {
    "unsubscri": Cause.UNSUBSCRIBED_AT_PROVIDER,
    "complain": Cause.COMPLAINED_AT_PROVIDER,
    "spam": Cause.COMPLAINED_AT_PROVIDER,
    "blacklist": Cause.SUPPRESSED_BY_PROVIDER,
    "blocklist": Cause.SUPPRESSED_BY_PROVIDER,
    "bounce": Cause.SUPPRESSED_BY_PROVIDER,
}

# -- How it is read ------------------------------------------------------------------------------------------

SAMPLE_ADDRESS = "example@domain.com"
SAMPLE_MESSAGE_ID = "201798300811.5787683@relay.domain.com"

# In this order; `s_epoch` is a slip of Brevo's. `date` and `ts` are in the account's own time.
_TIME_FIELDS = ("ts_epoch", "s_epoch", "ts_event")

# Signs of an object without `event` that is not a batch: mail that somebody wrote to us, the fate of a text message.
_NOT_ABOUT_A_CONTACT = {"items": "inbound", "msg_status": "sms"}
_OWN_FIELDS = frozenset({"event", *_NOT_ABOUT_A_CONTACT})

_WHAT = "Brevo webhook"
_ARRAY = BatchBody(_WHAT)
_decode_text = msgspec.json.Decoder().decode


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """One event for each object; an unreadable one becomes an event `malformed` without effect."""
    return read_elements(_batch(envelope.body).elements(envelope.body), envelope, _read_element)


def elements(envelope: Envelope) -> Iterable[Element]:
    """The events of the array, wherever it is."""
    return _batch(envelope.body).elements(envelope.body)


def _batch(body: bytes) -> BatchBody:
    """How this body carries its events: an object with an array of them may give it any name."""
    if body.lstrip()[:1] != b"{":
        return _ARRAY
    try:
        fields = json_payload.decode_fields(body, _WHAT)
    except UnreadablePayload:
        return _ARRAY  # the parser reports what is wrong with it
    if not _OWN_FIELDS.isdisjoint(fields):
        return _ARRAY
    return next((BatchBody(_WHAT, inside=name) for name, value in fields.items() if _has_objects(bytes(value))), _ARRAY)


def _has_objects(value: bytes) -> bool:
    """True for an array in which some element is an object."""
    if not value.startswith(b"["):
        return False
    return any(bytes(memoryview(element)[:1]) == b"{" for element in json_payload.decode_array_of_raw(value, _WHAT))


def _read_element(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    if (name := json_payload.text(values, "event", WORD_LIMIT)) is not None:
        return _read_event(name, values, raw, envelope)
    word = next((word for field, word in _NOT_ABOUT_A_CONTACT.items() if field in values), None)
    if word is None:
        return None
    return new_event(envelope, raw, kind=Kind.OTHER, key=(raw,), address=None, vendor_event=word, vendor_time=None)


def _read_event(event_name: str, values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    name = event_name if event_name in EVENTS else SPELLINGS.get(_plain(event_name), event_name)
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    vendor_event, failure, diagnostic = name, None, None
    address = json_payload.text(values, "email")
    if kind in _FAILURES:
        diagnostic = json_payload.text(values, "reason")
        failure = classify(
            smtp_code=None,
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=kind is Kind.HARD_BOUNCE,
            recipient=address,
        )
        kind, cause = settle(kind, cause, failure)
    elif kind is Kind.DROPPED:
        diagnostic = json_payload.text(values, "reason")
        if name == "blocked" and (words := _block_reason(diagnostic)):
            vendor_event, cause = f"blocked/{words}", BLOCK_REASONS[words]
        else:
            cause = cause_of_drop(cause, diagnostic, recipient=address)
            kind = kind_of_drop(cause)
    message_id = json_payload.text(values, "message-id", MESSAGE_ID_LIMIT)
    if message_id is not None:
        message_id = message_id.strip("<> ") or None
    if address == SAMPLE_ADDRESS or message_id == SAMPLE_MESSAGE_ID:
        kind, cause = Kind.OTHER, Cause.TEST
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=_key(event_name, message_id, address, values, raw),
        former_key=None if name == event_name else _key(name, message_id, address, values, raw),
        address=address,
        vendor_event=vendor_event,
        recognised=name in EVENTS,
        vendor_time=_vendor_time(values),
        failure=failure,
        message_id=message_id,
        diagnostic=diagnostic,
        machine=name in PROXY_OPENS,
        tags=_tags(values),
        metadata=_metadata(values),
        campaign=json_payload.text(values, "camp_id"),
    )


_FAILURES = frozenset({Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE})


def _key(
    name: str, message_id: str | None, address: str | None, values: dict[str, Any], raw: bytes
) -> tuple[object, ...]:
    """`id` belongs to the webhook and is the same in all its events: the message or the campaign distinguishes them."""
    about = message_id or values.get("camp_id")
    when = values.get("ts_epoch") or values.get("s_epoch") or values.get("ts_event") or values.get("ts")
    if not about or not when:
        return (raw,)
    return about, address, name, when, values.get("link") or values.get("URL")


def _vendor_time(values: dict[str, Any]) -> datetime | None:
    for field in _TIME_FIELDS:
        if (value := values.get(field)) is not None and (time := from_unix_seconds(value)) is not None:
            return time
    return None


def _block_reason(diagnostic: str | None) -> str | None:
    reply = diagnostic.lower() if diagnostic else ""
    return next((words for words in BLOCK_REASONS if words in reply), None)


def _tags(values: dict[str, Any]) -> tuple[str, ...]:
    """`tags`; without them `tag`, which is a text, or the JSON of an array of texts."""
    if tags := json_payload.tags(values, "tags"):
        return tags
    tag = values.get("tag")
    return json_payload.tags({"tag": _decode(tag, "[") if isinstance(tag, str) else tag}, "tag")


def _metadata(values: dict[str, Any]) -> dict[str, Any] | None:
    """`X-Mailin-custom`, which is JSON where the sender wrote JSON."""
    custom = values.get("X-Mailin-custom")
    if not isinstance(custom, str) or not custom:
        return None
    custom_values = _decode(custom, "{")
    return json_payload.metadata(custom_values if isinstance(custom_values, dict) else {"X-Mailin-custom": custom})


def _decode(text: str, opening: str) -> Any:
    """The value of the text if it is a JSON array or object, otherwise the text."""
    if not text.startswith(opening):
        return text
    try:
        return _decode_text(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text


PROVIDER = Provider(
    name="brevo",
    title="Brevo",
    documentation="https://developers.brevo.com/docs/how-to-use-webhooks",
    proof="user and password, a bearer token, or a header",
    secret_help=(
        "`user:password`, both of your own choosing: put them into the webhook's URL at Brevo, "
        "https://user:password@host/webhooks/…"
    ),
    later_status=429,  # the only refusal after which Brevo surely sends again
    schemes=SCHEMES,
    batches=True,
    account_paths={"sending_domain": "sender_email"},  # as seen; the pages do not show it
    campaign_fields=("camp_id",),
    vocabulary=EVENTS | {f"blocked/{words}": (Kind.DROPPED, cause) for words, cause in BLOCK_REASONS.items()},
    parse=parse,
    elements=elements,
)
