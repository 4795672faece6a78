"""MailerSend: one JSON object a webhook, an HMAC-SHA256 over the raw body.

https://developers.mailersend.com/api/v1/webhooks.html. A webhook has one of two shapes of payload, `version` 1 or 2;
under which names version 2 gives the reason of a bounce in `data.meta` is not documented, so that those of version 1
are looked for. `activity.suppressed` was only seen in other people's code.

No time is signed, so an old webhook is as valid as a new one; its event is recognised by its id.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct, structs

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.hmac_signature import HmacSignature, hmac_matches
from worker.providers.authentication.scheme import Proof, Scheme
from worker.providers.bound_source import BoundSource
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import settle
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT, child, text
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.verdict import Answered, CertificateNeeded, Refused
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://developers.mailersend.com/api/v1/webhooks.html#security

SIGNATURE_HEADER = "signature"
SCHEMES: dict[str, Scheme] = {"": HmacSignature(header=SIGNATURE_HEADER)}

# MailerSend tests a webhook before it saves it, and signs the test with a secret that everybody knows.
PING = "webhook.test"
PING_SECRET = Secret("test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G")
_LARGEST_PING_BYTES = 16 * 1024  # anybody can sign one


class _Ping(Struct, gc=False):
    type: str


_decode_ping = msgspec.json.Decoder(_Ping).decode

# -- What its events are, and why ----------------------------------------------------------------------------
# https://developers.mailersend.com/api/v1/webhooks.html#available-events. There are no classes of bounce: the reason
# is a text, and it has the last say.

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "activity.sent": (Kind.ACCEPTED, Cause.NONE),
    "activity.delivered": (Kind.DELIVERED, Cause.NONE),
    "activity.deferred": (Kind.DEFERRED, Cause.UNDETERMINED),
    "activity.soft_bounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "activity.hard_bounced": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "activity.suppressed": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "activity.spam_complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "activity.unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "activity.opened": (Kind.OPENED, Cause.NONE),
    "activity.opened_unique": (Kind.OPENED, Cause.NONE),
    "activity.clicked": (Kind.CLICKED, Cause.NONE),
    "activity.clicked_unique": (Kind.CLICKED, Cause.NONE),
    "activity.survey_opened": (Kind.OTHER, Cause.NONE),
    "activity.survey_submitted": (Kind.OTHER, Cause.NONE),
    "recipient.on_hold_added": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "recipient.on_hold_removed": (Kind.OTHER, Cause.NONE),
    "sender_identity.verified": (Kind.OTHER, Cause.NONE),
    "maintenance.start": (Kind.OTHER, Cause.NONE),
    "maintenance.end": (Kind.OTHER, Cause.NONE),
    "inbound_forward.failed": (Kind.OTHER, Cause.NONE),
    "inbound_message.rejected": (Kind.OTHER, Cause.NONE),
    "email_single.verified": (Kind.OTHER, Cause.NONE),
    "email_list.verified": (Kind.OTHER, Cause.NONE),
    "bulk_email.completed": (Kind.OTHER, Cause.NONE),
    "sms.sent": (Kind.OTHER, Cause.NONE),
    "sms.delivered": (Kind.OTHER, Cause.NONE),
    "sms.failed": (Kind.OTHER, Cause.NONE),
    PING: (Kind.OTHER, Cause.TEST),
}
_FAILURES = frozenset({Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE})

# -- How it is read ------------------------------------------------------------------------------------------

_WHAT = "MailerSend webhook"


class SignatureOrPing(Struct, frozen=True):
    """A proof that also answers pings with the public secret, which prove nothing but must succeed."""

    signature: Proof

    def refuse_head(self, request: WebhookRequest, *, now: datetime) -> Refused | None:
        """None: the body is signed."""
        return self.signature.refuse_head(request, now=now)

    def refuse(
        self, request: WebhookRequest, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Refused | Answered | CertificateNeeded | None:
        """None if the signature fits."""
        refused = self.signature.refuse(request, now=now, certificates=certificates)
        if isinstance(refused, Refused) and refused.reason == "bad_signature" and _is_public_ping(request):
            return Answered(reason="ping", detail="MailerSend tries the webhook out before it saves it")
        return refused


def tailor(bound: BoundSource) -> BoundSource:
    """Answers pings, unless they are accepted anyway."""
    return bound if bound.proof is None else structs.replace(bound, proof=SignatureOrPing(bound.proof))


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, _WHAT)
    name = text(values, "type", WORD_LIMIT)
    if name is None:
        raise UnreadablePayload(f"{_WHAT}: it has no type")
    return [_read_event(name, values, envelope)]


def _is_public_ping(request: WebhookRequest) -> bool:
    signature = request.headers.get(SIGNATURE_HEADER, "")
    if len(request.body) > _LARGEST_PING_BYTES or not hmac_matches(signature.strip(), request.body, (PING_SECRET,)):
        return False
    try:
        ping: _Ping = _decode_ping(request.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return ping.type == PING


def _read_event(name: str, values: Mapping[str, Any], envelope: Envelope) -> FeedbackEvent:
    data = child(values, "data")
    email = child(data, "email")  # {} in version 2, where the address stands in its place
    reasons = child(data, "morph") or child(data, "meta")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    diagnostic = text(reasons, "reason")
    failure = None
    address = text(child(email, "recipient"), "email") or text(data, "email") or text(child(data, "recipient"), "email")
    if kind in _FAILURES:
        failure = classify(
            smtp_code=None,
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=kind is Kind.HARD_BOUNCE,
            recipient=address,
        )
        kind, cause = settle(kind, cause, failure)
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(text(data, "id") or envelope.body, name),
        address=address,
        vendor_event=name,
        recognised=name in EVENTS,
        vendor_time=from_iso(data.get("created_at")) or from_iso(values.get("created_at")),
        failure=failure,
        message_id=text(child(email, "message"), "id", MESSAGE_ID_LIMIT) or text(data, "message_id", MESSAGE_ID_LIMIT),
        diagnostic=diagnostic or text(reasons, "readable_reason"),
        tags=json_payload.tags(email, "tags") or json_payload.tags(data, "tags"),
    )


PROVIDER = Provider(
    name="mailersend",
    title="MailerSend",
    documentation="https://developers.mailersend.com/api/v1/webhooks.html",
    proof="HMAC-SHA256 of the body",
    secret_help="the webhook's signing secret: Domains, the domain, Webhooks, the webhook",
    schemes=SCHEMES,
    account_paths={"sending_domain": "data.email.from"},
    vocabulary=EVENTS,
    parse=parse,
    tailor=tailor,
)
