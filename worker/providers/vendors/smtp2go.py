"""SMTP2GO: one event a webhook, as JSON or as a form, whichever the webhook's output type says; nothing is signed.

https://developers.smtp2go.com/docs/webhooks-overview

Whatever fails comes again, up to 35 times within some two days; a time-out is ten seconds. What the test button posts
is not documented: test events cannot be told from real ones. A public client says that callbacks name some events
otherwise than the documentation does; both names are read.
"""

from collections.abc import Mapping
from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, QueryToken, bearer_token
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import classify
from worker.providers.classification.reply import stage_of_command
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.form_payload import decode_form
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://support.smtp2go.com/hc/en-gb/articles/223087967 (credentials in the URL, or an Authorization header)

_SCHEMES: Mapping[str, Scheme] = {"": BasicCredentials(), "bearer": bearer_token(), "query": QueryToken()}

# -- What its events are, and why ----------------------------------------------------------------------------
# https://developers.smtp2go.com/docs/webhooks-overview

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "processed": (Kind.ACCEPTED, Cause.NONE),  # stays so while SMTP2GO tries again: no word for deferred mail
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    # Suppressed for a bounce, a complaint or an unsubscribe, or the sender is not verified; it is not said which.
    "reject": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "spam": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    # By the person, or by whoever took the address off the suppression list: too weak to take an unsubscribe back.
    "resubscribe": (Kind.OTHER, Cause.NONE),
    "open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
}
OTHER_NAMES: dict[str, str] = {
    "spam_complaint": "spam",
    "unsubscribed": "unsubscribe",
    "resubscribed": "resubscribe",
    "opened": "open",
    "clicked": "click",
}
# Of text messages, to the same URL: kept by their names, as the number is nobody's address.
SMS_EVENTS = ("sms_sending", "sms_submitted", "sms_delivered", "sms_failed", "sms_rejected", "opt-out")
# The word in `bounce`; the server's own words in `message` have the last say.
BOUNCES: dict[str, tuple[Kind, Cause]] = {
    "hard": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "soft": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
}

# -- How it is read ------------------------------------------------------------------------------------------
# https://support.smtp2go.com/hc/en-gb/articles/223087967 ("Standard Reported Data"). The headers of the mail that were
# chosen for the webhook stand among these fields, under their own names.

_WHAT = "SMTP2GO webhook"
_MOST_RECIPIENTS = 1_000  # each gets a copy of the whole
_FIELDS = frozenset(
    [
        "event",
        "time",
        "sendtime",
        "sender",
        "from",
        "from_address",
        "from_name",
        "rcpt",
        "recipients",
        "auth",
        "host",
        "message",
        "context",
        "email_id",
        "message-id",
        "bounce",
        "subject",
        "srchost",
        "url",
        "link",
        "user-agent",
        "read-secs",
        "client",
        "client-device",
        "client-os",
        "geoip-continent",
        "geoip-country",
        "geoip-city",
        "outputformat",
        "id",
    ]
)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The event of each recipient, of whom only a `processed` has several; raises UnreadablePayload."""
    if envelope.body.lstrip()[:1] == b"{":
        values: dict[str, Any] = json_payload.decode_object(envelope.body, _WHAT)
    else:
        values = dict(decode_form(envelope.body, _WHAT))
    written = json_payload.text(values, "event", json_payload.WORD_LIMIT)
    if written in SMS_EVENTS:
        return [_text_message(values, written, envelope)]
    recipients = _recipients(values)
    if len(recipients) > 1 and written != "processed":
        recipients = []  # one of them, and nobody knows which
    if written is None or not recipients:
        raise UnreadablePayload(f"{_WHAT}: it names no event, or nobody in rcpt or recipients")
    return [_read_event(values, written, recipient, envelope) for recipient in recipients]


def _recipients(values: dict[str, Any]) -> list[str]:
    one = json_payload.text(values, "rcpt")
    if one is not None:
        return [one]
    several = values.get("recipients")
    if isinstance(several, str):
        several = several.split(",")
    if not isinstance(several, list):
        return []
    if len(several) > _MOST_RECIPIENTS:
        raise UnreadablePayload(f"{_WHAT}: it names more than {_MOST_RECIPIENTS} recipients, which no mail has there")
    return list(dict.fromkeys(name for name in several if isinstance(name, str) and name.strip()))


def _text_message(values: dict[str, Any], written: str, envelope: Envelope) -> FeedbackEvent:
    time = json_payload.text(values, "received_timestamp", json_payload.WORD_LIMIT)
    message_id = json_payload.text(values, "message_id", json_payload.MESSAGE_ID_LIMIT)
    return new_event(
        envelope,
        envelope.body,
        kind=Kind.OTHER,
        key=(written, *((message_id, time) if message_id and time else (envelope.body,))),
        address=None,
        vendor_event=written,
        vendor_time=from_iso(time) or from_unix_seconds(time),
        message_id=message_id,
    )


def _read_event(values: dict[str, Any], written: str, recipient: str, envelope: Envelope) -> FeedbackEvent:
    name = OTHER_NAMES.get(written, written)
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    diagnostic = json_payload.text(values, "message")
    bounce = json_payload.text(values, "bounce", json_payload.WORD_LIMIT) if name == "bounce" else None
    failure = None
    if name == "bounce":
        kind, cause = BOUNCES.get(bounce or "", (kind, cause))
        failure = classify(
            smtp_code=None,
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=bounce == "hard" if bounce in BOUNCES else None,
            stage=stage_of_command(json_payload.text(values, "context")),  # `RCPT TO:<jane@example.org>`
            recipient=recipient,
            sender=json_payload.text(values, "sender"),
            remote_host=json_payload.text(values, "host"),  # `mx.example.org [192.0.2.1]`
        )
        if failure.cause is not Cause.UNDETERMINED:
            kind, cause = failure.kind, failure.cause
    elif kind is Kind.DROPPED:
        cause = cause_of_drop(cause, diagnostic, recipient=recipient)
        kind = kind_of_drop(cause)
    message_id = json_payload.text(values, "email_id", json_payload.MESSAGE_ID_LIMIT)
    time = json_payload.text(values, "time", json_payload.WORD_LIMIT)
    link = json_payload.text(values, "url") or json_payload.text(values, "link")
    # No event has an id of its own.
    identity = (recipient, *((message_id, time, link) if message_id and time else (envelope.body,)))
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(written, *identity),
        former_key=None if name == written else (name, *identity),
        address=recipient,
        vendor_event=written if bounce is None else f"{written}/{bounce}",
        recognised=name in EVENTS and (bounce is None or bounce in BOUNCES),
        vendor_time=from_iso(time) or from_unix_seconds(time),
        failure=failure,
        message_id=message_id,
        diagnostic=diagnostic,
        metadata=json_payload.metadata({key: value for key, value in values.items() if key not in _FIELDS}),
    )


PROVIDER = Provider(
    name="smtp2go",
    title="SMTP2GO",
    documentation="https://developers.smtp2go.com/docs/webhooks-overview",
    proof="basic or bearer credentials, or a token in the URL",
    secret_help=(
        "`user:password`, both of your own choosing: put them into the webhook's URL at SMTP2GO, "
        'https://user:password@host/webhooks/…; with authentication = "bearer" the token of its Authorization header'
    ),
    schemes=_SCHEMES,
    account_paths={"subaccount": "auth", "sending_domain": "sender || from"},
    vocabulary={
        **{name: meaning for name, meaning in EVENTS.items() if name != "bounce"},
        **{f"bounce/{word}": meaning for word, meaning in BOUNCES.items()},
        **dict.fromkeys(SMS_EVENTS, (Kind.OTHER, Cause.NONE)),
    },
    parse=parse,
)
