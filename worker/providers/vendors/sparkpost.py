"""SparkPost, now Bird Email: arrays of events in `msys` envelopes, nothing is signed.

https://developers.sparkpost.com/api/webhooks/

A batch carries X-MessageSystems-Batch-ID, which stays the same when it is sent again. Nothing vouches for that header,
so the ids of the events decide what is a duplicate. That `user_agent_parsed.is_prefetched` marks an open by a machine,
and which `fbtype` a complaint can have beside "abuse", could not be verified.
"""

from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind, Way
from worker.providers.authentication.configured_header import ConfiguredHeader
from worker.providers.authentication.credentials import BasicCredentials, HeaderToken, bearer_token
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.vendor_verdict import cause_of_drop, kind_of_drop
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# https://support.sparkpost.com/docs/tech-resources/webhook-authentication and
# https://developers.sparkpost.com/api/webhooks/ (custom_headers)

TOKEN_HEADER = "x-messagesystems-webhook-token"  # noqa: S105 - a header's name
SCHEMES: dict[str, Scheme] = {
    "": BasicCredentials(),
    "bearer": bearer_token(),  # OAuth 2.0: SparkPost fetches the token from the operator's own token server
    "token": HeaderToken(header=TOKEN_HEADER),  # SparkPost's older auth_token
    "header": ConfiguredHeader(),
}

# -- What its events are -------------------------------------------------------------------------------------
# https://docs.bird.com/api/email-api/webhooks

_FAILED = (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)  # the class and the words decide which failure it is
EVENTS: dict[str, tuple[Kind, Cause]] = {
    "injection": (Kind.ACCEPTED, Cause.NONE),  # of a suppressed recipient too; a bounce of class 25 follows
    "delivery": (Kind.DELIVERED, Cause.NONE),
    "delay": (Kind.DEFERRED, Cause.UNDETERMINED),
    "bounce": _FAILED,
    "out_of_band": _FAILED,  # a bounce mail that arrived after `delivery`
    "policy_rejection": (Kind.DROPPED, Cause.POLICY),
    "generation_rejection": (Kind.DROPPED, Cause.POLICY),
    "generation_failure": (Kind.OTHER, Cause.SENDER_CONFIGURATION),  # the template and its data do not fit
    "spam_complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "open": (Kind.OPENED, Cause.NONE),
    "initial_open": (Kind.OPENED, Cause.NONE),  # the pixel at the top: of a message that was cut short too
    "amp_open": (Kind.OPENED, Cause.NONE),
    "amp_initial_open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
    "amp_click": (Kind.CLICKED, Cause.NONE),
    "list_unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    "link_unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    **dict.fromkeys(
        (
            *("sms_status", "relay_message", "relay_injection", "relay_rejection", "relay_delivery"),
            *("relay_tempfail", "relay_permfail", "ab_test_completed", "ab_test_cancelled"),
            *("success", "error"),  # of events that were handed to SparkPost, which it calls ingest_event
        ),
        (Kind.OTHER, Cause.NONE),
    ),
}

# -- Why it happened -----------------------------------------------------------------------------------------
# https://support.sparkpost.com/docs/deliverability/bounce-classification-codes

BOUNCE_CLASSES: dict[str, tuple[Kind, Cause]] = {
    "1": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "10": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "20": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "21": (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
    "22": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    "23": (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE),
    "24": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    "25": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),  # SparkPost's own policies: nearly always a suppression list
    "30": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "40": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "50": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "51": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "52": (Kind.BLOCKED, Cause.CONTENT),
    "53": (Kind.BLOCKED, Cause.CONTENT),  # a prohibited attachment
    "54": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),  # relaying denied
    "60": (Kind.OTHER, Cause.AUTO_REPLY),
    "70": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "80": (Kind.OTHER, Cause.NONE),  # a mail that asks for more: too weak a sign to take an unsubscribe back
    "90": (Kind.UNSUBSCRIBE, Cause.NONE),  # a mail to the bounce address that asks for no more
    "100": (Kind.OTHER, Cause.CHALLENGE_RESPONSE),
}
# Classes that say little, and one for refusals that only quote an address: the words may overrule them.
OVERRULED_CLASSES = frozenset({"1", "10", "20", "21", "30", "40", "70"})

# https://support.sparkpost.com/docs/user-guide/using-suppression-lists: `policy_rejection` until 2026, class 25 since
# The customer's list repeats earlier events of the customer. The system's list is SparkPost's own, for all customers,
# and no event came before: defunct mailboxes, misspelled domains, addresses that only spammers write to.
_SUPPRESSED = "suppressed due to"
_BY_SYSTEM = "system policy"
_SUPPRESSION_RULES = {  # as in "(Spam Complaint)"
    "complaint": Cause.COMPLAINED_AT_PROVIDER,
    "unsubscribe": Cause.UNSUBSCRIBED_AT_PROVIDER,
}
_BOUNCE_RULE = "bounce"
# By the mail program's own button, or by a link in the message.
WAYS: dict[str, Way] = {"list_unsubscribe": Way.MAIL_CLIENT, "link_unsubscribe": Way.FOOTER_LINK}
COMPLAINTS: dict[str, tuple[Kind, Cause]] = {
    "abuse": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "other": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "fraud": (Kind.COMPLAINT, Cause.FRAUD_REPORT),
    "not-spam": (Kind.OTHER, Cause.NONE),  # a reader says that it is no spam
    "auth-failure": (Kind.OTHER, Cause.SENDER_AUTHENTICATION),
    "virus": (Kind.OTHER, Cause.VIRUS),
}

# -- How it is read ------------------------------------------------------------------------------------------

# The recipient of every sample, in the documentation and of "Test" in the console.
SAMPLE_ADDRESS = "recipient@example.com"

_BATCH = BatchBody("SparkPost webhook")


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """One event for each element; an unreadable one becomes an event `malformed` without effect."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_event)


def _read_event(element: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    msys = element.get("msys")
    if not isinstance(msys, dict):
        return None
    if not msys:  # the batch with which SparkPost tests a new URL
        return _test_batch(raw, envelope)
    group, values = next(iter(msys.items()))
    if not isinstance(values, dict):
        return None
    name = json_payload.text(values, "type", WORD_LIMIT) or group
    address = values.get("rcpt_to") or values.get("raw_rcpt_to")
    if not isinstance(address, str):
        address = None  # bounce mails that SparkPost could not match to a message name nobody
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    recognised = name in EVENTS
    diagnostic = failure = None
    vendor_event = name
    if kind in _FAILURES:
        diagnostic = json_payload.text(values, "raw_reason") or json_payload.text(values, "reason")
        failure = classify(
            smtp_code=json_payload.integer(values, "error_code"),
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=None,
            recipient=address,
            sender=json_payload.text(values, "msg_from"),
        )
        number = json_payload.text(values, "bounce_class", WORD_LIMIT)
        if kind is Kind.SOFT_BOUNCE and number is not None:
            vendor_event = f"{name}/{number}"
            recognised = number in BOUNCE_CLASSES
        kind, cause = _failure_meaning(kind, cause, number or "1", diagnostic, failure)
    elif kind is Kind.COMPLAINT and (report := json_payload.text(values, "fbtype", WORD_LIMIT)):
        vendor_event = f"{name}/{report}"
        kind, cause = COMPLAINTS.get(report.lower(), (kind, cause))
    if address == SAMPLE_ADDRESS:
        kind, cause = Kind.OTHER, Cause.TEST
    event_id = json_payload.text(values, "event_id", WORD_LIMIT)
    timestamp = values.get("timestamp")
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(event_id, name, address) if event_id else (raw,),
        former_key=(event_id, name, None) if event_id and name.startswith(_INBOUND) else None,
        address=None if name.startswith(_INBOUND) else address,  # our own, to which somebody wrote
        vendor_event=vendor_event,
        recognised=recognised,
        vendor_time=from_unix_seconds(timestamp) or from_iso(timestamp),
        failure=failure,
        # Events of the injection itself have no message yet.
        message_id=json_payload.text(values, "message_id", MESSAGE_ID_LIMIT)
        or json_payload.text(values, "transmission_id", MESSAGE_ID_LIMIT),
        diagnostic=diagnostic,
        way=WAYS.get(name),
        machine=kind is Kind.OPENED and json_payload.flag(json_payload.child(values, "user_agent_parsed"), _PREFETCHED),
        tags=_tags(values),
        metadata=json_payload.metadata(values.get("rcpt_meta")),
        campaign=json_payload.text(values, "campaign_id"),
    )


_FAILURES = frozenset({Kind.DEFERRED, Kind.SOFT_BOUNCE, Kind.DROPPED})
_PREFETCHED = "is_prefetched"
_INBOUND = "relay_"


def _tags(values: dict[str, Any]) -> tuple[str, ...]:
    tags = json_payload.tags(values, "rcpt_tags")
    return tags + json_payload.tags(values, "campaign_id") if values.get("campaign_id") else tags


def _test_batch(raw: bytes, envelope: Envelope) -> FeedbackEvent:
    return new_event(
        envelope,
        raw,
        kind=Kind.OTHER,
        cause=Cause.TEST,
        key=(raw,),
        address=None,
        vendor_event="test",
        vendor_time=None,
    )


def _failure_meaning(
    kind: Kind, cause: Cause, number: str, diagnostic: str | None, failure: Classification
) -> tuple[Kind, Cause]:
    if kind is Kind.DEFERRED:
        return kind, _deferral_cause(number, failure)
    if kind is Kind.DROPPED:
        return _suppression(diagnostic) or _rejection(cause, diagnostic)
    return _bounce(number, diagnostic, failure)


def _bounce(number: str, diagnostic: str | None, failure: Classification) -> tuple[Kind, Cause]:
    if suppressed := _suppression(diagnostic):
        return suppressed
    kind, cause = BOUNCE_CLASSES.get(number, _FAILED)
    vague = failure.cause is Cause.UNDETERMINED or (failure.cause is Cause.POLICY and number == "10")
    if number not in BOUNCE_CLASSES or (number in OVERRULED_CLASSES and not vague):
        return failure.kind, failure.cause
    if kind is Kind.BLOCKED and failure.cause is not Cause.POLICY and CAUSE_BLAME[failure.cause] is Blame.SENDER:
        return kind, failure.cause
    if number == "24" and failure.kind is Kind.SOFT_BOUNCE and not vague:
        return kind, failure.cause  # the answer to the last attempt before time ran out
    return kind, cause


def _deferral_cause(number: str, failure: Classification) -> Cause:
    if failure.cause is not Cause.UNDETERMINED:
        return failure.cause
    kind, cause = BOUNCE_CLASSES.get(number, _FAILED)
    return cause if kind in {Kind.SOFT_BOUNCE, Kind.BLOCKED} else failure.cause


def _rejection(cause: Cause, diagnostic: str | None) -> tuple[Kind, Cause]:
    cause = cause_of_drop(cause, diagnostic)
    return kind_of_drop(cause), cause


def _suppression(diagnostic: str | None) -> tuple[Kind, Cause] | None:
    """What a send to a suppressed recipient means; None where the words do not speak of one."""
    _, suppressed, policy = (diagnostic or "").lower().partition(_SUPPRESSED)
    if not suppressed:
        return None
    for rule, cause in _SUPPRESSION_RULES.items():
        if rule in policy:
            return Kind.DROPPED, cause
    if _BY_SYSTEM not in policy:
        return Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER
    return Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST if _BOUNCE_RULE in policy else Cause.INVALID_ADDRESS


PROVIDER = Provider(
    name="sparkpost",
    title="SparkPost (Bird)",
    documentation="https://developers.sparkpost.com/api/webhooks/",
    proof="user and password, an OAuth 2.0 bearer token, or a token in a header",
    secret_help="`user:password`, both of your own choosing: Webhooks > Create webhook > Authentication > Basic Auth",
    schemes=SCHEMES,
    batch=_BATCH,
    batches=True,
    account_paths={
        "subaccount": "msys.*.subaccount_id | [0]",
        "sending_domain": "msys.*.[sending_domain || friendly_from] | [0] | [0]",
    },
    campaign_fields=("campaign_id",),
    vocabulary={
        **EVENTS,
        **{f"bounce/{number}": meaning for number, meaning in BOUNCE_CLASSES.items()},
        **{f"out_of_band/{number}": meaning for number, meaning in BOUNCE_CLASSES.items()},
        **{f"spam_complaint/{report}": meaning for report, meaning in COMPLAINTS.items()},
    },
    parse=parse,
)
