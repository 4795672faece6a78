"""Lettermint: one JSON object a webhook, an HMAC-SHA256 over a time and the raw body.

https://docs.lettermint.co/platform/webhooks/introduction. The suppression events and those of scheduled messages
are in Lettermint's own libraries, but not on its pages; how an open or click by a machine is marked, and how often
and for how long a webhook is sent again, could not be found.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.comparison import as_bytes
from worker.providers.authentication.freshness import TIME_OPTIONS, Freshness, freshness_of, refuse_stale
from worker.providers.authentication.hmac_signature import bad_signature, hmac_matches, missing_signature
from worker.providers.authentication.scheme import Refuse, Scheme
from worker.providers.authentication.signed_time import bad_time, read_signed_time
from worker.providers.authentication.source_options import Option
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop, settle
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT, child, text
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://docs.lettermint.co/platform/webhooks/signing. The secret looks like one of Standard Webhooks and is used
# otherwise: with its prefix, as text.

SIGNATURE_HEADER = "x-lettermint-signature"
_MOST_PARTS = 16  # a request that lists thousands is an attack on our time
_MAX_AGE_SECONDS = 300  # as in Lettermint's own libraries


class LettermintSignature(Struct, frozen=True, kw_only=True):
    """`t=<unix seconds>,v1=<hex>`: the HMAC-SHA256 of `<t>.<body>`.

    While a secret changes there is a `v1` for each of the two: one match is enough.
    """

    unproven_bytes: ClassVar[int | None] = None
    options: ClassVar[tuple[Option[Any], ...]] = TIME_OPTIONS

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and age limits."""
        freshness = freshness_of(source, default_max_age_seconds=_MAX_AGE_SECONDS)
        return partial(self._refuse, secrets=source.secrets, freshness=freshness)

    def _refuse(
        self, request: WebhookRequest, now: datetime, *, secrets: Sequence[Secret], freshness: Freshness
    ) -> Refused | None:
        """None if one of the signatures matches one of the secrets and the time is recent."""
        header = request.headers.get(SIGNATURE_HEADER, "")
        if not header:
            return missing_signature(SIGNATURE_HEADER)
        parts = [part.lstrip().partition("=") for part in header.split(",", _MOST_PARTS)[:_MOST_PARTS]]
        times = {value for name, _, value in parts if name == "t"}
        timestamp = times.pop() if len(times) == 1 else ""  # of several it is unclear which one is signed
        signed_at = read_signed_time(timestamp)
        if signed_at is None:
            return bad_time(timestamp)
        message = as_bytes(timestamp) + b"." + request.body
        matches = [hmac_matches(value, message, secrets) for name, _, value in parts if name == "v1"]
        if not any(matches):
            return bad_signature()
        return refuse_stale(signed_at, freshness, now=now)

    def check_secrets(self, _source: Source) -> list[str]:
        """Any text can be a key."""
        return []


SCHEMES: dict[str, Scheme] = {"": LettermintSignature()}

# -- What its events are -------------------------------------------------------------------------------------
# https://docs.lettermint.co/platform/webhooks/events

CREATED = "message.created"
FAILED = "message.failed"
SUPPRESSED = "message.suppressed"
SUPPRESSION_ADDED = "suppression.added"
INBOUND = "message.inbound"

EVENTS: dict[str, tuple[Kind, Cause]] = {
    CREATED: (Kind.ACCEPTED, Cause.NONE),  # names all recipients of the message at once
    "message.sent": (Kind.ACCEPTED, Cause.NONE),
    "message.delivered": (Kind.DELIVERED, Cause.NONE),
    "message.hard_bounced": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "message.soft_bounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "message.spam_complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    FAILED: (Kind.DROPPED, Cause.SENDER_CONFIGURATION),  # inside Lettermint, unless a server answered
    SUPPRESSED: (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "message.policy_rejected": (Kind.DROPPED, Cause.CONTENT),  # by Lettermint's own filter; it names no recipient
    "message.unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "message.opened": (Kind.OPENED, Cause.NONE),
    "message.clicked": (Kind.CLICKED, Cause.NONE),
    "message.auto_replied": (Kind.OTHER, Cause.AUTO_REPLY),
    "message.scheduled": (Kind.OTHER, Cause.NONE),
    "message.rescheduled": (Kind.OTHER, Cause.NONE),
    "message.canceled": (Kind.OTHER, Cause.NONE),
    "message.released": (Kind.OTHER, Cause.NONE),
    INBOUND: (Kind.OTHER, Cause.NONE),  # mail to us: its addresses are no contact's feedback
    SUPPRESSION_ADDED: (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "suppression.removed": (Kind.OTHER, Cause.NONE),
    "webhook.test": (Kind.OTHER, Cause.TEST),
}
_ANSWERED = frozenset({"message.hard_bounced", "message.soft_bounced", FAILED})

# -- Why it happened -----------------------------------------------------------------------------------------
# https://docs.lettermint.co/api-reference/team/suppression: the reasons of a suppression. Those of a bounce are the
# receiving server's, in `response`.

SUPPRESSIONS: dict[str, Cause] = {
    "hard_bounce": Cause.SUPPRESSED_BY_PROVIDER,
    "spam_complaint": Cause.COMPLAINED_AT_PROVIDER,
    "unsubscribe": Cause.UNSUBSCRIBED_AT_PROVIDER,
    "manual": Cause.SUPPRESSED_BY_PROVIDER,
}

# -- How it is read ------------------------------------------------------------------------------------------

_MOST_RECIPIENTS = 1_000  # of one message.created


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The event of the body, or one for each recipient of a new message; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, "Lettermint webhook")
    name = text(values, "event", WORD_LIMIT)
    if name is None:
        raise UnreadablePayload("Lettermint webhook: it names no event")
    return [_read_event(name, address, values, envelope) for address in _recipients(name, child(values, "data"))]


def _read_event(name: str, address: str | None, values: Mapping[str, Any], envelope: Envelope) -> FeedbackEvent:
    data = child(values, "data")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    response, reason = child(data, "response"), text(data, "reason")
    code = text(data, "reason_code", WORD_LIMIT) or reason  # newer payloads have a word beside the sentence
    reply = text(response, "content")
    vendor_event, failure = name, None
    if name in _ANSWERED and response:
        failure = _classify(response, permanent=kind is Kind.HARD_BOUNCE, recipient=address)
        kind, cause = settle(kind, cause, failure)
    elif name == FAILED:
        cause = cause_of_drop(cause, reason, recipient=address)
        kind = kind_of_drop(cause)
    elif name in {SUPPRESSED, SUPPRESSION_ADDED} and code in SUPPRESSIONS:
        cause, vendor_event = SUPPRESSIONS[code], f"{name}/{code}"
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(text(values, "id", WORD_LIMIT) or envelope.body, name, address),
        address=address,
        vendor_event=vendor_event,
        recognised=name in EVENTS,
        vendor_time=from_iso(values.get("timestamp")) or from_iso(values.get("created_at")),
        failure=failure,
        message_id=text(data, "message_id", MESSAGE_ID_LIMIT),
        diagnostic=reply or reason,
        tags=json_payload.tags(data, "tags") or json_payload.tags(data, "tag"),
        metadata=json_payload.metadata(data.get("metadata")),  # [] if there is no metadata
    )


def _classify(response: Mapping[str, Any], *, permanent: bool, recipient: str | None) -> Classification:
    return classify(
        smtp_code=json_payload.integer(response, "status_code"),
        enhanced_status=text(response, "enhanced_status_code", WORD_LIMIT),
        diagnostic=text(response, "content"),
        permanent=permanent,
        recipient=recipient,
    )


def _recipients(name: str, data: Mapping[str, Any]) -> Sequence[str | None]:
    """The recipients of the event; [None] if it names nobody, because such an event is kept too."""
    if name == INBOUND:
        return [None]
    if name == CREATED and "recipient" not in data:
        recipients: dict[str, None] = {}
        for field in ("to", "cc", "bcc"):
            addresses = data.get(field)
            if isinstance(addresses, list):
                recipients |= dict.fromkeys(address for address in addresses if isinstance(address, str) and address)
        if recipients:
            return list(recipients)[:_MOST_RECIPIENTS]
    return [text(data, "recipient") or text(data, "email")]


PROVIDER = Provider(
    name="lettermint",
    title="Lettermint",
    documentation="https://docs.lettermint.co/platform/webhooks/introduction",
    proof="HMAC-SHA256 of time and body",
    secret_help="the webhook's secret, whsec_ included: Project, Routes, the route, Webhooks, the webhook",
    schemes=SCHEMES,
    account_paths={"subaccount": "context.project_id"},
    vocabulary=(
        EVENTS
        | {f"{SUPPRESSED}/{reason}": (Kind.DROPPED, cause) for reason, cause in SUPPRESSIONS.items()}
        | {f"{SUPPRESSION_ADDED}/{reason}": (Kind.OTHER, cause) for reason, cause in SUPPRESSIONS.items()}
    ),
    parse=parse,
)
