"""Postal, a mail server for one's own machines: one JSON envelope a webhook, signed with the installation's RSA key.

https://docs.postalserver.io/developer/webhooks shows the inside of `payload`; the envelope around it, the
headers, and the sentences in `details` are as in version 3 of https://github.com/postalserver/postal. Postal reports
neither complaints nor unsubscribes.
"""

from collections.abc import Mapping
from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials
from worker.providers.authentication.public_key import PublicKeySignature
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import settle
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT, child, text
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://docs.postalserver.io/developer/webhooks#signatures. Version 3 sends both signatures. Each scheme checks only
# its own, so that the weaker one is not enough.

SHA256_HEADER = "x-postal-signature-256"
SHA1_HEADER = "x-postal-signature"
SCHEMES: dict[str, Scheme] = {
    "": PublicKeySignature(header=SHA256_HEADER, algorithm="rsa_sha256"),
    "sha1": PublicKeySignature(header=SHA1_HEADER, algorithm="rsa_sha1"),  # all that Postal 2 and older have
    "basic": BasicCredentials(),
}

# -- What its events are -------------------------------------------------------------------------------------
# https://docs.postalserver.io/developer/webhooks

FAILED = "MessageDeliveryFailed"
HELD = "MessageHeld"
BOUNCED = "MessageBounced"

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "MessageSent": (Kind.DELIVERED, Cause.NONE),  # the receiving server has taken it
    "MessageDelayed": (Kind.DEFERRED, Cause.UNDETERMINED),
    FAILED: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # whatever a server answered with 5yz: `output` says which bounce
    HELD: (Kind.OTHER, Cause.SENDER_CONFIGURATION),  # kept back until somebody releases it
    BOUNCED: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # a bounce mail, whose words are not reported
    "MessageLinkClicked": (Kind.CLICKED, Cause.NONE),
    "MessageLoaded": (Kind.OPENED, Cause.NONE),
    "DomainDNSError": (Kind.OTHER, Cause.NONE),
    "SendLimitApproaching": (Kind.OTHER, Cause.NONE),
    "SendLimitExceeded": (Kind.OTHER, Cause.NONE),
}

# -- Why it happened -----------------------------------------------------------------------------------------
# https://github.com/postalserver/postal/tree/main/app/lib/message_dequeuer: how `details` begins, or what stands in it,
# where it was Postal that gave up or never tried.

DETAILS: dict[str, dict[str, tuple[Kind, Cause]]] = {
    FAILED: {
        "Maximum number of delivery attempts": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
        "Message is likely spam": (Kind.DROPPED, Cause.CONTENT),
        "Message's domain no longer exist": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
        "Message doesn't have an RCPT to": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
        "Raw message has been removed": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
        "is not valid": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),  # the scope: neither incoming nor outgoing
    },
    HELD: {
        "is on the suppression list": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
        "Credential is configured to hold": EVENTS[HELD],
        "Server is in development mode": EVENTS[HELD],
        "send limit": EVENTS[HELD],
        "Mail server has been suspended": EVENTS[HELD],
    },
}

# -- How it is read ------------------------------------------------------------------------------------------


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, "Postal webhook")
    name = text(values, "event", WORD_LIMIT)
    if name is None:
        raise UnreadablePayload("Postal webhook: it names no event; before version 2 there was no envelope")
    return [_read_event(name, values, envelope)]


def _read_event(name: str, values: Mapping[str, Any], envelope: Envelope) -> FeedbackEvent:
    payload = child(values, "payload")
    message = child(payload, "original_message") if name == BOUNCED else child(payload, "message")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    details, output = text(payload, "details"), text(payload, "output")
    vendor_event, failure = name, None
    by_details = _known_details(name, details)
    if by_details is not None:
        words, (kind, cause) = by_details
        vendor_event = f"{name}/{words}"
    elif name in {"MessageDelayed", FAILED}:
        failure = classify(
            smtp_code=None,
            enhanced_status=None,
            diagnostic=output or details,
            permanent=name == FAILED,
            recipient=text(message, "to"),
            sender=text(message, "from"),
        )
        kind, cause = settle(kind, cause, failure)
    address = text(message, "to")
    if message.get("direction") == "incoming":  # mail to us, on its way through a route
        kind, cause, address = Kind.OTHER, Cause.NONE, None
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(text(values, "uuid", WORD_LIMIT) or envelope.body, name),
        address=address,
        vendor_event=vendor_event,
        recognised=name in EVENTS,
        vendor_time=from_unix_seconds(payload.get("timestamp")) or from_unix_seconds(values.get("timestamp")),
        failure=failure,
        message_id=text(message, "message_id", MESSAGE_ID_LIMIT),
        diagnostic=output or details,
        tags=json_payload.tags(message, "tag"),
    )


def _known_details(name: str, details: str | None) -> tuple[str, tuple[Kind, Cause]] | None:
    if details is None or name not in DETAILS:
        return None
    return next(((words, meaning) for words, meaning in DETAILS[name].items() if words in details), None)


PROVIDER = Provider(
    name="postal",
    title="Postal",
    documentation="https://docs.postalserver.io/developer/webhooks",
    proof="RSA-SHA256 of the body",
    secret_help="the installation's public key in base64 or PEM: what follows p= in `postal default-dkim-record`",
    schemes=SCHEMES,
    account_paths={"sending_domain": "payload.message.from || payload.original_message.from"},
    vocabulary=EVENTS
    | {f"{name}/{words}": meaning for name, table in DETAILS.items() for words, meaning in table.items()},
    parse=parse,
)
