"""Iterable: system webhooks, one JSON object an event, nothing is signed: the operator enters an Authorization header.

Sources: support.iterable.com/hc/en-us/articles/208013936 (system webhooks) and
support.iterable.com/hc/en-us/articles/28534979433236 (bounces). Iterable does not promise delivery; how often it tries
is not documented. The states of a bounce are those of the bounce event; whether the webhook also has
its words and codes is not documented. Events of other channels are kept by their names alone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind, Way
from worker.errors import UnreadablePayload
from worker.providers.authentication.configured_header import ConfiguredHeader
from worker.providers.authentication.credentials import BasicCredentials, HeaderToken
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import classify
from worker.providers.classification.vendor_verdict import settle
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://support.iterable.com/hc/en-us/articles/208013936 (system webhook request headers)

# The authentication type "Basic" sends its token exactly as it was typed, "OAuth2" with that word before it.
SCHEMES: Mapping[str, Scheme] = {
    "": HeaderToken(),
    "oauth2": HeaderToken(prefix="OAuth2 "),
    "basic": BasicCredentials(),  # for somebody who typed all of "Basic " and base64
    "header": ConfiguredHeader(),  # one of the webhook's custom headers
}

# -- What its events are -------------------------------------------------------------------------------------
# https://support.iterable.com/hc/en-us/articles/208013936 (example payloads)

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "emailSend": (Kind.ACCEPTED, Cause.NONE),
    "emailSendSkip": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "emailBounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # the recipient's state says which bounce it was
    "emailComplaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "emailUnSubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    # Put on a list or into a channel, by an import as well: too weak a sign to take an unsubscribe back.
    "emailSubscribe": (Kind.OTHER, Cause.NONE),
    "emailOpen": (Kind.OPENED, Cause.NONE),
    "emailClick": (Kind.CLICKED, Cause.NONE),
    "hostedUnsubscribeClick": (Kind.CLICKED, Cause.NONE),  # before unsubscribing, which has its own event
}
# Names in webhooks and in exports differ in their capitals.
_BY_LOWER_CASE = {name.lower(): (name, meaning) for name, meaning in EVENTS.items()}
# How the names of other channels' events begin, in lower case.
OTHER_CHANNELS = ("push", "webpush", "sms", "inapp", "embedded", "whatsapp", "journey")

# -- Why -----------------------------------------------------------------------------------------------------
# https://support.iterable.com/hc/en-us/articles/28534979433236 (recipientState)

RECIPIENT_STATES: dict[str, tuple[Kind, Cause]] = {
    "HardBounce": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "DNSFailure": (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
    "MailBlockGeneral": (Kind.BLOCKED, Cause.POLICY),
    "MailBlockKnownSpammer": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "MailBlockSpamDetected": (Kind.BLOCKED, Cause.CONTENT),
    "MailBlockRelayDenied": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "MailBlockAttachmentDetected": (Kind.BLOCKED, Cause.VIRUS),
    "SoftBounceGeneral": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "SoftBounceUndetermined": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "SoftBounceTimeOut": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    "SoftBounceMailboxFull": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    "SoftBounceContentRejected": (Kind.BLOCKED, Cause.CONTENT),
    "SoftBounceSpamDetected": (Kind.BLOCKED, Cause.CONTENT),
}
_BLOCK_PREFIX = "MailBlock"  # of a state that is new
# https://support.iterable.com/hc/en-us/articles/208508736 (unsubSource): unsubscribes that nobody asked for by mail.
# All the others are the person's wish, a complaint among them, or yours.
UNASKED: dict[str, tuple[Kind, Cause]] = {
    "HardBounce": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),  # the echo of the bounce
    "SMS": (Kind.OTHER, Cause.NONE),  # STOP, as an answer to a text message
}

# -- How it is read ------------------------------------------------------------------------------------------

_WHAT = "Iterable webhook"
_SCOPES = (("messageTypeIds", "message type"), ("channelIds", "channel"), ("emailListIds", "list"))


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body; raises UnreadablePayload."""
    values = json_payload.decode_object(envelope.body, _WHAT)
    return [_read_event(values, envelope)]


def _read_event(values: dict[str, Any], envelope: Envelope) -> FeedbackEvent:
    event_name = json_payload.text(values, "eventName", json_payload.WORD_LIMIT)
    if event_name is None:
        raise UnreadablePayload(f"{_WHAT}: it names no event in eventName")
    name, (kind, cause) = _BY_LOWER_CASE.get(event_name.lower(), (event_name, (Kind.OTHER, Cause.NONE)))
    other_channel = name not in EVENTS and name.lower().startswith(OTHER_CHANNELS)
    written = json_payload.text(values, "email")
    address = None if other_channel else written
    if address is None and name in EVENTS and json_payload.text(values, "userId") is None:
        raise UnreadablePayload(f"{_WHAT}: an {name} names nobody in email")
    data = json_payload.child(values, "dataFields")
    word, known, classification = name, other_channel or name in EVENTS, None
    way: Way | None = None
    diagnostic = json_payload.text(data, "bounceMessage")
    if name == "emailBounce":
        state = json_payload.text(data, "recipientState", json_payload.WORD_LIMIT)
        classification = classify(
            smtp_code=None,
            enhanced_status=json_payload.text(data, "status"),
            diagnostic=diagnostic,
            permanent=state == "HardBounce",
            recipient=written,
        )
        kind, cause = settle(*_state_meaning(state), classification)
        known = state is None or state in RECIPIENT_STATES
        word = f"{name}/{state}" if state else name
    elif name == "emailUnSubscribe":
        how = json_payload.text(data, "unsubSource", json_payload.WORD_LIMIT)
        if how in UNASKED:
            kind, cause = UNASKED[how]
            word = f"{name}/{how}"
        elif how == "EmailLink":
            way = Way.FOOTER_LINK
    stamp = json_payload.text(data, "createdAt")
    message_id = json_payload.text(data, "messageId", json_payload.MESSAGE_ID_LIMIT)
    identity = (stamp or envelope.body, json_payload.text(data, "url"))
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(message_id, written, event_name, *identity),
        former_key=None if (address, name) == (written, event_name) else (message_id, address, name, *identity),
        address=address,
        vendor_event=word,
        recognised=known,
        vendor_time=_time(stamp),
        failure=classification,
        message_id=message_id,
        diagnostic=diagnostic or json_payload.text(data, "reason"),
        scope=_scope(data) if kind is Kind.UNSUBSCRIBE else None,
        way=way,
        campaign=json_payload.text(data, "campaignId"),
    )


def _state_meaning(state: str | None) -> tuple[Kind, Cause]:
    if state is not None and state not in RECIPIENT_STATES and state.startswith(_BLOCK_PREFIX):
        return RECIPIENT_STATES["MailBlockGeneral"]
    return RECIPIENT_STATES.get(state or "", EVENTS["emailBounce"])


def _time(stamp: str | None) -> datetime | None:
    """`2026-03-04 10:11:12 +00:00` in webhooks, ISO elsewhere."""
    return from_iso(stamp.replace(" +", "+").replace(" -", "-")) if stamp is not None else None


def _scope(data: dict[str, Any]) -> str | None:
    """What somebody unsubscribed from, where it was less than all."""
    for key, title in _SCOPES:
        ids = data.get(key)
        numbers = [str(each) for each in ids if type(each) is int] if isinstance(ids, list) else []
        if numbers:
            return json_payload.fit_text(f"{title} {', '.join(numbers)}", json_payload.WORD_LIMIT)
    return None


PROVIDER = Provider(
    name="iterable",
    title="Iterable",
    documentation="https://support.iterable.com/hc/en-us/articles/208013936",
    proof="Authorization header, or one of your own naming",
    secret_help="a long text of your own choosing, entered as Auth Token: Integrations > System Webhooks",
    schemes=SCHEMES,
    account_paths={},  # a webhook is of one project, and does not name it
    campaign_fields=("dataFields.campaignId",),
    vocabulary={
        **EVENTS,
        **{f"emailBounce/{state}": meaning for state, meaning in RECIPIENT_STATES.items()},
        **{f"emailUnSubscribe/{how}": meaning for how, meaning in UNASKED.items()},
        **{f"{channel}…": (Kind.OTHER, Cause.NONE) for channel in OTHER_CHANNELS},
    },
    parse=parse,
)
