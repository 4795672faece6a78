"""Sweego: one JSON object an event; Standard Webhooks, but for the version before the signature.

Sources: learn.sweego.io/docs/webhooks/payload and learn.sweego.io/docs/webhooks/webhook_signature, and the programs of
Symfony and of github.com/christian-ek/sweego. How often Sweego sends again is not documented, nor whether it then signs
a new time: a signature is taken for a day, and the event's id makes a repetition harmless. SMS events come to the same
URL; what they hold beside their names is not told well enough for us to take their numbers.
"""

import re
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.freshness import TIME_OPTIONS
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.source_options import Option
from worker.providers.authentication.standard_webhooks import StandardWebhooks
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import settle
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.verdict import Refused
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://learn.sweego.io/docs/webhooks/webhook_signature

SIGNATURE_HEADER = "webhook-signature"
_HEADERS = (SIGNATURE_HEADER, "webhook-id", "webhook-timestamp")
_STANDARD = StandardWebhooks(max_age_seconds=24 * 3600)


class BareStandardWebhooks(Struct, frozen=True):
    """Standard Webhooks whose signature may stand without its `v1,`."""

    unproven_bytes: ClassVar[int | None] = None
    options: ClassVar[tuple[Option[Any], ...]] = TIME_OPTIONS

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and age limits."""
        return partial(self._refuse, refuse_standard=_STANDARD.bind(source))

    def _refuse(self, request: WebhookRequest, now: datetime, *, refuse_standard: Refuse) -> Refused | None:
        headers = {name: request.headers.get(name, "") for name in _HEADERS}
        signatures = headers[SIGNATURE_HEADER].split()
        headers[SIGNATURE_HEADER] = " ".join(one if "," in one else f"v1,{one}" for one in signatures)
        return refuse_standard(msgspec.structs.replace(request, headers=headers), now)

    def check_secrets(self, source: Source) -> list[str]:
        """Each secret is base64."""
        return _STANDARD.check_secrets(source)


# -- What its events are, and why ----------------------------------------------------------------------------
# https://learn.sweego.io/docs/webhooks/payload

# With underscores for all: Sweego writes soft-bounce, and hard_bounce.
EVENTS: dict[str, tuple[Kind, Cause]] = {
    "email_sent": (Kind.ACCEPTED, Cause.NONE),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "soft_bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # the server's code has the say
    "hard_bounce": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "list_unsub": (Kind.UNSUBSCRIBE, Cause.NONE),
    "email_opened": (Kind.OPENED, Cause.NONE),
    "email_clicked": (Kind.CLICKED, Cause.NONE),
    "email_inbound": (Kind.OTHER, Cause.NONE),  # mail that somebody wrote to us
    "sms_sent": (Kind.OTHER, Cause.NONE),
    "sms_undelivered": (Kind.OTHER, Cause.NONE),
    "sms_stop": (Kind.OTHER, Cause.NONE),
    "sms_clicked": (Kind.OTHER, Cause.NONE),
}
_BOUNCES = frozenset({"soft_bounce", "hard_bounce"})
_NO_CONTACT = "email_inbound"

# `details` is a line of the sending server's log: "… REJECTED[category] from=… id=<…> (the reply)". The categories are
# those of its rules, https://github.com/zone-eu/zone-mta/blob/master/config/bounces.txt; they count where the reply
# says nothing, and only for what they say against a hard bounce.
CATEGORIES: dict[str, tuple[Kind, Cause]] = {
    "spam": (Kind.BLOCKED, Cause.CONTENT),
    "message": (Kind.BLOCKED, Cause.CONTENT),
    "virus": (Kind.BLOCKED, Cause.VIRUS),
    "block": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "blacklist": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "policy": (Kind.BLOCKED, Cause.POLICY),
    "envelope": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "capacity": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    "network": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "greylist": (Kind.SOFT_BOUNCE, Cause.GREYLISTED),
}
_LOGGED = re.compile(r" (REJECTED|DEFERRED)(?:\[([a-z]{1,40})\])? ")
_BEFORE_REPLY = "> ("

# -- How it is read ------------------------------------------------------------------------------------------

_WHAT = "Sweego webhook"


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, _WHAT)
    return [_read_event(values, envelope)]


def _read_event(values: dict[str, Any], envelope: Envelope) -> FeedbackEvent:
    word = json_payload.text(values, "event_type", json_payload.WORD_LIMIT)
    if word is None:
        raise UnreadablePayload(f"{_WHAT}: it names no event in event_type")
    name = word.replace("-", "_").lower()
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    address = recipient = json_payload.text(values, "recipient")
    if values.get("channel") == "sms" or name.startswith("sms_") or name == _NO_CONTACT:
        kind, cause, address = Kind.OTHER, Cause.NONE, None
    elif address is None and name in EVENTS:
        raise UnreadablePayload(f"{_WHAT}: a {word} names nobody in recipient")
    classification = diagnostic = None
    if name in _BOUNCES and kind is not Kind.OTHER:
        action, category, reply = _logged(values)
        diagnostic = reply or json_payload.text(values, "status")
        kind, cause = (Kind.DEFERRED, cause) if action == "DEFERRED" else CATEGORIES.get(category, (kind, cause))
        classification = classify(
            smtp_code=json_payload.integer(values, "response_code"),
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=name == "hard_bounce",
            recipient=recipient,
        )
        kind, cause = settle(kind, cause, classification)
    event_id = json_payload.text(values, "event_id")
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(event_id or envelope.body, name, recipient),
        former_key=None if address == recipient else (event_id or envelope.body, name, None),
        address=address,
        vendor_event=word,
        recognised=name in EVENTS,
        vendor_time=from_iso(values.get("timestamp")),
        failure=classification,
        message_id=json_payload.text(values, "swg_uid", json_payload.MESSAGE_ID_LIMIT)
        or json_payload.text(values, "transaction_id", json_payload.MESSAGE_ID_LIMIT),
        diagnostic=diagnostic,
        # By a scanner or a mailbox provider's proxy.
        machine=json_payload.flag(json_payload.child(values, "open" if name == "email_opened" else "click"), "proxy"),
        tags=json_payload.tags(values, "campaign_tags"),
        metadata=json_payload.metadata(values.get("headers")),
        campaign=json_payload.text(values, "campaign_id"),
    )


def _logged(values: dict[str, Any]) -> tuple[str, str, str]:
    """What the log says was done, why, and to which reply; "" for what it does not say."""
    details = json_payload.text(values, "details") or ""
    head, between, reply = details.partition(_BEFORE_REPLY)
    matched = _LOGGED.search(head)
    action, category = (matched[1], matched[2] or "") if matched else ("", "")
    return action, category, reply.removesuffix(")") if between else ""


PROVIDER = Provider(
    name="sweego",
    title="Sweego",
    documentation="https://learn.sweego.io/docs/webhooks/payload",
    proof="HMAC-SHA256 of id, time and body",
    secret_help="the webhook's secret, in base64 as Sweego shows it: Webhooks > the webhook",
    schemes={"": BareStandardWebhooks()},
    account_paths={"sending_domain": "domain_from"},
    campaign_fields=("campaign_id",),
    vocabulary=EVENTS,
    parse=parse,
)
