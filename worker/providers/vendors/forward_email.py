"""Forward Email: one JSON object for each recipient of outbound mail whose server refused it; no other events.

Sources: forwardemail.net/en/faq (bounce webhooks), the vendor's own program (github.com/forwardemail/forwardemail.net,
helpers/get-bounce-info.js) for actions and categories, and github.com/knadh/listmonk for fields and signature. How
often a webhook is sent again is not documented; nor are the categories that its program copies from ZoneMTA's
rules: if one is unknown here, the server's words decide.
"""

from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.hmac_signature import HmacSignature
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import settle
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://forwardemail.net/en/faq#do-you-support-bounce-webhooks

SIGNATURE_HEADER = "x-webhook-signature"

# -- What its events are -------------------------------------------------------------------------------------
# https://github.com/forwardemail/forwardemail.net/blob/master/helpers/get-bounce-info.js

# There is no event name: the action says whether Forward Email goes on trying.
ACTIONS: dict[str, tuple[Kind, Cause]] = {
    "reject": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # category and words say which bounce it was
    "defer": (Kind.DEFERRED, Cause.UNDETERMINED),
    "slowdown": (Kind.DEFERRED, Cause.RATE_LIMITED),
}

# -- Why -----------------------------------------------------------------------------------------------------
# https://github.com/forwardemail/forwardemail.net/blob/master/helpers/get-bounce-info.js

CATEGORIES: dict[str, tuple[Kind, Cause]] = {
    "recipient": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "block": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "blocklist": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "spam": (Kind.BLOCKED, Cause.CONTENT),
    "virus": (Kind.BLOCKED, Cause.VIRUS),
    "policy": (Kind.BLOCKED, Cause.POLICY),
    "message": (Kind.BLOCKED, Cause.CONTENT),
    "envelope": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "network": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "greylist": (Kind.SOFT_BOUNCE, Cause.GREYLISTED),
    "other": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
}

# -- How it is read ------------------------------------------------------------------------------------------

_TEMPORARY_CODES = range(400, 500)
# How Barracuda ends a refusal of the sender, which Forward Email files under "recipient".
_BARRACUDA_BLOCK = ":blocked)"


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, "Forward Email webhook")
    return [_read_event(values, envelope)]


def _read_event(values: dict[str, Any], envelope: Envelope) -> FeedbackEvent:
    address = json_payload.text(values, "recipient")
    if address is None:
        raise UnreadablePayload("Forward Email webhook: it names nobody in recipient")
    bounce = json_payload.child(values, "bounce")
    code = json_payload.integer(values, "response_code") or json_payload.integer(bounce, "code")
    diagnostic = json_payload.text(values, "response") or json_payload.text(values, "message")
    action = json_payload.text(bounce, "action", json_payload.WORD_LIMIT)
    category = json_payload.text(bounce, "category", json_payload.WORD_LIMIT)
    classification = classify(
        smtp_code=code,
        enhanced_status=json_payload.text(bounce, "status"),  # false if there is no code
        diagnostic=diagnostic,
        permanent=action == "reject",
        recipient=address,
    )
    of_the_sender = category == "recipient" and _BARRACUDA_BLOCK in (diagnostic or "")
    known = action is None or action in ACTIONS
    if not known:
        kind, cause = Kind.OTHER, Cause.NONE
    elif action in {"defer", "slowdown"} or code in _TEMPORARY_CODES:
        # A refusal by 4xx is tried again for days; the last one comes with another code.
        kind, cause = settle(*ACTIONS[action if action in ACTIONS and action != "reject" else "defer"], classification)
    else:
        kind, cause = settle(
            *CATEGORIES.get("policy" if of_the_sender else category or "", ACTIONS["reject"]), classification
        )
    stamp = json_payload.text(values, "bounced_at")
    headers = json_payload.child(values, "headers")
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(json_payload.text(values, "email_id"), address, str(code), stamp or envelope.body),
        address=address,
        vendor_event="/".join(word for word in (action or "bounce", category) if word),
        recognised=known,
        vendor_time=from_iso(stamp),
        failure=classification,
        message_id=_message_id(headers) or json_payload.text(values, "email_id", json_payload.MESSAGE_ID_LIMIT),
        diagnostic=diagnostic,
        metadata=json_payload.metadata(_own_headers(headers)),
    )


def _message_id(headers: dict[str, Any]) -> str | None:
    name = next((name for name in headers if name.lower() == "message-id"), "")
    return json_payload.text(headers, name, json_payload.MESSAGE_ID_LIMIT)


def _own_headers(headers: dict[str, Any]) -> dict[str, Any]:
    """The sender's variables can only be in header fields of its own: `X-Order` is found as it was sent."""
    return {name: value for name, value in headers.items() if name[:2].lower() == "x-" and isinstance(value, str)}


PROVIDER = Provider(
    name="forward_email",
    title="Forward Email",
    documentation="https://forwardemail.net/en/faq#do-you-support-bounce-webhooks",
    proof="HMAC-SHA256 of the body",
    secret_help="the webhook key of the domain: My Account > Domains > Advanced Settings",
    schemes={"": HmacSignature(header=SIGNATURE_HEADER)},
    account_paths={"sending_domain": "headers.From || headers.from"},
    vocabulary={
        **ACTIONS,
        **{f"reject/{category}": meaning for category, meaning in CATEGORIES.items()},
    },
    parse=parse,
)
