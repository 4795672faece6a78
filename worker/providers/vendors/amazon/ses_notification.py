"""Reads what SES writes about a message, in both of its dialects, without any envelope.

Sources: docs.aws.amazon.com/ses/latest/dg/notification-contents.html (an identity's feedback, which names
itself `notificationType`) and event-publishing-retrieving-sns-contents.html (a configuration set's events,
`eventType`). Both contain the same objects. If both are switched on, each bounce comes twice, and the
keys of the two are equal.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct

from schemas.address import normalise_address
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind, Way
from worker.errors import UnreadablePayload
from worker.providers.classification.failure import HARD_CAUSES, Classification, classify
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.vendor_time import from_iso
from worker.providers.vendors.amazon.ses_preferences import preference_changes
from worker.providers.vendors.amazon.ses_vocabulary import (
    BOUNCES,
    COMPLAINED_BEFORE,
    COMPLAINTS,
    DELAYS,
    UNKNOWN_BOUNCE,
    VAGUE_BOUNCES,
)

_PLAIN_SET_UP = b"Successfully validated SNS topic"  # begins the one message that is not JSON
_DATED_BY_THE_MESSAGE = frozenset({"Send", "Reject", "RenderingFailure"})  # they have no time of their own


class Notification(Struct, frozen=True, kw_only=True, gc=False):
    """One SES notification while it is read."""

    envelope: Envelope
    raw: bytes
    name: str  # without the space of "Rendering Failure"
    content: dict[str, Any]
    mail: dict[str, Any]


_Reader = Callable[[Notification], list[FeedbackEvent]]


def read_notification(raw: bytes, envelope: Envelope) -> list[FeedbackEvent]:
    """One event for each recipient that SES reports; raises UnreadablePayload."""
    if raw.startswith(_PLAIN_SET_UP):
        content: dict[str, Any] = {"eventType": "SuccessfullyValidated"}
    else:
        content = json_payload.decode_object(raw, "SES notification")
    name = _word(content, "eventType") or _word(content, "notificationType")
    if name is None:
        raise UnreadablePayload("SES notification: it has neither eventType nor notificationType")
    notification = Notification(
        envelope=envelope,
        raw=raw,
        name=name.replace(" ", ""),
        content=content,
        mail=json_payload.child(content, "mail"),
    )
    return _READERS.get(notification.name, _unknown)(notification)


def _bounce(notification: Notification) -> list[FeedbackEvent]:
    bounce = json_payload.child(notification.content, "bounce")
    bounce_type = _word(bounce, "bounceType") or "Undetermined"
    subtype = _word(bounce, "bounceSubType") or bounce_type
    feedback_id = json_payload.text(bounce, "feedbackId", json_payload.MESSAGE_ID_LIMIT)
    pair = (bounce_type, subtype)
    events = []
    for recipient in _recipients(bounce, "bouncedRecipients"):
        classification = _classify(recipient, permanent=bounce_type == "Permanent")
        kind, cause = BOUNCES.get(pair, UNKNOWN_BOUNCE)
        if pair in VAGUE_BOUNCES and classification.cause is not Cause.UNDETERMINED:
            kind, cause = classification.kind, classification.cause
        elif pair == ("Permanent", "NoEmail") and classification.cause in HARD_CAUSES:
            cause = classification.cause
        if kind is Kind.SOFT_BOUNCE and json_payload.text(recipient, "action") == "delayed":
            kind = Kind.DEFERRED  # a warning from a server that goes on trying (RFC 3464, 2.3.3)
        events.append(
            _event(
                notification,
                recipient,
                kind,
                cause,
                words=(bounce_type, subtype),
                about=bounce,
                feedback_id=feedback_id,
                classification=classification,
                recognised=pair in BOUNCES,
            )
        )
    return events


def _complaint(notification: Notification) -> list[FeedbackEvent]:
    complaint = json_payload.child(notification.content, "complaint")
    feedback_type = _word(complaint, "complaintFeedbackType") or ""
    subtype = _word(complaint, "complaintSubType")
    kind, cause = COMPLAINTS.get(feedback_type, COMPLAINTS["other"])
    if subtype in COMPLAINED_BEFORE:
        kind, cause = Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER
    return [
        _event(
            notification,
            recipient,
            kind,
            cause,
            words=(feedback_type, subtype),
            about=complaint,
            feedback_id=json_payload.text(complaint, "feedbackId", json_payload.MESSAGE_ID_LIMIT),
            recognised=feedback_type in COMPLAINTS and (subtype is None or subtype in COMPLAINED_BEFORE),
        )
        for recipient in _recipients(complaint, "complainedRecipients")
    ]


def _delivery(notification: Notification) -> list[FeedbackEvent]:
    delivery = json_payload.child(notification.content, "delivery")
    return [
        _event(
            notification,
            recipient,
            Kind.DELIVERED,
            about=delivery,
            diagnostic=json_payload.text(delivery, "smtpResponse"),
        )
        for recipient in _recipients(delivery, "recipients")
    ]


def _delivery_delay(notification: Notification) -> list[FeedbackEvent]:
    delay = json_payload.child(notification.content, "deliveryDelay")
    delay_type = _word(delay, "delayType") or "Undetermined"
    events = []
    for recipient in _recipients(delay, "delayedRecipients"):
        classification = _classify(recipient, permanent=False)
        cause = DELAYS.get(delay_type, Cause.UNDETERMINED)
        events.append(
            _event(
                notification,
                recipient,
                Kind.DEFERRED,
                classification.cause if cause is Cause.UNDETERMINED else cause,
                words=(delay_type,),
                about=delay,
                classification=classification,
                recognised=delay_type in DELAYS,
            )
        )
    return events


def _about_the_message(key: str, kind: Kind, cause: Cause = Cause.NONE) -> _Reader:
    """A reader of events without a recipient, which are about all recipients of the message."""

    def read(notification: Notification) -> list[FeedbackEvent]:
        about = json_payload.child(notification.content, key)
        return [
            _event(
                notification,
                recipient,
                kind,
                cause,
                about=about,
                diagnostic=json_payload.text(about, "reason") or json_payload.text(about, "errorMessage"),
                detail=json_payload.text(about, "link"),
            )
            for recipient in _recipients(notification.mail, "destination")
        ]

    return read


# The `source` of a change of preferences, if it shows how the person made it.
_WAYS: dict[str | None, Way] = {"UnsubscribeHeader": Way.MAIL_CLIENT}


def _subscription(notification: Notification) -> list[FeedbackEvent]:
    """A person's change of preferences: for everything at once, or topic by topic."""
    subscription = json_payload.child(notification.content, "subscription")
    changes = preference_changes(
        json_payload.child(subscription, "oldTopicPreferences"),
        json_payload.child(subscription, "newTopicPreferences"),
    )
    return [
        _event(
            notification,
            recipient,
            kind,
            words=(_word(subscription, "source"),),
            about=subscription,
            detail=scope,
            scope=scope,
            way=_WAYS.get(_word(subscription, "source")) if kind is Kind.UNSUBSCRIBE else None,
            # A contact that subscribes again may still exclude some topics: the new subscription is the first event.
            earlier=kind is Kind.RESUBSCRIBE and scope is None,
        )
        for recipient in _recipients(notification.mail, "destination")
        for kind, scope in changes
    ]


def _set_up(notification: Notification) -> list[FeedbackEvent]:
    """The message with which SES tests a topic once: kept as a sign that the connection works."""
    return [_event(notification, {"emailAddress": ""}, Kind.OTHER, Cause.TEST, about={})]


def _unknown(notification: Notification) -> list[FeedbackEvent]:
    destination = notification.mail.get("destination")
    # With several recipients it is unclear whom an unknown event is about.
    only = destination[0] if isinstance(destination, list) and len(destination) == 1 else None
    whom = {"emailAddress": only if isinstance(only, str) else ""}
    return [_event(notification, whom, Kind.OTHER, about={}, recognised=False)]


_READERS: dict[str, _Reader] = {
    "Bounce": _bounce,
    "Complaint": _complaint,
    "Delivery": _delivery,
    "DeliveryDelay": _delivery_delay,
    "Send": _about_the_message("send", Kind.ACCEPTED),
    "Reject": _about_the_message("reject", Kind.DROPPED, Cause.VIRUS),  # the one reason is "Bad content"
    "RenderingFailure": _about_the_message("failure", Kind.OTHER, Cause.SENDER_CONFIGURATION),
    "Open": _about_the_message("open", Kind.OPENED),
    "Click": _about_the_message("click", Kind.CLICKED),
    "Subscription": _subscription,
    "AmazonSnsSubscriptionSucceeded": _set_up,
    "SuccessfullyValidated": _set_up,
}


def _recipients(about: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The recipients named under `key`: objects or bare texts, an array of them or a single one."""
    named = about.get(key)
    entries = named if isinstance(named, list) else [named]
    recipients: list[Any] = [{"emailAddress": entry} if isinstance(entry, str) else entry for entry in entries]
    for recipient in recipients:
        if not isinstance(recipient, dict) or not isinstance(recipient.get("emailAddress"), str):
            raise UnreadablePayload(f"SES notification: {key} names no recipient, or one without emailAddress")
    if not recipients:
        raise UnreadablePayload(f"SES notification: {key} is empty, so that nobody can tell whom it concerns")
    return recipients


def _word(values: Mapping[str, Any], key: str) -> str | None:
    return json_payload.text(values, key, json_payload.WORD_LIMIT)


def _classify(recipient: Mapping[str, Any], *, permanent: bool) -> Classification:
    return classify(
        smtp_code=None,
        enhanced_status=_word(recipient, "status"),
        diagnostic=json_payload.text(recipient, "diagnosticCode"),
        permanent=permanent,
        recipient=recipient["emailAddress"],
    )


def _event(
    notification: Notification,
    recipient: Mapping[str, Any],
    kind: Kind,
    cause: Cause = Cause.NONE,
    *,
    about: Mapping[str, Any],
    words: tuple[str | None, ...] = (),
    feedback_id: str | None = None,
    classification: Classification | None = None,
    diagnostic: str | None = None,
    detail: str | None = None,
    scope: str | None = None,
    way: Way | None = None,
    earlier: bool = False,
    recognised: bool = True,
) -> FeedbackEvent:
    mail = notification.mail
    address = str(recipient["emailAddress"])
    message_id = json_payload.text(mail, "messageId", json_payload.MESSAGE_ID_LIMIT)
    stamp = _word(about, "timestamp")
    if stamp is None and notification.name in _DATED_BY_THE_MESSAGE:
        stamp = _word(mail, "timestamp")
    # The documentation shows a space before the offset in places: "2018-10-08T14:05:45 +0000".
    vendor_time = from_iso(stamp.replace(" ", "")) if stamp else None
    if earlier:
        vendor_time = (vendor_time or notification.envelope.received_at) - timedelta(microseconds=1)
    return new_event(
        notification.envelope,
        notification.raw,
        kind=kind,
        cause=cause,
        # Both dialects, and every destination of an event, share the feedback's id. If there is neither an id nor a
        # time is given the bytes stand for them: they never change when SES sends again.
        key=(
            notification.name,
            feedback_id or message_id,
            feedback_id or stamp or notification.raw,
            normalise_address(address) or address,
            detail,
        ),
        address=address,
        vendor_event="/".join(word for word in (notification.name, *words) if word),
        vendor_time=vendor_time,
        recognised=recognised,
        failure=classification,
        message_id=message_id,
        diagnostic=json_payload.text(recipient, "diagnosticCode") or diagnostic,
        scope=scope,
        way=way,
        tags=_tags(mail),
        metadata=json_payload.metadata(mail.get("tags")),
    )


def _tags(mail: Mapping[str, Any]) -> tuple[str, ...]:
    """The sender's own tags as `name=value`; those that SES adds (`ses:…`) are in the metadata only."""
    named = json_payload.child(mail, "tags")
    found = [
        json_payload.fit_text(f"{name}={value}", json_payload.WORD_LIMIT)
        for name in named
        if not name.startswith("ses:")
        for value in json_payload.tags(named, name)
    ]
    return tuple(found[: json_payload.TAGS_LIMIT])
