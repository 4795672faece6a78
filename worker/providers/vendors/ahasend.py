"""AhaSend: one JSON object a webhook, signed by Standard Webhooks with the whole secret as its key.

https://ahasend.com/docs/api-reference/webhooks and https://ahasend.com/docs/integrations/webhooks, which describes
`delivery_attempt`: the words of the receiving server, if there was one conversation with it. `message.failed` is called
a hard bounce, and comes when AhaSend has given up on an address that was only out of reach: it counts as soft.
`message.reception` comes for inbound mail too. No event is called a complaint; one suppresses the recipient for good,
and how `suppression.created` words that is not documented: a reason with "complain" in it counts as a complaint. The
console's test events are not documented either, so they are not recognised.
"""

from collections.abc import Mapping
from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.scheme import Scheme
from worker.providers.authentication.standard_webhooks import ID_HEADERS, StandardWebhooks
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import settle
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT, child, text
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://ahasend.com/docs/api-reference/webhooks/security

SCHEMES: dict[str, Scheme] = {"": StandardWebhooks(raw_secret=True)}

# -- What its events are, and why ----------------------------------------------------------------------------
# https://ahasend.com/docs/api-reference/webhooks. The server's codes and words give the reason; the `classification`
# beside them has no published list and is not used.

BOUNCED = "message.bounced"
SUPPRESSION = "suppression.created"

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "message.reception": (Kind.ACCEPTED, Cause.NONE),
    "message.delivered": (Kind.DELIVERED, Cause.NONE),
    "message.transient_error": (Kind.DEFERRED, Cause.UNDETERMINED),
    "message.failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # refused for good, or given up: it does not say which
    BOUNCED: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # a bounce mail without details; otherwise see below
    "message.suppressed": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "message.opened": (Kind.OPENED, Cause.NONE),
    "message.clicked": (Kind.CLICKED, Cause.NONE),
    SUPPRESSION: (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),  # for a month, after bounces told before
    "domain.dns_error": (Kind.OTHER, Cause.NONE),
    "message.routing": (Kind.OTHER, Cause.NONE),  # mail to us: its addresses are not feedback about contacts
    "route.message": (Kind.OTHER, Cause.NONE),  # as that was called before
}
# A permanent refusal without a reason in its words, which AhaSend calls "hard bounce".
REFUSED: tuple[Kind, Cause] = (Kind.HARD_BOUNCE, Cause.UNDETERMINED)
COMPLAINT: tuple[Kind, Cause] = (Kind.COMPLAINT, Cause.ABUSE_REPORT)
_COMPLAINED = "complain"
_FAILURES = frozenset({Kind.DEFERRED, Kind.SOFT_BOUNCE})

# -- How it is read ------------------------------------------------------------------------------------------


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, "AhaSend webhook")
    name = text(values, "type", WORD_LIMIT)
    if name is None:
        raise UnreadablePayload("AhaSend webhook: it has no type")
    return [_read_event(name, values, envelope)]


def _read_event(name: str, values: Mapping[str, Any], envelope: Envelope) -> FeedbackEvent:
    data = child(values, "data")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    # The body's `webhook_id` is the same for all that one webhook posts; the event's own id is in the headers.
    event_id = next((envelope.headers[header] for header in ID_HEADERS if envelope.headers.get(header)), None)
    attempt, diagnostic = child(data, "delivery_attempt"), text(data, "reason")
    vendor_event, failure = name, None
    if kind in _FAILURES and attempt:
        diagnostic = text(attempt, "response") or text(attempt, "description")
        if name == BOUNCED:
            (kind, cause), vendor_event = REFUSED, f"{name}/delivery_attempt"
        failure = classify(
            smtp_code=json_payload.integer(attempt, "smtp_code"),  # 0 if there is no code
            enhanced_status=text(attempt, "enhanced_status_code", WORD_LIMIT),
            diagnostic=text(attempt, "response"),
            permanent=kind is Kind.HARD_BOUNCE,
            recipient=text(data, "recipient"),
        )
        kind, cause = settle(kind, cause, failure)
    elif name == SUPPRESSION and _COMPLAINED in (diagnostic or "").lower():
        (kind, cause), vendor_event = COMPLAINT, f"{name}/{_COMPLAINED}"
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(event_id or envelope.body, name),
        address=text(data, "recipient"),
        vendor_event=vendor_event,
        recognised=name in EVENTS,
        vendor_time=from_iso(values.get("timestamp")),
        failure=failure,
        message_id=text(data, "message_id_header", MESSAGE_ID_LIMIT) or text(data, "id", MESSAGE_ID_LIMIT),
        diagnostic=diagnostic,
        machine=json_payload.flag(data, "is_bot"),
    )


PROVIDER = Provider(
    name="ahasend",
    title="AhaSend",
    documentation="https://ahasend.com/docs/api-reference/webhooks",
    proof="HMAC-SHA256 of id, time and body (Standard Webhooks)",
    secret_help="the webhook's secret as it stands, aha-whsec- included: Webhooks, the webhook",
    schemes=SCHEMES,
    kept_headers=frozenset(ID_HEADERS),
    account_paths={
        "subaccount": "data.account_id",
        "sending_domain": "data.from || data.sending_domain",
    },
    always_tells_domain=False,
    vocabulary=EVENTS
    | {
        f"{BOUNCED}/delivery_attempt": REFUSED,
        f"{SUPPRESSION}/{_COMPLAINED}": COMPLAINT,
    },
    parse=parse,
)
