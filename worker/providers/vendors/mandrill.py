"""Mailchimp Transactional, formerly Mandrill: a form with one field of JSON, signed together with the webhook's URL.

https://mailchimp.com/developer/transactional/docs/webhooks/

Not documented: how often and how long a refused batch is sent again, all values of `bounce_description`, and where a
`reject` event says why (its reason is read from wherever the API's answers have it). That a URL without a key is
tested with the key `test-webhook` was seen in other libraries only; here it is accepted for an empty array only.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote_from_bytes

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.signed_form import Field, SignedForm, ambiguous_form
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.vendor_verdict import kind_of_drop, settle
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody, Element, json_array
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.form_payload import decode_form_bytes, decode_form_pairs
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider
from worker.providers.verdict import Accepted, Answered, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests

SIGNATURE_HEADER = "x-mandrill-signature"
EVENTS_FIELD = "mandrill_events"
TEST_KEY = "test-webhook"  # the key for testing a URL before it has its own
_NO_EVENTS = [(EVENTS_FIELD, b"[]")]
_LONGEST_TEST_BYTES = 100


class MandrillSignature(SignedForm, frozen=True, kw_only=True):
    """The signature; an array without events may be signed with the key that everybody knows.

    A form has one field: a second one might be a piece of the first, cut off behind a name of the attacker's choice.
    """

    def signed_fields(self, request: WebhookRequest) -> Sequence[Field] | Refused:
        """The one field; a body with others is refused."""
        fields = super().signed_fields(request)
        if isinstance(fields, Refused) or [name for name, _ in fields] == [EVENTS_FIELD]:
            return fields
        return ambiguous_form(f"the form has other fields than one {EVENTS_FIELD}")

    def keys(self, secrets: Sequence[Secret], fields: Sequence[Field], /) -> Sequence[Secret]:
        """The source's secrets, and the test key only for an empty array that is the only field."""
        return (*secrets, Secret(TEST_KEY)) if fields == _NO_EVENTS else secrets


# -- What its events are -------------------------------------------------------------------------------------
# https://mailchimp.com/developer/transactional/docs/webhooks/#message-events

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "send": (Kind.ACCEPTED, Cause.NONE),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "deferral": (Kind.DEFERRED, Cause.UNDETERMINED),
    "hard_bounce": (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    "soft_bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "reject": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "open": (Kind.OPENED, Cause.NONE),
    "click": (Kind.CLICKED, Cause.NONE),
    "spam": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "unsub": (Kind.UNSUBSCRIBE, Cause.NONE),
    "inbound": (Kind.OTHER, Cause.NONE),  # somebody wrote to us
}
# Changes of Mandrill's own lists, with older and newer names: they repeat events, or an operator made them.
SYNC_EVENTS = frozenset({"blacklist", "whitelist", "denylist", "allowlist", "safelist"})
SYNC_ACTIONS = frozenset({"add", "change", "remove"})

# -- Why it happened -----------------------------------------------------------------------------------------
# `bgtools_code`: the classes of BoogieTools, which Mandrill uses without listing them; a few come with their names.

BOUNCE_CODES: dict[int, tuple[Kind, Cause]] = {
    0: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    10: (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    20: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    21: (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
    22: (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    23: (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE),
    30: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    40: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    50: (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    51: (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    52: (Kind.BLOCKED, Cause.CONTENT),
    53: (Kind.BLOCKED, Cause.CONTENT),
    54: (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    60: (Kind.OTHER, Cause.AUTO_REPLY),
    70: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    80: (Kind.OTHER, Cause.NONE),  # a mail that asks for more: too weak a sign to take an unsubscribe back
    90: (Kind.UNSUBSCRIBE, Cause.NONE),
    100: (Kind.OTHER, Cause.CHALLENGE_RESPONSE),
}
BOUNCE_DESCRIPTIONS: dict[str, int] = {"bad_mailbox": 10, "invalid_domain": 21, "mailbox_full": 22}

# https://mailchimp.com/developer/transactional/api/messages/send-new-message/: `reject_reason`
REJECT_REASONS: dict[str, Cause] = {
    "hard-bounce": Cause.SUPPRESSED_BY_PROVIDER,
    "soft-bounce": Cause.SUPPRESSED_BY_PROVIDER,
    "custom": Cause.SUPPRESSED_BY_PROVIDER,
    "spam": Cause.COMPLAINED_AT_PROVIDER,
    "unsub": Cause.UNSUBSCRIBED_AT_PROVIDER,
    "invalid": Cause.INVALID_ADDRESS,
    "invalid-sender": Cause.SENDER_CONFIGURATION,
    "test-mode-limit": Cause.SENDER_CONFIGURATION,
    "unsigned": Cause.SENDER_AUTHENTICATION,
    "rule": Cause.POLICY,
}

# -- How it is read ------------------------------------------------------------------------------------------

# "Send Test" in the console posts one of each event with these.
SAMPLE_ADDRESS = "example.webhook@mandrillapp.com"
SAMPLE_ID_PREFIX = "exampleaaaaaaaaa"


def _vocabulary() -> dict[str, tuple[Kind, Cause]]:
    words = dict(EVENTS)
    for event in ("hard_bounce", "soft_bounce"):
        words |= {f"{event}/{code}": _by_code(event, code) for code in BOUNCE_CODES}
    words |= {f"reject/{reason}": (kind_of_drop(cause), cause) for reason, cause in REJECT_REASONS.items()}
    pairs = [(name, action) for name in sorted(SYNC_EVENTS) for action in sorted(SYNC_ACTIONS)]
    words |= {f"{name}/{action}": (Kind.OTHER, Cause.NONE) for name, action in pairs}
    return words


def _by_code(event: str, code: int | None) -> tuple[Kind, Cause]:
    """The meaning of an event and its code without words: the event says hard or soft, the code everything else."""
    kind, cause = EVENTS[event]
    if code not in BOUNCE_CODES:
        return kind, cause
    coded_kind, coded_cause = BOUNCE_CODES[code]
    if coded_kind not in {Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE}:
        return coded_kind, coded_cause
    if kind is Kind.HARD_BOUNCE and coded_cause is Cause.DNS_FAILURE:
        return kind, Cause.DOMAIN_DOES_NOT_EXIST
    if kind is Kind.SOFT_BOUNCE and coded_kind is Kind.HARD_BOUNCE:
        return kind, Cause.UNDETERMINED
    return kind, coded_cause


_BATCH = BatchBody("Mandrill webhook")


def welcome(request: WebhookRequest) -> Verdict:
    """Accepted; but a test without events, which anybody can sign, is answered and not queued."""
    if len(request.body) <= _LONGEST_TEST_BYTES and decode_form_pairs(request.body, "form") == _NO_EVENTS:
        return Answered(reason="url_tried", detail="Mandrill tries the webhook out: there are no events in it")
    return Accepted()


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """One event for each element of the field; an unreadable one becomes an event `malformed`."""
    return read_elements(elements(envelope), envelope, _read_element)


def elements(envelope: Envelope) -> Iterable[Element]:
    """The events of the array in the form's field."""
    events = decode_form_bytes(envelope.body, "Mandrill webhook").get(EVENTS_FIELD)
    if not events:
        raise UnreadablePayload(f"Mandrill webhook: the form has no field {EVENTS_FIELD}, where the events stand")
    return _BATCH.elements(events)


def body_of(elements: Sequence[Element]) -> bytes:
    """The form."""
    return f"{EVENTS_FIELD}={quote_from_bytes(json_array(elements), safe='')}".encode()


def _read_element(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    name = json_payload.text(values, "event", WORD_LIMIT)
    if name is not None:
        return _read_message_event(name, values, raw, envelope)
    name = json_payload.text(values, "type", WORD_LIMIT)
    return None if name is None else _read_sync_event(name, values, raw, envelope)


def _read_message_event(name: str, values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    message = json_payload.child(values, "msg")
    kind, cause = EVENTS.get(name, (Kind.OTHER, Cause.NONE))
    # The `email` of inbound mail is our own address, to which somebody wrote.
    address = json_payload.text(message, "email") if name != "inbound" else None
    message_id = json_payload.text(values, "_id", MESSAGE_ID_LIMIT) or json_payload.text(
        message, "_id", MESSAGE_ID_LIMIT
    )
    failure, diagnostic, vendor_event = None, None, name
    if kind in _FAILURES:
        diagnostic = _diagnostic(message)
        failure = classify(
            smtp_code=None,
            enhanced_status=None,
            diagnostic=diagnostic,
            permanent=kind is Kind.HARD_BOUNCE,
            recipient=address,
        )
        kind, cause, detail = _settled(name, message, failure)
        vendor_event = f"{name}/{detail}" if detail else name
    elif kind is Kind.DROPPED:
        diagnostic = _diagnostic(message)
        reason = _reject_reason(values, message)
        cause = REJECT_REASONS.get(reason or "", cause)
        kind = kind_of_drop(cause)
        vendor_event = f"{name}/{reason}" if reason else name
    if address == SAMPLE_ADDRESS or (message_id or "").startswith(SAMPLE_ID_PREFIX):
        kind, cause = Kind.OTHER, Cause.TEST
    when = values.get("ts")
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(message_id, address, name, when, values.get("url")) if message_id and when else (raw,),
        address=address,
        vendor_event=vendor_event,
        recognised=name in EVENTS,
        vendor_time=from_unix_seconds(when),
        failure=failure,
        message_id=message_id,
        diagnostic=diagnostic,
        tags=json_payload.tags(message, "tags"),
        metadata=json_payload.metadata(message.get("metadata")),
    )


_FAILURES = frozenset({Kind.DEFERRED, Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE})


def _settled(name: str, message: dict[str, Any], failure: Classification) -> tuple[Kind, Cause, str]:
    description = json_payload.text(message, "bounce_description", WORD_LIMIT) or ""
    code = json_payload.integer(message, "bgtools_code")
    if code is None:
        code = BOUNCE_DESCRIPTIONS.get(description)
    if name == "deferral":
        return *settle(Kind.DEFERRED, Cause.UNDETERMINED, failure), description
    detail = str(code) if code is not None else description
    kind, cause = _by_code(name, code)
    if kind in {Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE}:
        return *settle(kind, cause, failure), detail
    if kind is Kind.BLOCKED and failure.cause is not Cause.POLICY and CAUSE_BLAME[failure.cause] is Blame.SENDER:
        cause = failure.cause
    return kind, cause, detail


def _diagnostic(message: dict[str, Any]) -> str | None:
    if diagnostic := json_payload.text(message, "diag"):
        return diagnostic
    attempts = message.get("smtp_events")
    if isinstance(attempts, list) and attempts and isinstance(attempts[-1], dict):
        return json_payload.text(attempts[-1], "diag")
    return None


def _reject_reason(values: dict[str, Any], message: dict[str, Any]) -> str | None:
    reason = json_payload.text(message, "reject_reason", WORD_LIMIT)
    for place in (message.get("reject"), values.get("reject")):
        if reason is None and isinstance(place, dict):
            reason = json_payload.text(place, "reason", WORD_LIMIT)
    return reason


def _read_sync_event(name: str, values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    """A change of Mandrill's lists, which is no new bounce or complaint: these have their own events."""
    entry = json_payload.child(values, "reject") or json_payload.child(values, "entry")
    action = json_payload.text(values, "action", WORD_LIMIT)
    address = json_payload.text(entry, "email")
    cause = Cause.NONE
    if action == "add":
        cause = REJECT_REASONS.get(json_payload.text(entry, "reason", WORD_LIMIT) or "", cause)
    when = json_payload.text(values, "ts", WORD_LIMIT)
    return new_event(
        envelope,
        raw,
        kind=Kind.OTHER,
        cause=Cause.TEST if address == SAMPLE_ADDRESS else cause,
        key=(name, action, address, when) if address and when else (raw,),
        address=address,
        vendor_event=f"{name}/{action}" if action else name,
        recognised=name in SYNC_EVENTS,
        vendor_time=from_unix_seconds(values.get("ts")),
        diagnostic=json_payload.text(entry, "detail"),
    )


PROVIDER = Provider(
    name="mandrill",
    title="Mailchimp Transactional (Mandrill)",
    documentation="https://mailchimp.com/developer/transactional/docs/webhooks/",
    proof="HMAC-SHA1 of the webhook's URL and the form's fields",
    secret_help="the webhook's key: Settings > Webhooks > View key",
    schemes={"": MandrillSignature(header=SIGNATURE_HEADER)},
    batches=True,
    batch=_BATCH,
    account_paths={
        "subaccount": "msg.subaccount || reject.subaccount",
        "sending_domain": "msg.sender || reject.sender",
    },
    vocabulary=_vocabulary(),
    welcome=welcome,
    parse=parse,
    elements=elements,
    body_of=body_of,
)
