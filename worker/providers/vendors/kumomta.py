"""KumoMTA: its log records, posted by a log hook in the operator's own policy script.

https://docs.kumomta.com/userguide/operation/webhooks/

The script decides the shape: one record a request, an array, or one record on each line are all read. A template of
one's own (`per_record`) is not. KumoMTA signs nothing; the script on docs/providers/kumomta.md shows a bearer token.
"""

from collections.abc import Mapping
from typing import Any

from schemas.address import normalise_address
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, bearer_token
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.reply import stage_of_command
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.event_key import former_event_key, make_event_key
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://docs.kumomta.com/reference/kumo.http/Request/ (the script may set any header)

SCHEMES: dict[str, Scheme] = {"": bearer_token(), "basic": BasicCredentials()}

# -- What its events are -------------------------------------------------------------------------------------
# https://docs.kumomta.com/reference/log_record/

_NOT_ABOUT_A_CONTACT = (Kind.OTHER, Cause.NONE)
TYPES: dict[str, tuple[Kind, Cause]] = {
    "Reception": (Kind.ACCEPTED, Cause.NONE),
    "Delivery": (Kind.DELIVERED, Cause.NONE),
    "TransientFailure": (Kind.DEFERRED, Cause.UNDETERMINED),
    "Delayed": (Kind.DEFERRED, Cause.UNDETERMINED),
    "Delay": (Kind.DEFERRED, Cause.UNDETERMINED),  # the manual's name for it
    "Bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # response and class say which
    "OOB": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # a bounce mail that came back: as Bounce
    "Expiration": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    "AdminBounce": (Kind.DROPPED, Cause.NONE),  # the operator emptied a queue: nobody's fault
    "Feedback": (Kind.COMPLAINT, Cause.ABUSE_REPORT),  # by its feedback_type
    "Rejection": _NOT_ABOUT_A_CONTACT,  # our own listener refused mail
    "AdminRebind": _NOT_ABOUT_A_CONTACT,
    "DeferredInjectionRebind": _NOT_ABOUT_A_CONTACT,
    "XferIn": _NOT_ABOUT_A_CONTACT,
    "XferOut": _NOT_ABOUT_A_CONTACT,
}

# https://www.iana.org/assignments/marf-parameters/marf-parameters.xhtml
FEEDBACK_TYPES: dict[str, tuple[Kind, Cause]] = {
    "abuse": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "fraud": (Kind.COMPLAINT, Cause.FRAUD_REPORT),
    "virus": _NOT_ABOUT_A_CONTACT,
    "auth-failure": _NOT_ABOUT_A_CONTACT,
    "not-spam": _NOT_ABOUT_A_CONTACT,
    "other": _NOT_ABOUT_A_CONTACT,
}

# -- Why -----------------------------------------------------------------------------------------------------
# https://docs.kumomta.com/rustapi/bounce_classify/enum.PreDefinedBounceClass.html
# A label of the text, not a verdict; operators add their own names. Our own reading of the response comes first.

_SOFT, _HARD, _BLOCKED = Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED
CLASSES: dict[str, tuple[Kind, Cause]] = {
    "InvalidRecipient": (_HARD, Cause.MAILBOX_DOES_NOT_EXIST),
    "BadDomain": (_HARD, Cause.DOMAIN_DOES_NOT_EXIST),
    "InactiveMailbox": (_HARD, Cause.MAILBOX_DISABLED),
    "QuotaIssues": (_SOFT, Cause.MAILBOX_FULL),
    "SpamBlock": (_BLOCKED, Cause.SENDER_REPUTATION),
    "SpamRelated": (_BLOCKED, Cause.SENDER_REPUTATION),
    "PolicyRelated": (_BLOCKED, Cause.POLICY),
    "RelayDenied": (_BLOCKED, Cause.SENDER_CONFIGURATION),
    "SpamContent": (_BLOCKED, Cause.CONTENT),
    "ContentRelated": (_BLOCKED, Cause.CONTENT),
    "ProhibitedAttachment": (_BLOCKED, Cause.CONTENT),
    "VirusRelated": (_BLOCKED, Cause.VIRUS),
    "AuthenticationFailed": (_BLOCKED, Cause.POLICY),  # every 5.7.1 falls in here, so that it proves no more
    "InvalidSender": (_BLOCKED, Cause.SENDER_CONFIGURATION),
    "ProtocolErrors": (_BLOCKED, Cause.SENDER_CONFIGURATION),
    "BadConfiguration": (_BLOCKED, Cause.SENDER_CONFIGURATION),
    "RelayingIssues": (_BLOCKED, Cause.SENDER_CONFIGURATION),
    "TooManyRecipients": (_BLOCKED, Cause.RATE_LIMITED),
    "DNSFailure": (_SOFT, Cause.DNS_FAILURE),
    "RoutingErrors": (_SOFT, Cause.CONNECTION_FAILED),
    "NoAnswerFromHost": (_SOFT, Cause.CONNECTION_FAILED),
    "BadConnection": (_SOFT, Cause.CONNECTION_FAILED),
    "MessageExpired": (_SOFT, Cause.EXPIRED),
    "TransientFailure": (_SOFT, Cause.SERVER_UNAVAILABLE),
    "AutoReply": (Kind.OTHER, Cause.AUTO_REPLY),
    "ChallengeResponse": (Kind.OTHER, Cause.CHALLENGE_RESPONSE),
    "Subscribe": (
        Kind.OTHER,
        Cause.NONE,
    ),  # a mail that asks for it; only the person's own request counts, which comes elsewhere
    "Unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    "Uncategorized": (_SOFT, Cause.UNDETERMINED),
}
_NO_BOUNCE = frozenset({"AutoReply", "ChallengeResponse", "Subscribe", "Unsubscribe"})

# -- How it is read ------------------------------------------------------------------------------------------

_BATCH = BatchBody("KumoMTA log hook", lines=True)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of one record, an array of them, or one on each line; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_record)


def _read_record(values: dict[str, Any], raw: bytes, envelope: Envelope) -> list[FeedbackEvent]:
    name = _word(values, "type")
    if name is None:
        raise UnreadablePayload("KumoMTA log hook: the record has no type")
    if values.get("reception_protocol") == "LogRecord":
        return []  # about a post of this very hook
    label = _word(values, "bounce_classification")
    failure = None
    known = True
    kind, cause = TYPES.get(name, _NOT_ABOUT_A_CONTACT)
    words: tuple[str | None, ...] = (name,)
    response = json_payload.child(values, "response")
    if name == "Feedback":
        feedback_type = _word(json_payload.child(values, "feedback_report"), "feedback_type") or ""
        known = feedback_type.lower() in FEEDBACK_TYPES
        kind, cause = FEEDBACK_TYPES.get(feedback_type.lower(), _NOT_ABOUT_A_CONTACT)
        words = (name, feedback_type)
    elif kind in {Kind.DEFERRED, Kind.SOFT_BOUNCE}:
        failure = _failure(name, response, values)
        kind, cause = _meaning(name, label, failure)
        words = (name, label)
    headers, meta = json_payload.child(values, "headers"), json_payload.child(values, "meta")
    own_id = next((text for key in headers if key.lower() == "message-id" and (text := _word(headers, key))), None)
    event_time = values.get("event_time") or values.get("timestamp")
    parts = [json_payload.text(values, part) for part in ("nodeid", "id", "type", "num_attempts")]
    # Without a time: hashed once, and not again for each recipient.
    key = (*parts, event_time or make_event_key([raw]))
    former_key = (*parts, event_time or former_event_key(kind, [raw]))
    recipients = _recipients(values, name)
    about_somebody = TYPES.get(name) != _NOT_ABOUT_A_CONTACT
    return [
        new_event(
            envelope,
            raw,
            kind=kind,
            cause=cause,
            key=(*key, recipient),
            former_key=None if event_time and about_somebody else (*former_key, recipient if about_somebody else None),
            address=recipient if about_somebody else None,
            vendor_event="/".join(word for word in words if word),
            recognised=known and name in TYPES,
            vendor_time=from_iso(values.get("event_time")) or from_unix_seconds(values.get("timestamp")),
            failure=failure,
            message_id=own_id.strip("<> ")
            if own_id
            else json_payload.text(values, "id", json_payload.MESSAGE_ID_LIMIT),
            diagnostic=json_payload.text(response, "content"),
            tags=_campaign(values),
            metadata=json_payload.metadata({**headers, **meta}),
        )
        for recipient in (recipients if about_somebody else recipients[:1])
    ]


def _failure(name: str, response: dict[str, Any], values: dict[str, Any]) -> Classification:
    code = json_payload.integer(response, "code")
    if name in {"OOB", "Expiration", "Delayed", "Delay"}:
        code = None  # invented if the report or the queue had none; the real one is in the words
    enhanced = json_payload.child(response, "enhanced_code")
    digits = [json_payload.integer(enhanced, part) for part in ("class", "subject", "detail")]
    return classify(
        smtp_code=code,
        enhanced_status=".".join(map(str, digits)) if None not in digits else None,
        diagnostic=json_payload.text(response, "content"),
        permanent=True if name == "Bounce" else None,
        stage=stage_of_command(json_payload.text(response, "command")),
        recipient=json_payload.text(values, "recipient"),  # None of several, who are in an array
        sender=json_payload.text(values, "sender"),
        remote_host=json_payload.text(json_payload.child(values, "peer_address"), "name"),
    )


def _meaning(name: str, label: str | None, failure: Classification) -> tuple[Kind, Cause]:
    labelled_kind, labelled_cause = CLASSES.get(label or "", CLASSES["Uncategorized"])
    if label in _NO_BOUNCE:
        return labelled_kind, labelled_cause
    kind, cause = failure.kind, failure.cause
    if failure.vague and labelled_cause is not Cause.UNDETERMINED:
        kind, cause = labelled_kind, labelled_cause
    kind_of_type, cause_of_type = TYPES[name]
    if kind_of_type is Kind.DEFERRED:
        return Kind.DEFERRED, cause
    if name == "Expiration" and kind is not Kind.SOFT_BOUNCE:
        return kind_of_type, cause_of_type  # it was tried to the end, so no server had said no for good
    return (kind, cause) if cause is not Cause.UNDETERMINED else (kind_of_type, cause_of_type)


def _recipients(values: dict[str, Any], name: str) -> list[str | None]:
    """Whom the record names; [None] when it names nobody."""
    value: object = values.get("recipient")  # of several recipients at once: an array
    if name == "Feedback":
        # `recipient` is the mailbox that takes the reports. The trace is KumoMTA's own header in the mail, which
        # survives where the reporter takes the address out of the rest.
        report = json_payload.child(values, "feedback_report")
        value = json_payload.child(report, "supplemental_trace").get("recipient") or report.get("original_rcpto_to")
    addresses: list[str | None] = [text for text in json_payload.recipients(value) if normalise_address(text)]
    return addresses or [None]


def _campaign(values: dict[str, Any]) -> tuple[str, ...]:
    """The campaign of a queue's name, `campaign:tenant@domain`."""
    campaign, colon, _ = (_word(values, "queue") or "").partition(":")
    return (campaign,) if colon and campaign else ()


def _word(values: Mapping[str, Any], key: str) -> str | None:
    return json_payload.text(values, key, json_payload.WORD_LIMIT)


PROVIDER = Provider(
    name="kumomta",
    title="KumoMTA",
    documentation="https://docs.kumomta.com/userguide/operation/webhooks/",
    proof="a bearer token, or basic",
    secret_help="the token that the log hook's script sends as Authorization: Bearer",
    schemes=SCHEMES,
    batch=_BATCH,
    batches=True,
    # `sender` is the envelope's; in a complaint it is the reporter's, and the report tells ours.
    account_paths={
        "subaccount": "meta.tenant",
        "sending_domain": "(type != 'Feedback' && sender) || feedback_report.original_mail_from || "
        "feedback_report.reported_domain[0]",
    },
    vocabulary=(
        TYPES
        | {f"Bounce/{name}": meaning for name, meaning in CLASSES.items()}
        | {f"Feedback/{name}": meaning for name, meaning in FEEDBACK_TYPES.items()}
    ),
    parse=parse,
)
