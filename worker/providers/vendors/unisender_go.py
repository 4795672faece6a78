"""Unisender Go, and UniOne, which is the same platform: up to 100 events a webhook, an MD5 with the API key inside.

https://godocs.unisender.ru/web-api-ref#callback-format and https://docs.unione.io/en/web-api-ref#callback-format

The hash covers the raw body, in which the API key stands instead of the hash. What it covers with the format
`json_post_compressed` is not documented, and that format is not taken into account.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
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
from worker.providers.authentication.comparison import as_bytes, texts_match
from worker.providers.authentication.hmac_signature import bad_signature, body_hash
from worker.providers.authentication.scheme import Refuse
from worker.providers.authentication.source_options import Option
from worker.providers.classification.failure import Classification, classify
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody, Element, json_array
from worker.providers.payload.feedback import is_malformed, malformed, new_event, read_elements
from worker.providers.payload.json_size import check_values
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider
from worker.providers.verdict import Accepted, Answered, Refused, Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# https://godocs.unisender.ru/web-api-ref#callback-format (`auth`)

_HASH = re.compile(rb"[0-9a-f]{32}")
_AUTH = re.compile(rb'("auth"\s*:\s*")[0-9a-f]{32}"')


class _Authenticated(Struct):
    auth: str = ""


_decode_authenticated = msgspec.json.Decoder(_Authenticated).decode


class HashInBody(Struct, frozen=True):
    """`auth` is the MD5 of the body with the API key in its place.

    The body must be one JSON value and contain the hash once: an MD5 can be extended without the key, but JSON cannot.
    """

    unproven_bytes: ClassVar[int | None] = 5 * 1024 * 1024
    options: ClassVar[tuple[Option[Any], ...]] = ()

    def bind(self, source: Source) -> Refuse:
        """The scheme with the source's secrets."""
        return partial(self._refuse, secrets=source.secrets)

    def _refuse(self, request: WebhookRequest, _now: datetime, *, secrets: Sequence[Secret]) -> Refused | None:
        """None if the hash matches one of the source's API keys."""
        body = request.body
        try:
            hash_in_body = as_bytes(_decode_authenticated(body).auth)
        except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
            return Refused(
                reason="unreadable_body",
                detail="the body is no JSON object with a text in auth: set the webhook's event_format to json_post",
            )
        if not hash_in_body:
            return Refused(
                reason="missing_signature",
                detail="the body has no field auth: only Unisender Go and UniOne post here, and they always send it",
            )
        if not _HASH.fullmatch(hash_in_body) or body.count(hash_in_body) != 1:
            return bad_signature()
        matches = [
            texts_match(hash_in_body, as_bytes(body_hash(body.replace(hash_in_body, as_bytes(secret.reveal())), "md5")))
            for secret in secrets
            if secret.reveal()
        ]
        return None if any(matches) else bad_signature()

    def check_secrets(self, _source: Source) -> list[str]:
        """Any text can be an API key."""
        return []


# -- What its events are -------------------------------------------------------------------------------------
# https://godocs.unisender.ru/email-statuses

STATUS_EVENT = "transactional_email_status"
SPAM_BLOCK_EVENT = "transactional_spam_block"  # a mailbox provider refuses our servers: about nobody

STATUSES: dict[str, tuple[Kind, Cause]] = {
    "accepted": (Kind.ACCEPTED, Cause.NONE),
    "sent": (Kind.ACCEPTED, Cause.NONE),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "opened": (Kind.OPENED, Cause.NONE),
    "clicked": (Kind.CLICKED, Cause.NONE),
    "unsubscribed": (Kind.UNSUBSCRIBE, Cause.NONE),
    "subscribed": (Kind.RESUBSCRIBE, Cause.NONE),
    "spam": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "soft_bounced": (Kind.DEFERRED, Cause.UNDETERMINED),  # it goes on trying, and reports the result
    # A refusal of any sort, spam among them, where the webhook leaves out delivery_info: too vague for a hard bounce.
    "hard_bounced": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
}

# -- Why -----------------------------------------------------------------------------------------------------
# https://godocs.unisender.ru/email-statuses; the nine from err_resend on are listed without a description at
# https://docs.unione.io/en/web-api-ref#callback-format and mean here what their names say.

DELIVERY_STATUSES: dict[str, tuple[Kind, Cause]] = {
    "err_user_unknown": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "err_user_inactive": (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
    "err_mailbox_discarded": (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
    "err_domain_inactive": (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
    # Of a mail that is tried again it comes with soft_bounced; with hard_bounced the tries have ended.
    "err_will_retry": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "err_mailbox_full": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    "err_destination_misconfigured": (Kind.SOFT_BOUNCE, Cause.SERVER_UNAVAILABLE),
    "err_unreachable": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # failed again and again, for whatever reasons
    "err_delivery_failed": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "err_spam_rejected": (Kind.BLOCKED, Cause.CONTENT),
    "err_blacklisted": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "err_too_large": (Kind.BLOCKED, Cause.MESSAGE_TOO_LARGE),
    "err_spam_skipped": (Kind.DROPPED, Cause.CONTENT),  # others of the same mailing were refused as spam
    "err_spam_removed": (Kind.DROPPED, Cause.CONTENT),
    "err_unsubscribed": (Kind.DROPPED, Cause.UNSUBSCRIBED_AT_PROVIDER),
    "err_skip_letter": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "skip_dup_unreachable": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "skip_dup_temp_unreachable": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "skip_dup_mailbox_full": (Kind.DROPPED, Cause.SUPPRESSED_BY_PROVIDER),
    "err_lost": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),  # never sent: its parts did not fit, or it was lost
    "err_internal": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
    "err_resend": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "err_retry_letter": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "err_giveup": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    "err_no_dns": (Kind.SOFT_BOUNCE, Cause.DNS_FAILURE),
    "err_no_smtp": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "err_not_available": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "err_unknown": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "err_dest_invalid": (Kind.HARD_BOUNCE, Cause.INVALID_ADDRESS),  # never tried, and nothing else reports it
    "err_src_invalid": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
    "not_sent": (Kind.DROPPED, Cause.SENDER_CONFIGURATION),
}
# These say so little that the server's own words in `destination_response` say more.
_VAGUE = frozenset(
    {
        None,
        "err_will_retry",
        "err_resend",
        "err_retry_letter",
        "err_destination_misconfigured",
        "err_unreachable",
        "err_delivery_failed",
        "err_giveup",
        "err_not_available",
        "err_unknown",
    }
)
_REASONED = frozenset({"hard_bounced", "soft_bounced", "spam"})  # the delivery_status of the others repeats it
SPAM_FOLDER = "ok_spam_folder"  # the receiving filter's doing, and no reader's

# -- How it is read ------------------------------------------------------------------------------------------
# Either all events of one user (or project) in an array, or, with `single_event`, one event in a flat object.


_WHAT = "Unisender Go webhook"
_EVENTS = BatchBody(_WHAT)


class _User(Struct):
    user_id: msgspec.Raw = msgspec.Raw(b"null")
    project_id: msgspec.Raw = msgspec.Raw(b"null")
    events: msgspec.Raw = msgspec.Raw(b"[]")

    def beside(self) -> bytes:
        """The fields beside each of the user's events: the beginning of an object, with a comma at its end."""
        return b'{"user_id":%b,"project_id":%b,' % (bytes(self.user_id), bytes(self.project_id))

    def with_only(self, event: Element) -> bytes:
        """The user with one of the events."""
        return b'%b"events":[%b]}' % (self.beside(), bytes(event))


class _Body(Struct):
    events_by_user: list[_User] | None = None


_decode_body = msgspec.json.Decoder(_Body).decode


def welcome(request: WebhookRequest) -> Verdict:
    """Accepts the body without its hash, which would let a later reader try API keys."""
    return Accepted(body=_AUTH.sub(rb'\1"', request.body, count=1))


def answer_probe(request: WebhookRequest) -> Answered | Refused | None:
    """Answers 200 to the GET with which Unisender Go tests a URL when the webhook is switched on."""
    if request.method != "GET":
        return None
    return Answered(reason="url_tried", detail="the URL answers; each webhook must prove itself by its own hash")


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of all users, or the one of a flat object; raises UnreadablePayload."""
    users = _users(envelope.body)
    if users is None:
        values = json_payload.decode_object(envelope.body, _WHAT)
        event = _read_event(b"", values, envelope.body, envelope)
        if event is None:
            raise UnreadablePayload(f"{_WHAT}: it names no event, or a status and nobody in email")
        return [event]
    events = []
    for user in users:
        read = partial(_read_event, user.beside())
        events += [
            # A part that is set aside keeps its user, like every event.
            malformed(envelope, user.with_only(event.raw), reason=event.diagnostic) if is_malformed(event) else event
            for event in read_elements(_EVENTS.elements(bytes(user.events)), envelope, read)
        ]
    return events


def elements(envelope: Envelope) -> Iterable[Element] | None:
    """Each event with its user around it; None for a flat object."""
    users = _users(envelope.body)
    if users is None:
        return None
    return (user.with_only(event) for user in users for event in _EVENTS.elements(bytes(user.events)))


def body_of(elements: Sequence[Element]) -> bytes:
    """The users, each with one event."""
    return b'{"events_by_user":%b}' % json_array(elements)


def _users(body: bytes) -> list[_User] | None:
    """The users of the body; None where it is one event itself. Raises UnreadablePayload."""
    check_values(body, _WHAT, most=json_payload.ELEMENTS_VALUES_LIMIT)
    try:
        users: list[_User] | None = _decode_body(body).events_by_user
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        # One event cannot be read, or nothing can.
        fields = json_payload.decode_fields(body, _WHAT)
        listed = json_payload.decode_array_of_raw(bytes(fields.get("events_by_user", b"")), _WHAT)
        users = [_user(json_payload.decode_fields(bytes(user), _WHAT)) for user in listed]
    return users


def _user(fields: Mapping[str, Element]) -> _User:
    known = {name: msgspec.Raw(bytes(value)) for name, value in fields.items() if name in _User.__struct_fields__}
    return _User(**known)


def _read_event(beside: bytes, values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent | None:
    """The event; `beside` is what stands beside it in the array of its user, and is kept with it."""
    name, data = values.get("event_name"), values.get("event_data")
    if not isinstance(name, str) or not name:
        return None
    if not isinstance(data, dict):
        data = values
    event_name = name
    word = json_payload.text(json_payload.child(data, "delivery_info"), "delivery_status", json_payload.WORD_LIMIT)
    address, failure, diagnostic = data.get("email"), None, None
    if name == STATUS_EVENT:
        name = data.get("status")
        if not isinstance(name, str) or not isinstance(address, str):
            return None
        known = name in STATUSES
        kind, cause = STATUSES[name] if known else (Kind.OTHER, Cause.NONE)
        if name in _REASONED:
            info, status = json_payload.child(data, "delivery_info"), name
            if status != "spam":
                diagnostic = json_payload.text(info, "destination_response")
                failure = classify(
                    smtp_code=None, enhanced_status=None, diagnostic=diagnostic, permanent=None, recipient=address
                )
                kind, cause = _bounce(status, word, failure)
                known, name = word is None or word in DELIVERY_STATUSES, f"{status}/{word}" if word else status
            elif word == SPAM_FOLDER:
                kind, cause, name = Kind.OTHER, Cause.CONTENT, f"{status}/{word}"
    else:
        known = name == SPAM_BLOCK_EVENT
        kind, cause = Kind.OTHER, Cause.SENDER_REPUTATION if known else Cause.NONE
    written = address if isinstance(address, str) else None
    job_id, time = json_payload.text(data, "job_id", json_payload.MESSAGE_ID_LIMIT), data.get("event_time")
    # No event has an id of its own, and the header ID is another one each time the same events are sent.
    identity = (job_id, time, data.get("url")) if job_id and time else (raw,)
    return new_event(
        envelope,
        beside + raw[1:] if beside else raw,
        kind=kind,
        cause=cause,
        key=(event_name, data.get("status"), word, written, *identity),
        former_key=(name, written, *identity),
        address=written,
        vendor_event=name,
        recognised=known,
        vendor_time=from_iso(time or data.get("block_time")),
        failure=failure,
        message_id=job_id,
        diagnostic=diagnostic,
        metadata=json_payload.metadata(data.get("metadata")),
    )


def _bounce(status: str, word: str | None, failure: Classification) -> tuple[Kind, Cause]:
    kind, cause = DELIVERY_STATUSES.get(word or "", STATUSES["hard_bounced"])
    if (word in _VAGUE or word not in DELIVERY_STATUSES) and failure.cause is not Cause.UNDETERMINED:
        kind, cause = failure.kind, failure.cause
    return (Kind.DEFERRED if status == "soft_bounced" else kind), cause


PROVIDER = Provider(
    name="unisender_go",
    title="Unisender Go",
    documentation="https://godocs.unisender.ru/web-api-ref#callback-format",
    proof="MD5 of the body with the API key inside",
    secret_help="the API key of the user, or of the project that the webhook belongs to",
    schemes={"": HashInBody()},
    batches=True,
    account_paths={"subaccount": "project_id || user_id"},
    vocabulary={
        **STATUSES,
        **{f"hard_bounced/{word}": meaning for word, meaning in DELIVERY_STATUSES.items()},
        f"spam/{SPAM_FOLDER}": (Kind.OTHER, Cause.CONTENT),
        SPAM_BLOCK_EVENT: (Kind.OTHER, Cause.SENDER_REPUTATION),
    },
    welcome=welcome,
    answer_probe=answer_probe,
    parse=parse,
    elements=elements,
    body_of=body_of,
)
