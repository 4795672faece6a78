"""Postmark: one JSON object per webhook, whose `RecordType` names its sort; nothing is signed.

Sources: postmarkapp.com/developer/webhooks (bounce, spam-complaint, delivery, open-tracking, click and
subscription-change pages) and postmarkapp.com/developer/api/bounce-api (bounce types).

A wrong password is answered 401, after which Postmark does not send again: change the password on both sides at once,
or keep the old one among the secrets until the webhook has the new one.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from schemas.address import normalise_address
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.configured_header import ConfiguredHeader
from worker.providers.authentication.credentials import BasicCredentials
from worker.providers.authentication.source_options import flag
from worker.providers.bound_source import BoundSource
from worker.providers.classification.failure import Classification, classify
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://postmarkapp.com/developer/webhooks/webhooks-overview#protecting-your-webhook: user and password, no more


# -- What its events are, and why ----------------------------------------------------------------------------
# https://postmarkapp.com/developer/api/bounce-api#bounce-types


class BounceType(Struct, frozen=True, kw_only=True):
    """One of Postmark's bounce types."""

    code: int
    kind: Kind
    cause: Cause
    refined: bool = False  # the server's own words in `Details` may say more than the type


# Postmark's own skills repository numbers some of these differently from its API: the name comes first, the number
# only if the name is missing or new.
BOUNCE_TYPES: dict[str, BounceType] = {
    "HardBounce": BounceType(code=1, kind=Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, refined=True),
    "Transient": BounceType(code=2, kind=Kind.DEFERRED, cause=Cause.UNDETERMINED, refined=True),
    "Unsubscribe": BounceType(code=16, kind=Kind.UNSUBSCRIBE, cause=Cause.NONE),
    # A mail that seems to ask for more: too weak a sign to take an unsubscribe back, which SubscriptionChange does.
    "Subscribe": BounceType(code=32, kind=Kind.OTHER, cause=Cause.NONE),
    "AutoResponder": BounceType(code=64, kind=Kind.OTHER, cause=Cause.AUTO_REPLY),
    "AddressChange": BounceType(code=128, kind=Kind.OTHER, cause=Cause.ADDRESS_CHANGED),
    "DnsError": BounceType(code=256, kind=Kind.SOFT_BOUNCE, cause=Cause.DNS_FAILURE),
    # A verdict of the receiving filter, not of a reader, so it is not a complaint.
    "SpamNotification": BounceType(code=512, kind=Kind.BLOCKED, cause=Cause.CONTENT),
    "OpenRelayTest": BounceType(code=1024, kind=Kind.OTHER, cause=Cause.NONE),
    "Unknown": BounceType(code=2048, kind=Kind.SOFT_BOUNCE, cause=Cause.UNDETERMINED, refined=True),
    "SoftBounce": BounceType(code=4096, kind=Kind.SOFT_BOUNCE, cause=Cause.UNDETERMINED, refined=True),
    "VirusNotification": BounceType(code=8192, kind=Kind.BLOCKED, cause=Cause.VIRUS),
    "ChallengeVerification": BounceType(code=16384, kind=Kind.OTHER, cause=Cause.CHALLENGE_RESPONSE),
    "BadEmailAddress": BounceType(code=100000, kind=Kind.HARD_BOUNCE, cause=Cause.INVALID_ADDRESS),
    "SpamComplaint": BounceType(code=100001, kind=Kind.COMPLAINT, cause=Cause.ABUSE_REPORT),
    "ManuallyDeactivated": BounceType(code=100002, kind=Kind.DROPPED, cause=Cause.SUPPRESSED_BY_PROVIDER),
    "Unconfirmed": BounceType(code=100003, kind=Kind.DROPPED, cause=Cause.SUPPRESSED_BY_PROVIDER),
    "Blocked": BounceType(code=100006, kind=Kind.BLOCKED, cause=Cause.SENDER_REPUTATION),
    "SMTPApiError": BounceType(code=100007, kind=Kind.DROPPED, cause=Cause.SENDER_CONFIGURATION),
    "InboundError": BounceType(code=100008, kind=Kind.OTHER, cause=Cause.NONE),
    "DMARCPolicy": BounceType(code=100009, kind=Kind.BLOCKED, cause=Cause.SENDER_AUTHENTICATION),
    "TemplateRenderingFailed": BounceType(code=100010, kind=Kind.OTHER, cause=Cause.SENDER_CONFIGURATION),
}
_NAME_BY_CODE = {bounce.code: name for name, bounce in BOUNCE_TYPES.items()}

VOCABULARY: dict[str, tuple[Kind, Cause]] = {
    "Delivery": (Kind.DELIVERED, Cause.NONE),
    "Open": (Kind.OPENED, Cause.NONE),
    "Click": (Kind.CLICKED, Cause.NONE),
    "SpamComplaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "SubscriptionChange/ManualSuppression/Recipient": (Kind.UNSUBSCRIBE, Cause.NONE),
    "SubscriptionChange/ManualSuppression/Customer": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "SubscriptionChange/ManualSuppression/Admin": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "SubscriptionChange/HardBounce": (Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER),
    "SubscriptionChange/SpamComplaint": (Kind.OTHER, Cause.COMPLAINED_AT_PROVIDER),
    "SubscriptionChange/reactivated/Recipient": (Kind.RESUBSCRIBE, Cause.NONE),
    "SubscriptionChange/reactivated/Customer": (Kind.OTHER, Cause.NONE),
    "SubscriptionChange/reactivated/Admin": (Kind.OTHER, Cause.NONE),
    "Inbound": (Kind.OTHER, Cause.NONE),
} | {f"Bounce/{name}": (bounce.kind, bounce.cause) for name, bounce in BOUNCE_TYPES.items()}

# What a suppression repeats, and its meaning if no other webhook reports it.
_ECHOES = {"HardBounce": Cause.SUPPRESSED_BY_PROVIDER, "SpamComplaint": Cause.COMPLAINED_AT_PROVIDER}
_REPEATED = {
    "HardBounce": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "SpamComplaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
}
# True for a source whose only trigger at Postmark is "Subscription Change".
ONLY_CHANGES = flag("only_subscription_changes")

# -- How it is read ------------------------------------------------------------------------------------------

# The samples that Postmark posts when a webhook is created or tested, and shows in its documentation.
SAMPLE_MESSAGE_IDS = frozenset({"883953f4-6105-42a2-a16a-77a8eac79483", "00000000-0000-0000-0000-000000000000"})
_SAMPLE_ID = "42"

_RECORDS_OF_BOUNCES = frozenset({"Bounce", "SpamComplaint"})  # whose ID is that of one bounce


class _Record(Struct, frozen=True, kw_only=True, gc=False):
    """One webhook while it is read."""

    envelope: Envelope
    name: str  # RecordType
    content: dict[str, Any]
    is_only_news: bool  # the source receives changes of the suppression list, but neither bounces nor complaints


_Reader = Callable[[_Record], FeedbackEvent]


def tailor(bound: BoundSource) -> BoundSource:
    """Makes changes of the suppression list count if the operator says that nothing else arrives."""
    is_only_news = ONLY_CHANGES.of(bound.source)
    return msgspec.structs.replace(bound, parse=partial(parse, is_only_news=is_only_news))


def parse(envelope: Envelope, *, is_only_news: bool = False) -> list[FeedbackEvent]:
    """The one event inside; raises UnreadablePayload."""
    content = json_payload.decode_object(envelope.body, "Postmark webhook")
    name = _word(content, "RecordType")
    if name is None:
        # Inbound mail has no RecordType; bounces had none either before webhooks became modular.
        name = "Bounce" if "BouncedAt" in content else "Inbound"
    return [
        _READERS.get(name, _unknown)(
            _Record(
                envelope=envelope,
                name=name,
                content=content,
                is_only_news=is_only_news,
            )
        )
    ]


def _bounce(record: _Record) -> FeedbackEvent:
    content = record.content
    type_name = _word(content, "Type")
    name = type_name if type_name in BOUNCE_TYPES else _NAME_BY_CODE.get(json_payload.integer(content, "TypeCode") or 0)
    classification = classify(
        smtp_code=None,
        enhanced_status=None,
        diagnostic=json_payload.text(content, "Details"),
        permanent=None,
        recipient=json_payload.text(content, "Email"),
    )
    if name is None:
        code = _word(content, "TypeCode")
        return _event(
            record,
            "Email",
            "BouncedAt",
            Kind.OTHER,
            words=(type_name or code,),
            classification=classification,
            recognised=False,
        )
    kind, cause = _kind_and_cause(BOUNCE_TYPES[name], classification, inactive=json_payload.flag(content, "Inactive"))
    return _event(
        record,
        "Email",
        "BouncedAt",
        kind,
        cause,
        words=(name,),
        classification=classification,
        scope=_stream(record) if kind in {Kind.UNSUBSCRIBE, Kind.COMPLAINT} else None,
    )


def _kind_and_cause(bounce: BounceType, classification: Classification, *, inactive: bool) -> tuple[Kind, Cause]:
    kind, cause = bounce.kind, bounce.cause
    if bounce.refined and classification.cause is not Cause.UNDETERMINED:
        cause = classification.cause
        if kind is not Kind.DEFERRED:
            kind = classification.kind
    elif (bounce.kind, classification.cause) == (Kind.SOFT_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST) or (
        kind is Kind.BLOCKED and CAUSE_BLAME[classification.cause] is Blame.SENDER
    ):
        cause = classification.cause
    if inactive and kind is Kind.DEFERRED:
        # Postmark has given up and suppressed the address: the waiting message is a bounce now.
        kind = Kind.SOFT_BOUNCE
    elif inactive and kind is Kind.SOFT_BOUNCE:
        kind = Kind.HARD_BOUNCE
    return kind, cause


def _spam_complaint(record: _Record) -> FeedbackEvent:
    return _event(record, "Email", "BouncedAt", Kind.COMPLAINT, Cause.ABUSE_REPORT, scope=_stream(record))


def _delivery(record: _Record) -> FeedbackEvent:
    return _event(record, "Recipient", "DeliveredAt", Kind.DELIVERED)


def _open(record: _Record) -> FeedbackEvent:
    return _event(record, "Recipient", "ReceivedAt", Kind.OPENED)


def _click(record: _Record) -> FeedbackEvent:
    link = json_payload.text(record.content, "OriginalLink")
    return _event(record, "Recipient", "ReceivedAt", Kind.CLICKED, detail=link)


def _subscription_change(record: _Record) -> FeedbackEvent:
    """The meaning of a change of the suppression list.

    Only the recipient's own wish counts. A repetition of a bounce or a complaint counts if nothing else reports them.
    """
    content = record.content
    suppressed = content.get("SuppressSending")
    if not isinstance(suppressed, bool):
        raise UnreadablePayload("Postmark webhook: a SubscriptionChange says neither true nor false in SuppressSending")
    reason = _word(content, "SuppressionReason")
    origin = _word(content, "Origin")
    known = True
    if not suppressed:
        kind = Kind.RESUBSCRIBE if origin == "Recipient" else Kind.OTHER
        cause, reason = Cause.NONE, "reactivated"
    elif reason == "ManualSuppression":
        kind = Kind.UNSUBSCRIBE if origin == "Recipient" else Kind.OTHER
        cause = Cause.NONE if origin == "Recipient" else Cause.SUPPRESSED_BY_PROVIDER
    else:
        known = reason in _REPEATED
        kind, cause = Kind.OTHER, Cause.SUPPRESSED_BY_PROVIDER
        if known:
            kind, cause = _REPEATED[reason or ""] if record.is_only_news else (kind, _ECHOES[reason or ""])
    return _event(
        record,
        "Recipient",
        "ChangedAt",
        kind,
        cause,
        words=(reason, origin),
        detail=f"{suppressed} {reason} {origin} {_stream(record)}",
        scope=_stream(record) if kind in {Kind.UNSUBSCRIBE, Kind.RESUBSCRIBE, Kind.COMPLAINT} else None,
        recognised=known,
    )


def _inbound(record: _Record) -> FeedbackEvent:
    # Somebody wrote to us: the addresses are not feedback about contacts.
    return _event(record, None, "Date", Kind.OTHER)


def _unknown(record: _Record) -> FeedbackEvent:
    whom = next((key for key in ("Recipient", "Email") if isinstance(record.content.get(key), str)), None)
    return _event(record, whom, "ReceivedAt", Kind.OTHER, recognised=False)


_READERS: dict[str, _Reader] = {
    "Bounce": _bounce,
    "SpamComplaint": _spam_complaint,
    "Delivery": _delivery,
    "Open": _open,
    "Click": _click,
    "SubscriptionChange": _subscription_change,
    "Inbound": _inbound,
}


def _word(values: Mapping[str, Any], key: str) -> str | None:
    return json_payload.text(values, key, json_payload.WORD_LIMIT)


def _stream(record: _Record) -> str | None:
    """The message stream, to which Postmark limits every suppression."""
    return _word(record.content, "MessageStream")


def _event(
    record: _Record,
    recipient_key: str | None,
    time_key: str,
    kind: Kind,
    cause: Cause = Cause.NONE,
    *,
    words: tuple[str | None, ...] = (),
    classification: Classification | None = None,
    detail: str | None = None,
    scope: str | None = None,
    recognised: bool = True,
) -> FeedbackEvent:
    content, envelope = record.content, record.envelope
    written = content.get(recipient_key) if recipient_key is not None else ""
    if not isinstance(written, str):
        raise UnreadablePayload(f"Postmark webhook: a {record.name[:40]} names nobody in {recipient_key}")
    message_id = json_payload.text(content, "MessageID", json_payload.MESSAGE_ID_LIMIT)
    bounce_id = _word(content, "ID")
    details = json_payload.text(content, "Details")
    stamp = _word(content, time_key)
    if message_id in SAMPLE_MESSAGE_IDS or (bounce_id == _SAMPLE_ID and (details or "").startswith("Test")):
        kind, cause, scope = Kind.OTHER, Cause.TEST, None
    if bounce_id is not None and record.name in _RECORDS_OF_BOUNCES:
        # A complaint that comes as SpamComplaint and as a Bounce of that type has the same ID in both.
        key: tuple[str | bytes | None, ...] = ("bounce", bounce_id)
    else:
        key = (record.name, message_id, normalise_address(written) or written, stamp or envelope.body, detail)
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=key,
        address=written,
        vendor_event="/".join(word for word in (record.name, *words) if word),
        vendor_time=from_iso(stamp),
        recognised=recognised,
        failure=classification,
        message_id=message_id,
        diagnostic=details or json_payload.text(content, "Description"),
        scope=scope,
        tags=json_payload.tags(content, "Tag"),
        metadata=json_payload.metadata(content.get("Metadata")),
    )


PROVIDER = Provider(
    name="postmark",
    title="Postmark",
    documentation="https://postmarkapp.com/developer/webhooks/webhooks-overview",
    proof="user and password in the URL, or a header",
    vocabulary=VOCABULARY,
    account_paths={"subaccount": "ServerID || ServerId", "sending_domain": "From"},
    always_tells_domain=False,
    secret_help=(
        "`user:password`, both of your own choosing: put them into the webhook's URL at Postmark, "
        "https://user:password@host/webhooks/…, or into its basic auth fields"
    ),
    schemes={"": BasicCredentials(), "header": ConfiguredHeader()},
    options=(ONLY_CHANGES,),
    parse=parse,
    tailor=tailor,
)
