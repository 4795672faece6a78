"""SendPulse: arrays of events, of its SMTP service and of its campaigns, which differ; nothing is signed.

Sources: sendpulse.com/knowledge-base/smtp/smtp-webhooks, sendpulse.com/knowledge-base/email-service/additional/webhooks
and github.com/sendpulse/sendpulse-skills. The pages name some events only in words, and the vendor's own sources spell
the bounces and the complaint in several ways: all of these are known here. How often SendPulse sends again after an
answer that is no 2xx is not documented.
"""

from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import QueryToken
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import settle
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://github.com/sendpulse/sendpulse-skills, sendpulse-smtp-skill/references/webhooks.md (security)

TOKEN = QueryToken()

# -- What its events are, and why ----------------------------------------------------------------------------
# https://sendpulse.com/knowledge-base/smtp/smtp-webhooks

_SOFT = (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)  # the server's codes and words have the say
_HARD = (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST)
_COMPLAINT = (Kind.COMPLAINT, Cause.ABUSE_REPORT)

SMTP_EVENTS: dict[str, tuple[Kind, Cause]] = {
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "undelivered": _SOFT,
    "soft_bounces": _SOFT,
    "soft_bounced": _SOFT,
    "hard_bounces": _HARD,
    "hard_bounced": _HARD,
    "opened": (Kind.OPENED, Cause.NONE),
    "clicked": (Kind.CLICKED, Cause.NONE),
    "spam_by_user": _COMPLAINT,
    "spam": _COMPLAINT,
    "unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "resubscribed": (Kind.RESUBSCRIBE, Cause.NONE),  # the person has confirmed it by a link in a mail
}
# https://sendpulse.com/knowledge-base/email-service/additional/webhooks
CAMPAIGN_EVENTS: dict[str, tuple[Kind, Cause]] = {
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "soft_bounces": _SOFT,
    "hard_bounces": _HARD,
    "open": (Kind.OPENED, Cause.NONE),
    "redirect": (Kind.CLICKED, Cause.NONE),
    "spam": _COMPLAINT,
    "unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    "new_emails": (Kind.OTHER, Cause.NONE),  # put into an address book, by whomever
    "delete": (Kind.OTHER, Cause.NONE),
    "task_status_update": (Kind.OTHER, Cause.NONE),  # of a campaign
}
EVENTS = SMTP_EVENTS | CAMPAIGN_EVENTS
_BOUNCES = frozenset(name for name, meaning in EVENTS.items() if meaning in (_SOFT, _HARD))
_PERMANENT = frozenset(name for name, meaning in EVENTS.items() if meaning == _HARD)

# -- How it is read ------------------------------------------------------------------------------------------

_WHAT = "SendPulse webhook"
_FALSE = (False, 0, "0", "false")

_BATCH = BatchBody(_WHAT)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of the array; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_element)


def _read_element(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    name = json_payload.text(values, "event", json_payload.WORD_LIMIT)
    if name is None:
        raise UnreadablePayload(f"{_WHAT}: an element names no event")
    address = json_payload.text(values, "recipient") or json_payload.text(values, "email")
    meaning = EVENTS.get(name)
    kind, cause = meaning or (Kind.OTHER, Cause.NONE)
    if address is None and kind is not Kind.OTHER:
        raise UnreadablePayload(f"{_WHAT}: a {name} names nobody in recipient or email")
    classification = diagnostic = None
    if name in _BOUNCES:
        diagnostic = json_payload.text(values, "smtp_server_response")
        classification = classify(
            smtp_code=json_payload.integer(values, "smtp_server_response_code"),
            enhanced_status=json_payload.text(values, "smtp_server_response_subcode"),
            diagnostic=diagnostic,
            permanent=name in _PERMANENT,
            recipient=address,
        )
        kind, cause = settle(kind, cause, classification)
    stamp = values.get("timestamp")  # a number in one product, a text in the other
    time = from_unix_seconds(stamp) or from_iso(stamp)
    # A message in one product, a campaign in the other, which is why the address is part of the key.
    message_id = json_payload.text(values, "message_id", json_payload.MESSAGE_ID_LIMIT) or json_payload.text(
        values, "task_id", json_payload.MESSAGE_ID_LIMIT
    )
    link = json_payload.text(values, "link_url")
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(
            message_id,
            address,
            name,
            raw if time is None else str(stamp),
            link,
        ),
        former_key=None
        if link is None or kind is Kind.CLICKED
        else (message_id, address, name, raw if time is None else str(stamp), None),
        address=address,
        vendor_event=name,
        recognised=meaning is not None,
        vendor_time=time,
        failure=classification,
        message_id=message_id,
        diagnostic=diagnostic,
        scope=_scope(values) if kind is Kind.UNSUBSCRIBE else None,
        campaign=json_payload.text(values, "task_id"),
    )


def _scope(values: dict[str, Any]) -> str | None:
    """The address book that somebody left, where it was not all of them."""
    book = json_payload.text(values, "book_id", json_payload.WORD_LIMIT)
    return f"address book {book}" if book is not None and values.get("from_all") in _FALSE else None


PROVIDER = Provider(
    name="sendpulse",
    title="SendPulse",
    documentation="https://sendpulse.com/knowledge-base/smtp/smtp-webhooks",
    proof="secret in the URL",
    secret_help="a long text of your own choosing, at the end of the URL: ?token=…",
    batch=_BATCH,
    batches=True,
    schemes={"": TOKEN},
    account_paths={"sending_domain": "sender"},
    campaign_fields=("task_id",),
    vocabulary=EVENTS,
    parse=parse,
)
