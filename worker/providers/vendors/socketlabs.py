"""SocketLabs: one JSON object an event, nothing is signed, and the secret key stands in the body.

Sources: help.socketlabs.com/docs/event-webhooks-overview and the pages beside it (authentication, events, data
attributes), github.com/socketlabs/SocketLabs.EventWebhooks.Extensions (failure codes, enumerations).
How often SocketLabs sends again is not documented. Nor is the exact form of the answer to a validation: the pages ask
for "this secret key", so the key is answered as plain text. Form-encoded endpoints of before June 2021 are not read.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Secret, Source
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.comparison import texts_match
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.source_options import Option
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.vendor_verdict import settle
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.json_size import check_values
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.verdict import Accepted, Answered, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://help.socketlabs.com/docs/event-webhooks-authentication-and-access

_WHAT = "SocketLabs webhook"
_PROOF_FIELDS = frozenset({"secretkey", "serverid"})
_LONGEST_PROOF_BYTES = 1_000
# An event has some forty, and a request is one event. This is what is looked at before anything is proved.
_MOST_UNPROVEN_VALUES = 20_000

_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_elements = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_decode_scalar = msgspec.json.Decoder(str | int | float | bool | None).decode
_Fields = dict[str, msgspec.Raw]


def _server_numbers(value: object) -> frozenset[int] | None:
    if not isinstance(value, list) or not value or not all(isinstance(server, int) for server in value):
        return None
    return frozenset(value)


SERVERS: Option[frozenset[int]] = Option(
    name="server_ids",
    default=frozenset(),
    read=_server_numbers,
    mistake=lambda value: (
        "" if _server_numbers(value) is not None else ": give the servers' numbers as a list: [12345]"
    ),
)


class SecretKeyInBody(Struct, frozen=True):
    """Each event of the body carries one of the secrets, and a server of ours where the source names some."""

    unproven_bytes: ClassVar[int | None] = 1024 * 1024
    options: ClassVar[tuple[Option[Any], ...]] = (SERVERS,)

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets and servers."""
        return partial(self._refuse, secrets=source.secrets, servers=SERVERS.of(source), name=source.name)

    def _refuse(
        self, request: WebhookRequest, _now: datetime, *, secrets: Sequence[Secret], servers: frozenset[int], name: str
    ) -> Refused | None:
        """None if every event in the body shows the secret."""
        try:
            events = _proofs_in(request.body)
        except UnreadablePayload:
            return Refused(
                reason="unreadable_credentials",
                detail="the body is no JSON, and SocketLabs' secret key stands in there: make a new endpoint at "
                "SocketLabs where this one posts forms",
            )
        keys = [json_payload.text(event, "secretkey") for event in events]
        if not keys or None in keys:
            return Refused(reason="missing_credentials", detail="the body shows no SecretKey")
        keys_here = [secret.reveal() for secret in secrets if secret.reveal()]
        if not all([any([texts_match(key or "", secret) for secret in keys_here]) for key in keys]):  # noqa: C419 - all are compared
            return Refused(
                reason="bad_credentials",
                detail="the body's SecretKey matches no secret of this source: copy the key of this endpoint from "
                "SocketLabs",
            )
        if servers and any(json_payload.integer(event, "serverid") not in servers for event in events):
            return Refused(
                reason="bad_credentials",
                detail=f"an event is of a server that is not in the {SERVERS.name} of source {name!r}",
            )
        return None

    def check_secrets(self, _source: Source) -> list[str]:
        """Any text will do."""
        return []


def _proofs_in(body: bytes) -> list[dict[str, Any]]:
    """The key and the server that each event shows, under their names in lower case; nothing else is read.

    Raises UnreadablePayload.
    """
    check_values(body, _WHAT, most=_MOST_UNPROVEN_VALUES)
    try:
        elements = [_decode_fields(body)] if body.lstrip()[:1] == b"{" else _decode_elements(body)
        return [_proof(_unwrapped_fields(element)) for element in elements]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UnreadablePayload(f"{_WHAT}: the body is neither an object nor an array of them") from error


def _unwrapped_fields(element: _Fields) -> _Fields:
    """The fields of the event, without the object that may wrap them."""
    inner = element.get("data")
    if inner is None or "Type" in element or bytes(memoryview(inner)[:1]) != b"{":
        return element
    fields: _Fields = _decode_fields(inner)
    return fields


def _proof(event: _Fields) -> dict[str, Any]:
    return {
        name: _decode_scalar(value)
        for written, value in event.items()
        if (name := written.lower()) in _PROOF_FIELDS and len(memoryview(value)) <= _LONGEST_PROOF_BYTES
    }


# -- What its events are -------------------------------------------------------------------------------------
# https://help.socketlabs.com/docs/event-webhooks-events

EVENTS: dict[str, tuple[Kind, Cause]] = {
    "Queued": (Kind.ACCEPTED, Cause.NONE),
    "Delivered": (Kind.DELIVERED, Cause.NONE),  # an asynchronous bounce may follow days later
    "Sent": (Kind.DELIVERED, Cause.NONE),  # as the pages call it too
    "Deferred": (Kind.DEFERRED, Cause.UNDETERMINED),
    "Failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # type and code say which bounce it was
    "Complaint": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "Tracking/Click": (Kind.CLICKED, Cause.NONE),
    "Tracking/Open": (Kind.OPENED, Cause.NONE),
    "Tracking/Unsubscribe": (Kind.UNSUBSCRIBE, Cause.NONE),
    "Validation": (Kind.OTHER, Cause.TEST),
}
# SocketLabs' enumerations in their order: they may come as numbers.
_TRACKING_TYPES = ("Click", "Open", "Unsubscribe")
_FAILURE_TYPES = ("Temporary", "Permanent", "Suppressed")
_WORDS_OF_THE_KEY = ("trackingtype", "failuretype", "failurecode")  # as they came, by word or number
_PERMANENT = {"Temporary": False, "Permanent": True}

# -- Why -----------------------------------------------------------------------------------------------------
# https://github.com/socketlabs/SocketLabs.EventWebhooks.Extensions, Utilities/FailureCodes.cs

FAILURE_CODES: dict[int, tuple[Kind, Cause]] = {
    **dict.fromkeys((1002, 1003), (Kind.BLOCKED, Cause.SENDER_REPUTATION)),  # blacklisted
    1004: (Kind.BLOCKED, Cause.CONTENT),
    1006: (Kind.BLOCKED, Cause.RATE_LIMITED),  # too many connections
    1007: (Kind.BLOCKED, Cause.VIRUS),
    1011: (Kind.OTHER, Cause.CHALLENGE_RESPONSE),
    1999: (Kind.BLOCKED, Cause.POLICY),  # other refusals of the message
    2001: (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    2002: (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
    2003: (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),
    2004: (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),  # no longer valid
    2999: (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),  # other refusals of the address
    3001: (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    3002: (Kind.SOFT_BOUNCE, Cause.MAILBOX_DISABLED),  # inactive, which SocketLabs counts among the temporary ones
    3003: (Kind.SOFT_BOUNCE, Cause.GREYLISTED),  # "try later", until the tries ran out
    3999: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    4001: (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),  # too busy
    4002: (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),  # protocol error or timeout
    4003: (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    4004: (Kind.SOFT_BOUNCE, Cause.EXPIRED),  # too old
    4006: (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),  # not accepting for the domain
    4999: (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    5001: (Kind.OTHER, Cause.AUTO_REPLY),
    5999: (Kind.OTHER, Cause.NONE),  # informational
    9999: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
}
SUPPRESSED = (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER)


# -- How it is read ------------------------------------------------------------------------------------------

_BATCH = BatchBody(_WHAT)


def welcome(request: WebhookRequest) -> Verdict:
    """Answers a validation with its key, which was compared already; accepts other requests, without their secret."""
    try:
        document = json_payload.decode_json(request.body, _WHAT)
        events = _events_in(document)
    except UnreadablePayload:  # of an open source: parse says what is wrong with it
        return Accepted()
    if len(events) == 1 and json_payload.text(events[0], "type") == "Validation":
        # A public adapter gives back a ValidationKey beside it: so it is, where there is one.
        key = next(filter(None, (json_payload.text(events[0], name) for name in ("validationkey", "secretkey"))), "")
        return Answered(
            reason="validated", detail="SocketLabs validated the endpoint", body=key.encode("utf-8", "replace")
        )
    return Accepted(body=msgspec.json.encode(_without_secret(document)))


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of the body, nearly always one; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_event)


def _events_in(value: Any) -> list[dict[str, Any]]:
    """The events, with their keys in lower case; the vendor's library takes an array of them too."""
    elements = value if isinstance(value, list) else [value]
    if not all(isinstance(element, dict) for element in elements):
        raise UnreadablePayload(f"{_WHAT}: the body is neither an object nor an array of them")
    return [_lower(_unwrap(element)) for element in elements]


def _unwrap(element: dict[str, Any]) -> dict[str, Any]:
    """The event itself: one of SocketLabs' examples has it inside `data`, which is not the `Data` of an event."""
    inner = element.get("data")
    return inner if isinstance(inner, dict) and "Type" not in element else element


def _lower(values: dict[str, Any]) -> dict[str, Any]:
    """SocketLabs writes ServerId and ServerID, LocalIp and LocalIP."""
    return {key.lower(): value for key, value in values.items()}


def _without_secret(document: Any) -> Any:
    """The same without the key, which travels in every event and has no business in the store."""
    if isinstance(document, list):
        return [_without_secret(element) for element in document]
    return {
        key: _without_secret(value) if key == "data" and isinstance(value, dict) else value
        for key, value in document.items()
        if key.lower() != "secretkey"
    }


def _read_event(element: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    event = _unwrap(element)
    raw = msgspec.json.encode(_without_secret(event))
    values = _lower(event)
    name, address = json_payload.text(values, "type"), json_payload.text(values, "address")
    if name is None:  # mail that somebody wrote to us
        return new_event(
            envelope, raw, kind=Kind.OTHER, key=(raw,), address=None, vendor_event="inbound", vendor_time=None
        )
    if address is None and name != "Validation":
        raise UnreadablePayload(f"{_WHAT}: a {name[:40]} names nobody in Address")
    word = name
    if name == "Tracking":
        word = f"{name}/{_word(values, 'trackingtype', _TRACKING_TYPES)}"
    kind, cause = EVENTS.get(word, (Kind.OTHER, Cause.NONE))
    known = word in EVENTS
    classification = None
    if name == "Deferred":
        classification = _found(values, "deferralcode", permanent=False)
        kind, cause = settle(kind, cause, classification)
    elif name == "Failed":
        failure = _word(values, "failuretype", _FAILURE_TYPES)
        classification = _found(values, "bouncestatus", permanent=_PERMANENT.get(failure))
        code = json_payload.integer(values, "failurecode")
        word = f"{name}/{failure if failure == 'Suppressed' or code is None else code}"
        known = failure == "Suppressed" or code is None or code in FAILURE_CODES
        kind, cause = _failure(failure, code, classification)
    stamp = json_payload.text(values, "datetime")
    message_id = json_payload.text(values, "messageid", json_payload.MESSAGE_ID_LIMIT)
    details = json_payload.child(values, "data")
    identity = (json_payload.text(values, "url"), stamp or raw)
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(
            json_payload.text(values, "serverid"),
            message_id,
            json_payload.text(values, "mailingid"),
            address,
            name,
            *map(values.get, _WORDS_OF_THE_KEY),
            *identity,
        ),
        former_key=(
            json_payload.text(values, "serverid"),
            message_id,
            json_payload.text(values, "mailingid"),
            address,
            word,
            *identity,
        ),
        address=address,
        vendor_event=word,
        recognised=known,
        vendor_time=from_iso(stamp),
        failure=classification,
        message_id=message_id,
        diagnostic=json_payload.text(values, "diagnosticcode") or json_payload.text(values, "reason"),
        tags=json_payload.tags(details, "Tags"),
        metadata=json_payload.metadata(_variables(details)),
        campaign=json_payload.text(values, "mailingid"),
    )


def _word(values: Mapping[str, Any], key: str, words: tuple[str, ...]) -> str:
    """The word of an enumeration, whether it came as such or as its number."""
    number = json_payload.integer(values, key)
    if number is not None and 0 <= number < len(words):
        return words[number]
    return json_payload.text(values, key, json_payload.WORD_LIMIT) or ""


def _found(values: Mapping[str, Any], status: str, *, permanent: bool | None) -> Classification:
    return classify(
        smtp_code=None,
        enhanced_status=json_payload.text(values, status),
        diagnostic=json_payload.text(values, "diagnosticcode") or json_payload.text(values, "reason"),
        permanent=permanent,
        recipient=json_payload.text(values, "address"),
        remote_host=json_payload.text(values, "remotemta"),
    )


def _failure(failure: str, code: int | None, classification: Classification) -> tuple[Kind, Cause]:
    if failure == "Suppressed":
        return SUPPRESSED
    kind, cause = FAILURE_CODES.get(code or 0, EVENTS["Failed"])
    # An answer by a machine is not a bounce, whatever it quotes.
    return (kind, cause) if kind is Kind.OTHER else settle(kind, cause, classification)


def _variables(details: dict[str, Any]) -> dict[str, Any]:
    pairs = details.get("Meta")
    return {
        pair["Key"]: pair.get("Value")
        for pair in (pairs if isinstance(pairs, list) else [])
        if isinstance(pair, dict) and isinstance(pair.get("Key"), str)
    }


PROVIDER = Provider(
    name="socketlabs",
    title="SocketLabs",
    documentation="https://help.socketlabs.com/docs/event-webhooks-overview",
    proof="secret key in the body",
    secret_help="the secret key of the endpoint: Configuration > Event Webhooks",
    schemes={"": SecretKeyInBody()},
    # A server is what older accounts have in the place of subaccounts; there the subaccount is 0.
    batch=_BATCH,
    account_paths={
        "subaccount": "[SubaccountId, SubaccountID, ServerId, ServerID][?@ && @ != `0`] | [0]",
        "sending_domain": "FromAddress",
    },
    campaign_fields=("MailingId",),
    vocabulary={
        **EVENTS,
        **{f"Failed/{code}": meaning for code, meaning in FAILURE_CODES.items()},
        "Failed/Suppressed": SUPPRESSED,
    },
    welcome=welcome,
    parse=parse,
)
