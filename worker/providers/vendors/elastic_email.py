"""Elastic Email: one event a notification, in the URL, as a form or as flat JSON; no signature that can be verified.

https://help.elasticemail.com/en/articles/4804685-notification-settings

Newer webhooks carry a header X-ElasticEmail-Signature, but which bytes it covers is not documented, so it is ignored.
The page describes parameters in the URL of a GET; public programs get them by POST too. The text format of `date` is
not documented: ISO 8601 and the American one are read, both as UTC. Attempts are not reported.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, QueryToken
from worker.providers.authentication.scheme import Scheme
from worker.providers.payload import json_payload
from worker.providers.payload.feedback import new_event
from worker.providers.payload.form_payload import decode_form
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.verdict import Accepted, Answered, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://help.elasticemail.com/en/articles/4804685-notification-settings names no way: the URL is all that one chooses

_TOKEN = QueryToken()
_SCHEMES: Mapping[str, Scheme] = {"": _TOKEN, "basic": BasicCredentials()}

# -- What its events are -------------------------------------------------------------------------------------
# https://help.elasticemail.com/en/articles/4804685-notification-settings

STATUSES: dict[str, tuple[Kind, Cause]] = {
    "Sent": (Kind.DELIVERED, Cause.NONE),  # sent, and taken by the receiving server
    "Opened": (Kind.OPENED, Cause.NONE),
    "Clicked": (Kind.CLICKED, Cause.NONE),
    "Unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "AbuseReport": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "Error": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # a bounce of any sort: its category says which
}
OTHER_NAMES: dict[str, str] = {"Bounce": "Error", "Bounced": "Error", "Complaint": "AbuseReport"}  # in public code only

# -- Why -----------------------------------------------------------------------------------------------------
# https://help.elasticemail.com/en/articles/2300650-what-are-the-bounce-error-categories-and-filters
# It has no words of the server, so the category is all there is.

CATEGORIES: dict[str, tuple[Kind, Cause]] = {
    "NoMailbox": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "AccountProblem": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),  # full, or no longer used
    "WhitelistingProblem": (Kind.SOFT_BOUNCE, Cause.RECIPIENT_RESTRICTED),
    "GreyListed": (Kind.SOFT_BOUNCE, Cause.GREYLISTED),
    "DNSProblem": (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),  # there is no such domain, or it could not be looked up
    "Timeout": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "ConnectionProblem": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "ConnectionTerminated": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "CodeError": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "Unknown": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "Throttled": (Kind.BLOCKED, Cause.RATE_LIMITED),
    "Spam": (Kind.BLOCKED, Cause.CONTENT),  # a filter's refusal, not a complaint
    "ContentFilter": (Kind.BLOCKED, Cause.CONTENT),
    "BlackListed": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "SPFProblem": (Kind.BLOCKED, Cause.SENDER_AUTHENTICATION),
    "NotDelivered": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),  # blocked because of earlier events
    "Suppressed": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "Ignore": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "ManualCancel": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
    "NotDeliveredCancelled": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
}

# -- How it is read ------------------------------------------------------------------------------------------
# The parameters, by their names in lower case.

_AMERICAN_TIME = "%m/%d/%Y %I:%M:%S %p"
_LONGEST_TIME = 40
_URL_TRIED = Answered(reason="url_tried", detail="the URL answers; each notification must prove itself anyway")


def welcome(request: WebhookRequest) -> Verdict:
    """Accepts the body, or the URL without the token; a GET without an event is a test of the URL."""
    if request.method != "GET" and request.body.strip():
        return Accepted()
    if {"status", "to"} <= {name.lower() for name in request.query}:
        pairs = [(name, value) for name, value in request.query.items() if name != _TOKEN.parameter]
        return Accepted(body=urlencode(pairs, errors="replace").encode())
    return _URL_TRIED if request.method == "GET" else Accepted()


def answer_probe(request: WebhookRequest) -> Answered | Refused | None:
    """Answers 200 to the GET without parameters that tests a URL."""
    return _URL_TRIED if request.method == "GET" else None


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event inside; raises UnreadablePayload."""
    what = "Elastic Email notification"
    if envelope.body.lstrip()[:1] == b"{":
        fields: Mapping[str, Any] = json_payload.decode_object(envelope.body, what)
    else:
        fields = decode_form(envelope.body, what)
    values = {name.lower(): value for name, value in fields.items()}
    status_name = json_payload.text(values, "status", json_payload.WORD_LIMIT)
    address = json_payload.text(values, "to")
    if status_name is None or address is None:
        raise UnreadablePayload(f"{what}: it names no status, or nobody in to")
    return [_read_event(values, status_name, address, envelope)]


def _read_event(values: dict[str, Any], status_name: str, address: str, envelope: Envelope) -> FeedbackEvent:
    status = OTHER_NAMES.get(status_name, status_name)
    kind, cause = STATUSES.get(status, (Kind.OTHER, Cause.NONE))
    known, vendor_event = status in STATUSES, status_name
    if status == "Error":
        category = json_payload.text(values, "category", json_payload.WORD_LIMIT)
        if category is not None:
            kind, cause = CATEGORIES.get(category, (kind, cause))
            known, vendor_event = category in CATEGORIES, f"{status_name}/{category}"
    message_id = json_payload.text(values, "messageid", json_payload.MESSAGE_ID_LIMIT) or json_payload.text(
        values, "transaction", json_payload.MESSAGE_ID_LIMIT
    )
    date = json_payload.text(values, "date", json_payload.WORD_LIMIT)
    link = json_payload.text(values, "target")
    postback = json_payload.text(values, "postback")
    # No event has an id of its own.
    identity = (address, *((message_id, date, link) if message_id and date else (envelope.body,)))
    return new_event(
        envelope,
        envelope.body,
        kind=kind,
        cause=cause,
        key=(status_name, *identity),
        former_key=None if status == status_name else (status, *identity),
        address=address,
        vendor_event=vendor_event,
        recognised=known,
        vendor_time=from_iso(date) or _american_time(date),
        message_id=message_id,
        tags=json_payload.tags(values, "channel"),
        metadata={"postback": postback} if postback is not None else None,
    )


def _american_time(text: str | None) -> datetime | None:
    """`3/4/2026 5:06:07 PM`."""
    if text is None or len(text) > _LONGEST_TIME:
        return None
    try:
        time = datetime.strptime(text, _AMERICAN_TIME).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return from_iso(time.isoformat())  # only what can be the time of a mail


PROVIDER = Provider(
    name="elastic_email",
    title="Elastic Email",
    documentation="https://help.elasticemail.com/en/articles/4804685-notification-settings",
    proof="a token or credentials in the URL",
    secret_help=(
        "a long random text of your own: append ?token=… with it to the notification URL at Elastic Email; "
        'with authentication = "basic" `user:password`, as in https://user:password@host/webhooks/…'
    ),
    schemes=_SCHEMES,
    takes_get=True,
    account_paths={"subaccount": "account", "sending_domain": '"from"'},
    vocabulary={
        **STATUSES,
        **{f"Error/{category}": meaning for category, meaning in CATEGORIES.items()},
    },
    welcome=welcome,
    answer_probe=answer_probe,
    parse=parse,
)
