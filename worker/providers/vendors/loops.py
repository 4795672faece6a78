"""Loops: one JSON object a webhook, signed as Standard Webhooks has it.

https://loops.so/docs/webhooks

Loops takes a contact that bounces hard, or is deleted, out of the audience, and reports that by `contact.unsubscribed`,
as of a person who leaves. The two events come in either order and share no id, so an echo cannot be told from a
person who leaves; but the latter is also reported by `email.unsubscribed`. That one counts, and `contact.unsubscribed`
counts only where the source says so. Nothing shows whether a person left one mailing list or all. When Loops sends
again is not documented, nor whether anything follows a soft bounce that is given up.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.scheme import Scheme
from worker.providers.authentication.source_options import flag
from worker.providers.authentication.standard_webhooks import ID_HEADERS, StandardWebhooks
from worker.providers.bound_source import BoundSource
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT, child, text
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://loops.so/docs/webhooks#verify-requests

SCHEMES: dict[str, Scheme] = {"": StandardWebhooks()}

# -- What its events are, and why ----------------------------------------------------------------------------
# https://loops.so/docs/webhooks#event-types and https://loops.so/docs/contacts/suppression
# Loops passes on neither words nor codes of the receiving server: a hard bounce must be believed.

CONTACT_UNSUBSCRIBED = "contact.unsubscribed"

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "campaign.email.sent": (Kind.ACCEPTED, Cause.NONE),
    "loop.email.sent": (Kind.ACCEPTED, Cause.NONE),  # of what the console calls a workflow
    "transactional.email.sent": (Kind.ACCEPTED, Cause.NONE),
    "email.delivered": (Kind.DELIVERED, Cause.NONE),
    "email.softBounced": (Kind.DEFERRED, Cause.UNDETERMINED),  # Loops tries again, and a delivery may follow
    "email.hardBounced": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),  # an attempt at a suppressed contact too
    "email.opened": (Kind.OPENED, Cause.NONE),
    "email.clicked": (Kind.CLICKED, Cause.NONE),
    "email.spamReported": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "email.unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "email.resubscribed": (Kind.RESUBSCRIBE, Cause.NONE),  # by the person, behind the link to unsubscribe
    CONTACT_UNSUBSCRIBED: (Kind.OTHER, Cause.UNSUBSCRIBED_AT_PROVIDER),
    "contact.created": (Kind.OTHER, Cause.NONE),
    "contact.deleted": (Kind.OTHER, Cause.NONE),
    # Anybody may have put the contact on the list, or taken it off.
    "contact.mailingList.subscribed": (Kind.OTHER, Cause.NONE),
    "contact.mailingList.unsubscribed": (Kind.OTHER, Cause.UNSUBSCRIBED_AT_PROVIDER),
    "testing.testEvent": (Kind.OTHER, Cause.TEST),
}

# Of a source where `contact.unsubscribed` is to count as the person's wish, its echoes included.
UNSUBSCRIBED_COUNTS = flag("contact_unsubscribed_counts")

# -- How it is read ------------------------------------------------------------------------------------------


def tailor(bound: BoundSource) -> BoundSource:
    """Makes `contact.unsubscribed` count if the operator says so."""
    counts = UNSUBSCRIBED_COUNTS.of(bound.source)
    return msgspec.structs.replace(bound, parse=partial(parse, unsubscribed_counts=counts))


def parse(envelope: Envelope, *, unsubscribed_counts: bool = False) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, "Loops webhook")
    name = text(values, "eventName", WORD_LIMIT)
    if name is None:
        raise UnreadablePayload("Loops webhook: it has no eventName")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    if name == CONTACT_UNSUBSCRIBED and unsubscribed_counts:
        kind, cause = Kind.UNSUBSCRIBE, Cause.NONE
    # The id is not in the body; it stays the same when Loops sends again.
    event_id = next((envelope.headers[header] for header in ID_HEADERS if envelope.headers.get(header)), None)
    return [
        new_event(
            envelope,
            envelope.body,
            kind=kind,
            cause=cause,
            key=(event_id or envelope.body, name),
            address=text(child(values, "contactIdentity"), "email"),
            vendor_event=name,
            recognised=name in EVENTS,
            vendor_time=from_unix_seconds(values.get("eventTime")),
            message_id=text(child(values, "email"), "id", MESSAGE_ID_LIMIT),
            scope=text(child(values, "mailingList"), "id", WORD_LIMIT),
            metadata=_metadata(values),
            campaign=text(values, "campaignId"),
        )
    ]


def _metadata(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The kind of mail, and the sender's own name of the contact: Loops has no other variables."""
    texts = {name: text(values, name, WORD_LIMIT) for name in ("sourceType", "campaignId", "loopId", "transactionalId")}
    texts["userId"] = text(child(values, "contactIdentity"), "userId", WORD_LIMIT)
    return {name: value for name, value in texts.items() if value is not None} or None


PROVIDER = Provider(
    name="loops",
    title="Loops",
    documentation="https://loops.so/docs/webhooks",
    proof="HMAC-SHA256 of id, time and body (Standard Webhooks)",
    secret_help="the endpoint's signing secret (whsec_…): Settings, Webhooks",
    schemes=SCHEMES,
    options=(UNSUBSCRIBED_COUNTS,),
    kept_headers=frozenset(ID_HEADERS),
    account_paths={},  # one endpoint for each account, which it does not name
    campaign_fields=("campaignId",),
    vocabulary=EVENTS,
    parse=parse,
    tailor=tailor,
)
