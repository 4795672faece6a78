"""Amazon SES: feedback through SNS, in both of its dialects, enveloped or raw.

Sources: docs.aws.amazon.com/ses/latest/dg/notification-contents.html (an identity's feedback, which names
itself `notificationType`) and event-publishing-retrieving-sns-contents.html (a configuration set's events,
`eventType`). Both hold the same objects, and with both switched on each bounce comes twice: the keys are made
so that the two meet.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from msgspec import Struct

from schemas.address import normalise_address
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers import ses_vocabulary, sns
from worker.providers.authentication.callers_address import refuse_address
from worker.providers.authentication.credentials import refuse_basic_auth
from worker.providers.authentication.scheme import check_common, is_open
from worker.providers.authentication.source_options import check_options
from worker.providers.classification.failure import HARD_CAUSES, Classification, classify
from worker.providers.payload import json_payload
from worker.providers.payload.event_key import make_event_key
from worker.providers.payload.vendor_time import from_iso, settle_occurred_at
from worker.providers.provider import Accepted, Refused, Verdict, WebhookRequest
from worker.providers.ses_preferences import preference_changes
from worker.providers.webhook_provider import WebhookProvider

RAW_DELIVERY_HEADER = "x-amz-sns-rawdelivery"
_PLAIN_SET_UP = b"Successfully validated SNS topic"  # begins the one message that is no JSON
OPTIONS = frozenset({"topics", "signature_versions", "raw_delivery", "pinned_certificates", "aws_domains"})

_DATED_BY_THE_MESSAGE = frozenset({"Send", "Reject", "RenderingFailure"})  # they have no time of their own


class _Feedback(Struct, frozen=True, kw_only=True, gc=False):
    """One SES notification while it is read."""

    envelope: Envelope
    raw: bytes
    name: str  # without the space of "Rendering Failure"
    content: dict[str, Any]
    mail: dict[str, Any]


_Reader = Callable[[_Feedback], list[FeedbackEvent]]


class AmazonSes(WebhookProvider):
    """Amazon SES behind SNS. See `worker.providers.provider.Provider` for the meaning of each member."""

    name: ClassVar[str] = "amazon_ses"
    title: ClassVar[str] = "Amazon SES"
    documentation: ClassVar[str] = "https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html"
    proof: ClassVar[str] = "signature of SNS, and the topic"
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]] = ses_vocabulary.VOCABULARY
    account_paths: ClassVar[Mapping[str, str]] = {"sending_domain": "mail.source"}
    success_status: ClassVar[int] = 200
    later_status: ClassVar[int] = sns.LATER_STATUS
    kept_headers: ClassVar[frozenset[str]] = frozenset({RAW_DELIVERY_HEADER, sns.MESSAGE_TYPE_HEADER})
    secret_help: ClassVar[str] = (
        "none is needed: SNS signs, and `topics` lists the ARNs that may speak. A secret `user:password` "  # noqa: S105 - a text about secrets
        "adds basic authentication; put it into the subscription's URL: https://user:password@host/webhooks/…"
    )

    def check_source(self, source: Source) -> list[str]:
        """What is wrong in a source: above all a missing topic, without which every AWS account may speak."""
        problems = check_common(source, secret_help=self.secret_help, secret_required=False)
        if not is_open(source):
            problems += sns.check_sns_options(source)
        return problems + check_options(source, others=OPTIONS)

    def authenticate(
        self, request: WebhookRequest, source: Source, *, now: datetime, certificates: Mapping[str, bytes]
    ) -> Verdict:
        """Addresses and basic authentication where they are configured, then the SNS signature."""
        refusal = refuse_address(request, source)
        if refusal is not None:
            return refusal
        if is_open(source):
            return Accepted() if _is_raw(request.headers) else sns.take_unproven(request, source.options)
        # SNS sends the credentials of its URL only once it was answered 401 with a challenge.
        refusal = refuse_basic_auth(request, source.secrets) if source.secrets else None
        if refusal is not None:
            return refusal
        if _is_raw(request.headers):
            return _raw_refusal(source) or Accepted()
        return sns.authenticate_sns(request, source.options, now=now, certificates=certificates)

    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """One event for each recipient that SES reports; raises UnreadablePayload."""
        del source  # all that is read stands in the payload
        if _is_raw(envelope.headers):
            raw = envelope.body
        else:
            message = sns.read_sns_message(envelope.body)
            if message.type != sns.NOTIFICATION:
                raise UnreadablePayload(f"SNS message: a {message.type[:40]} carries no feedback")
            raw = message.message.encode("utf-8", "surrogatepass")
        if raw.startswith(_PLAIN_SET_UP):
            content: dict[str, Any] = {"eventType": "SuccessfullyValidated"}
        else:
            content = json_payload.decode_object(raw, "SES notification")
        name = _word(content, "eventType") or _word(content, "notificationType")
        if name is None:
            raise UnreadablePayload("SES notification: it has neither eventType nor notificationType")
        feedback = _Feedback(
            envelope=envelope,
            raw=raw,
            name=name.replace(" ", ""),
            content=content,
            mail=json_payload.child(content, "mail"),
        )
        return _READERS.get(feedback.name, _unknown)(feedback)


def _is_raw(headers: Mapping[str, str]) -> bool:
    return headers.get(RAW_DELIVERY_HEADER, "").strip().lower() == "true"


def _raw_refusal(source: Source) -> Refused | None:
    if not source.options.get("raw_delivery"):
        return Refused(
            reason="raw_delivery_off",
            detail="Raw delivery carries no signature. Switch it off at the subscription, or set the "
            "option raw_delivery = true together with a secret.",
        )
    if not source.secrets:
        return Refused(
            reason="raw_delivery_without_secret",
            detail="Raw delivery carries no signature, so that only a secret can prove who sent it: add "
            "one, and put it into the subscription's URL.",
        )
    return None


def _bounce(feedback: _Feedback) -> list[FeedbackEvent]:
    bounce = json_payload.child(feedback.content, "bounce")
    bounce_type = _word(bounce, "bounceType") or "Undetermined"
    subtype = _word(bounce, "bounceSubType") or bounce_type
    feedback_id = json_payload.text(bounce, "feedbackId", json_payload.MESSAGE_ID_LIMIT)
    pair = (bounce_type, subtype)
    events = []
    for recipient in _recipients(bounce, "bouncedRecipients"):
        found = _classify(recipient, permanent=bounce_type == "Permanent")
        kind, cause = ses_vocabulary.BOUNCES.get(pair, ses_vocabulary.UNKNOWN_BOUNCE)
        if pair in ses_vocabulary.VAGUE_BOUNCES and found.cause is not Cause.UNDETERMINED:
            kind, cause = found.kind, found.cause
        elif pair == ("Permanent", "NoEmail") and found.cause in HARD_CAUSES:
            cause = found.cause
        if kind is Kind.SOFT_BOUNCE and json_payload.text(recipient, "action") == "delayed":
            kind = Kind.DEFERRED  # a warning from a server that goes on trying (RFC 3464, 2.3.3)
        events.append(
            _event(
                feedback,
                recipient,
                kind,
                cause,
                words=(bounce_type, subtype),
                about=bounce,
                feedback_id=feedback_id,
                found=found,
                recognised=pair in ses_vocabulary.BOUNCES,
            )
        )
    return events


def _complaint(feedback: _Feedback) -> list[FeedbackEvent]:
    complaint = json_payload.child(feedback.content, "complaint")
    reported = _word(complaint, "complaintFeedbackType") or ""
    subtype = _word(complaint, "complaintSubType")
    kind, cause = ses_vocabulary.COMPLAINTS.get(reported, ses_vocabulary.COMPLAINTS["other"])
    if subtype in ses_vocabulary.COMPLAINED_BEFORE:
        kind, cause = Kind.DROPPED, Cause.COMPLAINED_AT_PROVIDER
    return [
        _event(
            feedback,
            recipient,
            kind,
            cause,
            words=(reported, subtype),
            about=complaint,
            feedback_id=json_payload.text(complaint, "feedbackId", json_payload.MESSAGE_ID_LIMIT),
            recognised=reported in ses_vocabulary.COMPLAINTS
            and (subtype is None or subtype in ses_vocabulary.COMPLAINED_BEFORE),
        )
        for recipient in _recipients(complaint, "complainedRecipients")
    ]


def _delivery(feedback: _Feedback) -> list[FeedbackEvent]:
    delivery = json_payload.child(feedback.content, "delivery")
    return [
        _event(
            feedback,
            recipient,
            Kind.DELIVERED,
            about=delivery,
            diagnostic=json_payload.text(delivery, "smtpResponse"),
        )
        for recipient in _recipients(delivery, "recipients")
    ]


def _delivery_delay(feedback: _Feedback) -> list[FeedbackEvent]:
    delay = json_payload.child(feedback.content, "deliveryDelay")
    delay_type = _word(delay, "delayType") or "Undetermined"
    events = []
    for recipient in _recipients(delay, "delayedRecipients"):
        found = _classify(recipient, permanent=False)
        cause = ses_vocabulary.DELAYS.get(delay_type, Cause.UNDETERMINED)
        events.append(
            _event(
                feedback,
                recipient,
                Kind.DEFERRED,
                found.cause if cause is Cause.UNDETERMINED else cause,
                words=(delay_type,),
                about=delay,
                found=found,
                recognised=delay_type in ses_vocabulary.DELAYS,
            )
        )
    return events


def _about_the_message(key: str, kind: Kind, cause: Cause = Cause.NONE) -> _Reader:
    """A reader of the events that name no recipient: they concern everybody whom the message went to."""

    def read(feedback: _Feedback) -> list[FeedbackEvent]:
        about = json_payload.child(feedback.content, key)
        return [
            _event(
                feedback,
                recipient,
                kind,
                cause,
                about=about,
                diagnostic=json_payload.text(about, "reason") or json_payload.text(about, "errorMessage"),
                detail=json_payload.text(about, "link"),
            )
            for recipient in _recipients(feedback.mail, "destination")
        ]

    return read


def _subscription(feedback: _Feedback) -> list[FeedbackEvent]:
    """A person's own change of preferences: of everything at once, or topic by topic."""
    subscription = json_payload.child(feedback.content, "subscription")
    changes = preference_changes(
        json_payload.child(subscription, "oldTopicPreferences"),
        json_payload.child(subscription, "newTopicPreferences"),
    )
    return [
        _event(
            feedback,
            recipient,
            kind,
            words=(_word(subscription, "source"),),
            about=subscription,
            detail=scope,
            scope=scope,
            # Whoever comes back may still leave out some topics: the coming back is told first.
            earlier=kind is Kind.RESUBSCRIBE and scope is None,
        )
        for recipient in _recipients(feedback.mail, "destination")
        for kind, scope in changes
    ]


def _set_up(feedback: _Feedback) -> list[FeedbackEvent]:
    """What SES sends once to try a topic: kept as a trace that the way is open."""
    return [_event(feedback, {"emailAddress": ""}, Kind.OTHER, Cause.TEST, about={})]


def _unknown(feedback: _Feedback) -> list[FeedbackEvent]:
    destination = feedback.mail.get("destination")
    # Of several recipients nobody can tell which one an unknown event is about.
    only = destination[0] if isinstance(destination, list) and len(destination) == 1 else None
    whom = {"emailAddress": only if isinstance(only, str) else ""}
    return [_event(feedback, whom, Kind.OTHER, about={}, recognised=False)]


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
    )


def _event(
    feedback: _Feedback,
    recipient: Mapping[str, Any],
    kind: Kind,
    cause: Cause = Cause.NONE,
    *,
    about: Mapping[str, Any],
    words: tuple[str | None, ...] = (),
    feedback_id: str | None = None,
    found: Classification | None = None,
    diagnostic: str | None = None,
    detail: str | None = None,
    scope: str | None = None,
    earlier: bool = False,
    recognised: bool = True,
) -> FeedbackEvent:
    written = str(recipient["emailAddress"])
    address = normalise_address(written)
    message_id = json_payload.text(feedback.mail, "messageId", json_payload.MESSAGE_ID_LIMIT)
    stamp = _word(about, "timestamp")
    if stamp is None and feedback.name in _DATED_BY_THE_MESSAGE:
        stamp = _word(feedback.mail, "timestamp")
    # Both dialects, and every destination of an event, share the feedback's id. Where neither an id nor a time
    # is given the bytes stand for them: they never change when SNS sends again.
    identity = feedback_id or stamp or feedback.raw.decode("utf-8", "replace")
    # The documentation shows a space before the offset in places: "2018-10-08T14:05:45 +0000".
    occurred_at, arrival_dated = settle_occurred_at(
        from_iso(stamp.replace(" ", "")) if stamp else None, feedback.envelope.received_at
    )
    return FeedbackEvent(
        event_key=make_event_key(
            kind,
            AmazonSes.name,
            feedback.envelope.account,
            feedback.name,
            feedback_id or message_id,
            identity,
            address or written,
            detail,
        ),
        provider=AmazonSes.name,
        source=feedback.envelope.source,
        account=feedback.envelope.account,
        address=address,
        kind=kind,
        cause=cause,
        occurred_at=occurred_at - timedelta(microseconds=1) if earlier else occurred_at,
        received_at=feedback.envelope.received_at,
        delivery_id=feedback.envelope.delivery_id,
        arrival_dated=arrival_dated,
        vendor_event="/".join(word for word in (feedback.name, *words) if word),
        recognised=recognised,
        message_id=message_id,
        smtp_code=found.smtp_code if found else None,
        enhanced_status=found.enhanced_status if found else None,
        diagnostic=json_payload.text(recipient, "diagnosticCode") or diagnostic,
        scope=scope,
        tags=_tags(feedback.mail),
        metadata=json_payload.metadata(feedback.mail.get("tags")),
        raw=feedback.raw,
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


PROVIDER = AmazonSes()
