"""Resend: one JSON object a webhook, delivered and signed by Svix.

https://resend.com/docs/webhooks/introduction. Resend sends through Amazon SES and hands on its words for bounces.

`data.to` is described as the impacted recipients, but has been seen with all addresses of the message: with more than
one of them, the event is attributed to nobody. The event of a copy (cc, bcc) may name the main recipient; nothing in
the payload shows it. Whether the console's sample events carry a mark of their own is not documented.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from schemas.address import normalise_address
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.scheme import Scheme
from worker.providers.authentication.standard_webhooks import ID_HEADERS, StandardWebhooks
from worker.providers.classification.failure import HARD_CAUSES, Classification, classify
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, WORD_LIMIT, child, fit_text, text
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.vendors.amazon import ses_vocabulary

# -- How it authenticates ------------------------------------------------------------------------------------
# https://resend.com/docs/webhooks/verify-webhooks-requests

SCHEMES: dict[str, Scheme] = {"": StandardWebhooks()}

# -- What its events are -------------------------------------------------------------------------------------
# https://resend.com/docs/webhooks/event-types

BOUNCED = "email.bounced"
SUPPRESSED = "email.suppressed"
CONTACT_UPDATED = "contact.updated"

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "email.sent": (Kind.ACCEPTED, Cause.NONE),
    "email.scheduled": (Kind.OTHER, Cause.NONE),
    "email.delivered": (Kind.DELIVERED, Cause.NONE),
    "email.delivery_delayed": (Kind.DEFERRED, Cause.UNDETERMINED),
    BOUNCED: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # without its type; otherwise see below
    "email.complained": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "email.failed": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),  # a quota reached, a domain not verified
    SUPPRESSED: (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "email.opened": (Kind.OPENED, Cause.NONE),
    "email.clicked": (Kind.CLICKED, Cause.NONE),
    "email.received": (Kind.OTHER, Cause.NONE),  # mail to us: its addresses are no contact's feedback
    "contact.created": (Kind.OTHER, Cause.NONE),
    CONTACT_UPDATED: (Kind.OTHER, Cause.NONE),  # unless it says that the contact has unsubscribed
    "contact.deleted": (Kind.OTHER, Cause.NONE),
    "domain.created": (Kind.OTHER, Cause.NONE),
    "domain.updated": (Kind.OTHER, Cause.NONE),
    "domain.deleted": (Kind.OTHER, Cause.NONE),
    "suppression.added": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),  # an echo of the bounce or complaint
    "suppression.removed": (Kind.OTHER, Cause.NONE),
    **dict.fromkeys(  # of the shared inbox, where people write to us
        (
            *("inbox.created", "inbox.updated", "inbox.deleted", "inbox.thread.created", "inbox.thread.folder.updated"),
            *("inbox.thread.assigned", "inbox.thread.unassigned", "inbox.thread.labels.updated"),
            *("inbox.email.received", "inbox.email.sent", "inbox.draft.created", "inbox.draft.updated"),
            *("inbox.draft.sent", "inbox.draft.deleted"),
        ),
        (Kind.OTHER, Cause.NONE),
    ),
}
# Resend sets the flag when somebody follows an unsubscribe link. Anybody may have removed it again.
UNSUBSCRIBED: tuple[Kind, Cause] = (Kind.UNSUBSCRIBE, Cause.NONE)

# -- Why it happened -----------------------------------------------------------------------------------------
# https://resend.com/docs/dashboard/emails/email-bounces: SES's types and subtypes, in ses_vocabulary.
# https://resend.com/docs/dashboard/emails/email-suppressions: where a suppression comes from.

ORIGINS: dict[str, Cause] = {
    "bounce": Cause.SUPPRESSED_BY_PROVIDER,
    "complaint": Cause.COMPLAINED_AT_PROVIDER,
    "manual": Cause.SUPPRESSED_BY_PROVIDER,
}

# -- How it is read ------------------------------------------------------------------------------------------


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, "Resend webhook")
    name = text(values, "type", WORD_LIMIT)
    if name is None:
        raise UnreadablePayload("Resend webhook: it has no type")
    data = child(values, "data")
    reading = _read(name, data)
    # The id is not in the body; it stays the same when Resend sends again or somebody replays the event.
    message = next((envelope.headers[header] for header in ID_HEADERS if envelope.headers.get(header)), None)
    return [
        new_event(
            envelope,
            envelope.body,
            kind=reading.kind,
            cause=reading.cause,
            key=(message or envelope.body, name),
            address=_recipient(name, data, reading.diagnostic),
            vendor_event="/".join((name, *reading.words)),
            recognised=reading.recognised,
            vendor_time=from_iso(values.get("created_at")),
            failure=reading.failure,
            message_id=text(data, "email_id", MESSAGE_ID_LIMIT),
            diagnostic=reading.diagnostic,
            metadata=_metadata(data),
            campaign=text(data, "broadcast_id"),
        )
    ]


class _Reading(Struct, frozen=True, kw_only=True):
    """What the event means."""

    kind: Kind
    cause: Cause
    words: tuple[str, ...] = ()
    recognised: bool = True
    diagnostic: str | None = None
    failure: Classification | None = None


def _read(name: str, data: Mapping[str, Any]) -> _Reading:
    if name == BOUNCED:
        return _read_bounce(child(data, "bounce"))
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    words: tuple[str, ...] = ()
    diagnostic = None
    if name == SUPPRESSED:
        suppressed = child(data, "suppressed")
        words = tuple(filter(None, (text(suppressed, "type", WORD_LIMIT),)))
        diagnostic = text(suppressed, "message")
    elif name == "email.failed":
        diagnostic = text(child(data, "failed"), "reason")
        cause = cause_of_drop(cause, diagnostic)  # "invalid recipients" are among what is documented
        kind = kind_of_drop(cause)
    elif name == CONTACT_UPDATED and data.get("unsubscribed") is True:
        (kind, cause), words = UNSUBSCRIBED, ("unsubscribed",)
    elif name == "suppression.added" and (origin := text(data, "origin", WORD_LIMIT)):
        cause, words = ORIGINS.get(origin, cause), (origin,)
    return _Reading(kind=kind, cause=cause, words=words, diagnostic=diagnostic, recognised=name in EVENTS)


def _read_bounce(bounce: Mapping[str, Any]) -> _Reading:
    bounce_type = text(bounce, "type", WORD_LIMIT)
    if bounce_type is None:
        pair = _pair_of_2023(text(bounce, "message") or "")
        bounce_type = pair[0]
    else:
        pair = (bounce_type, text(bounce, "subType", WORD_LIMIT) or bounce_type)
    codes = bounce.get("diagnosticCode")
    lines = codes if isinstance(codes, list) else [codes]
    words = fit_text("\n".join(line for line in lines if isinstance(line, str)), DIAGNOSTIC_LIMIT)
    # The message is Resend's own sentence about the type: it is shown, but never read as a server's words.
    failure = classify(
        smtp_code=None, enhanced_status=None, diagnostic=words or None, permanent=bounce_type == "Permanent"
    )
    kind, cause = ses_vocabulary.BOUNCES.get(pair, ses_vocabulary.UNKNOWN_BOUNCE)
    if pair in ses_vocabulary.VAGUE_BOUNCES and failure.cause is not Cause.UNDETERMINED:
        kind, cause = failure.kind, failure.cause
    elif pair == ("Permanent", "NoEmail") and failure.cause in HARD_CAUSES:
        cause = failure.cause
    return _Reading(
        kind=kind,
        cause=cause,
        words=pair,
        recognised=pair in ses_vocabulary.BOUNCES,
        diagnostic=words or text(bounce, "message"),
        failure=failure,
    )


def _pair_of_2023(message: str) -> tuple[str, str]:
    """Type and subtype in the words of Resend's first version, which had a message alone."""
    lowered = message.lower()
    if "suppress" in lowered:
        return ("Permanent", "OnAccountSuppressionList" if "account" in lowered else "Suppressed")
    return ("Undetermined", "Undetermined")


def _recipient(name: str, data: Mapping[str, Any], diagnostic: str | None) -> str | None:
    """The recipient of the event: the only one, or the one of several whom the server's words name."""
    if name == "email.received" or name.startswith("inbox."):
        return None
    if (email := data.get("email")) is not None:  # of a contact or a suppression
        return email if isinstance(email, str) else None
    recipients: set[str] = set()
    for field in ("to", "cc", "bcc"):
        addresses = data.get(field)
        if isinstance(addresses, str):
            addresses = [addresses]
        if isinstance(addresses, list):
            recipients.update(address for address in addresses if isinstance(address, str) and address)
    if len(recipients) > 1 and diagnostic:
        lowered = diagnostic.lower()
        recipients = {address for address in recipients if (normalise_address(address) or address.lower()) in lowered}
    return recipients.pop() if len(recipients) == 1 else None


def _metadata(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The tags, which are pairs: an object, or an array of {name, value}."""
    tags = data.get("tags")
    if isinstance(tags, list):
        pairs = [(tag.get("name"), tag.get("value")) for tag in tags if isinstance(tag, dict)]
        tags = {name: value for name, value in pairs if isinstance(name, str)}
    return json_payload.metadata(tags)


PROVIDER = Provider(
    name="resend",
    title="Resend",
    documentation="https://resend.com/docs/webhooks/introduction",
    proof="HMAC-SHA256 of id, time and body (Standard Webhooks, by Svix)",
    secret_help="the webhook's signing secret (whsec_…): Webhooks, the webhook, Signing Secret",
    schemes=SCHEMES,
    kept_headers=frozenset(ID_HEADERS),
    account_paths={"sending_domain": "data.from"},
    campaign_fields=("data.broadcast_id",),
    vocabulary=(
        EVENTS
        | {f"{CONTACT_UPDATED}/unsubscribed": UNSUBSCRIBED}
        | {f"{BOUNCED}/{words[0]}/{words[1]}": meaning for words, meaning in ses_vocabulary.BOUNCES.items()}
        | {f"suppression.added/{origin}": (Kind.OTHER, cause) for origin, cause in ORIGINS.items()}
    ),
    parse=parse,
)
