"""Our own JSON, for everybody's scripts: schemas/reported_event.py is the contract, and this module reads it.

docs/providers/bouncekeeper.md. The answer reports mistakes to the script: a wrong event is set aside, and the other
events of the body are accepted; a body without any readable event is refused.
"""

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import msgspec
from msgspec import Struct

from schemas.address import normalise_recipient
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.list_name import fault_of_list_name
from schemas.reported_event import BOUNCE, OWN_PROVIDER, ReportedEvent
from schemas.source import Source
from schemas.vocabulary import CAUSE_BLAME, Blame, Cause, Channel, Kind
from worker.errors import UnreadablePayload
from worker.providers.account_rule import with_own_account
from worker.providers.authentication.credentials import BasicCredentials, bearer_token
from worker.providers.authentication.hmac_signature import HmacSignature
from worker.providers.authentication.standard_webhooks import StandardWebhooks
from worker.providers.bound_source import BoundSource
from worker.providers.classification.failure import Classification, bounce_kind, classify
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import is_malformed, malformed, new_event
from worker.providers.payload.json_payload import (
    DIAGNOSTIC_LIMIT,
    MESSAGE_ID_LIMIT,
    TAGS_LIMIT,
    VALUES_LIMIT,
    WORD_LIMIT,
    fit_text,
    metadata,
)
from worker.providers.payload.json_size import check_values
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider
from worker.providers.vendors.bouncekeeper.bouncekeeper_answer import ReportedEvents
from worker.providers.verdict import Accepted, Answered, Verdict
from worker.providers.webhook_request import WebhookRequest

# -- How it authenticates ------------------------------------------------------------------------------------
# docs/providers/bouncekeeper.md

SIGNATURE_HEADER = "bouncekeeper-signature"
TIMESTAMP_HEADER = "bouncekeeper-timestamp"
SIGNED = "{timestamp}.{body}"
MAX_AGE_SECONDS = 300  # a script that tries again signs again

# -- What its events are -------------------------------------------------------------------------------------
# schemas/feedback.schema.json

EVENTS: dict[str, tuple[Kind, Cause]] = {
    BOUNCE: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # without codes, words and a cause
    **{kind.value: (kind, Cause.NONE) for kind in Kind},
    Kind.SOFT_BOUNCE.value: (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    Kind.HARD_BOUNCE.value: (Kind.HARD_BOUNCE, Cause.UNDETERMINED),
    Kind.BLOCKED.value: (Kind.BLOCKED, Cause.POLICY),
    Kind.DEFERRED.value: (Kind.DEFERRED, Cause.UNDETERMINED),
    Kind.DROPPED.value: (Kind.DROPPED, Cause.UNDETERMINED),
    Kind.COMPLAINT.value: (Kind.COMPLAINT, Cause.ABUSE_REPORT),
}
_FAILURES = frozenset({BOUNCE, Kind.SOFT_BOUNCE, Kind.HARD_BOUNCE, Kind.BLOCKED, Kind.DEFERRED})

# -- Why: our own words, which need no map -------------------------------------------------------------------

CAUSES: dict[str, tuple[Kind, Cause]] = {
    f"{BOUNCE}/{cause}": (bounce_kind(cause), cause) for cause in Cause if CAUSE_BLAME[cause] is not Blame.NOBODY
}

# -- How it is read ------------------------------------------------------------------------------------------

WHAT = "the JSON of a bouncekeeper source"
ACCOUNT = "account"  # the field of an event, and the `account_from` of a source that believes it
_ACCOUNT_PATHS = {ACCOUNT: ACCOUNT}
_SHOWN_CHARACTERS = 40
_NO_MOMENT = datetime.fromtimestamp(0, UTC)
_decode = msgspec.json.Decoder(ReportedEvent).decode

_BATCH = BatchBody(WHAT, inside="events", lines=True)


def tailor(bound: BoundSource) -> BoundSource:
    """Limits events to the accounts that the source may name, and reports mistakes in the answer."""
    source = bound.source
    return msgspec.structs.replace(
        bound, parse=partial(parse, account_from=source.account_from), welcome=partial(welcome, source=source)
    )


def parse(envelope: Envelope, *, account_from: str = "") -> list[FeedbackEvent]:
    """The events of an object, an array, an array in `events`, or NDJSON; raises UnreadablePayload."""
    account_from = envelope.account_from or account_from
    events = []
    for element in _BATCH.elements(envelope.body):
        raw = bytes(element)
        try:
            report = _decode_report(raw)
            event = _read_event(report, raw, envelope)
            if report.account is not None and account_from != ACCOUNT:
                _check_account(report.account, event, account_from)
        except _MISTAKES as error:
            event = malformed(envelope, raw, reason=_mistake(error))
        events.append(event)
    if events and all(map(is_malformed, events)):
        raise _nothing_readable(events[0].diagnostic or "")
    return events


def welcome(request: WebhookRequest, *, source: Source) -> Verdict:
    """The verdict, whose answer reports the mistakes of each event; 400 if none can be read.

    The author of the script can correct them.
    """
    envelope = Envelope(
        delivery_id=UUID(int=0),  # of nothing that is kept
        source=source.name,
        provider=source.provider,
        account=source.account,
        received_at=_NO_MOMENT,
        content_type="",
        headers={},
        body=request.body,
    )
    batch = ReportedEvents()
    try:
        for element in _BATCH.elements(request.body):
            try:
                name = _check(bytes(element), envelope, source.account_from)
            except _MISTAKES as error:
                batch.refuse(_mistake(error))
            else:
                batch.take(name, known=name in EVENTS)
        if batch.refused and not batch.taken:
            raise _nothing_readable(batch.refused[0].error)
    except UnreadablePayload as error:
        return Answered(
            reason="unreadable_events",
            detail=str(error),
            http_status=400,
            body=batch.answer(error="unreadable_events", remedy=str(error)),
            content_type="application/json",
        )
    return Accepted(answer=batch.answer(), bulk=_is_bulk(request))


_MISTAKES = (msgspec.DecodeError, UnicodeError, RecursionError, UnreadablePayload)


def _decode_report(raw: bytes) -> ReportedEvent:
    if len(raw) > VALUES_LIMIT:
        check_values(raw, "the event", most=VALUES_LIMIT)
    report: ReportedEvent = _decode(raw)
    if report.scope and (fault := fault_of_list_name(report.scope)) is not None:
        raise UnreadablePayload(f"scope {fault}: name the list or group, or leave scope out for all of them")
    return report


def _mistake(error: Exception) -> str:
    return "the event is nested too deeply to be read" if isinstance(error, RecursionError) else str(error)


def _check(raw: bytes, envelope: Envelope, account_from: str) -> str:
    """The event's name; raises one of _MISTAKES exactly where `parse` finds the event malformed.

    What the event means is not asked: that takes ten times as long, and nobody waits for it.
    """
    report = _decode_report(raw)
    if report.account is not None and account_from != ACCOUNT:
        _check_account(report.account, _read_event(report, raw, envelope), account_from)
    name, address = _name_and_address(report)
    if report.occurred_at is not None:
        _time(report.occurred_at)
    if normalise_recipient(address, report.channel) is None:
        raise _no_address(report)
    return name


def _check_account(named: str | int, event: FeedbackEvent, account_from: str) -> None:
    """Raises UnreadablePayload if the event names another account than the one it would be kept under.

    The source's secret lets a caller write into its account alone, unless the operator allows more.
    """
    kept = with_own_account(event, account_from, _ACCOUNT_PATHS).account if account_from else event.account
    if str(named).strip() != kept:
        raise UnreadablePayload(
            f"account {str(named)[:_SHOWN_CHARACTERS]!r} is not {kept!r}, under which this source keeps the event: "
            f'leave it out, or post to a source of that account, or to one with account_from = "{ACCOUNT}"'
        )


def _is_bulk(request: WebhookRequest) -> bool:
    """True if the script says `?bulk=1`: an import, which may wait. Nothing is gained by forging it."""
    return request.query.get("bulk", "").lower() not in {"", "0", "false", "no"}


def _nothing_readable(mistake: str) -> UnreadablePayload:
    return UnreadablePayload(f"{WHAT}: none of its events can be read; the first: {mistake}")


class _Meaning(Struct, frozen=True, gc=False):
    """The parts of an event that decide its kind."""

    kind: Kind
    cause: Cause
    recognised: bool = True
    failure: Classification | None = None


# Events that need nothing but their name.
_PLAIN: dict[str, _Meaning] = {
    name: _Meaning(kind, cause) for name, (kind, cause) in EVENTS.items() if name not in _FAILURES
}


def _name_and_address(report: ReportedEvent) -> tuple[str, str]:
    name, address = report.event, report.address
    if report.kind is not None:
        name = _other_name("event", name, "kind", report.kind)
    if report.recipient is not None:
        address = _other_name("address", address, "recipient", report.recipient)
    if not address:
        raise UnreadablePayload("the event names nobody: give an address")
    return _name_by_code(report) if name is None else name, address


def _read_event(report: ReportedEvent, raw: bytes, envelope: Envelope) -> FeedbackEvent:
    name, address = _name_and_address(report)
    stated = report.cause if report.cause is not Cause.NONE else None
    meaning = _PLAIN.get(name)
    if meaning is None or stated is not None:
        meaning = _meaning(report, name, stated)
    message_id, diagnostic, tags = report.message_id, report.diagnostic, report.tags
    key: tuple[str | bytes | None, ...]
    former_key: tuple[str | None, ...] | None = None
    if report.id is not None:
        key = ("id", str(report.id), address)
    elif message_id is None and report.occurred_at is None:
        key = (raw,)
    else:
        # The name as it was written: what a code without one means is a reading of ours.
        written = report.event or report.kind
        rest = (address, message_id, str(report.occurred_at), report.scope, str(report.smtp_code))
        key, former_key = (written, *rest), None if written == name else (name, *rest)
    event = new_event(
        envelope,
        raw,
        kind=meaning.kind,
        cause=meaning.cause,
        key=key,
        former_key=former_key,
        known_by_id=report.id is not None,
        address=address,
        vendor_event=name,
        recognised=meaning.recognised,
        vendor_time=None if report.occurred_at is None else _time(report.occurred_at),
        failure=meaning.failure,
        message_id=fit_text(message_id, MESSAGE_ID_LIMIT) if message_id else None,
        diagnostic=fit_text(diagnostic, DIAGNOSTIC_LIMIT) if diagnostic else None,
        scope=report.scope or None,
        way=report.way,
        machine=report.machine,
        tags=_tags(tags) if tags else (),
        metadata=metadata(report.metadata) if report.metadata else None,
        channel=report.channel,
        campaign=str(report.campaign) if report.campaign not in (None, "") else None,
    )
    if event.address is None:
        raise _no_address(report)
    return event


def _no_address(report: ReportedEvent) -> UnreadablePayload:
    # Not quoted, because reasons are logged and the text may contain too much.
    return UnreadablePayload(f"the event names nobody: its address is {_NO_ADDRESS[report.channel]}")


_NO_ADDRESS = {
    Channel.EMAIL: "no e-mail address; a telephone number needs channel sms",
    Channel.SMS: "no telephone number in full: write a plus sign, the country and the number",
}


def _other_name(first: str, value: str | None, second: str, other: str) -> str:
    if value is not None:
        raise UnreadablePayload(f"{first} and {second} are two names of one field: give one of them")
    return other


def _name_by_code(report: ReportedEvent) -> str:
    code = report.smtp_code
    if code is None:
        raise UnreadablePayload("the event does not say what happened: give event, or at least smtp_code")
    if code < 300:  # noqa: PLR2004 - RFC 5321: 2yz is success
        return Kind.DELIVERED
    # A 4yz that is not called final is most likely tried again.
    return BOUNCE if code >= 500 or report.final else Kind.DEFERRED  # noqa: PLR2004 - RFC 5321: 5yz is permanent


def _meaning(report: ReportedEvent, name: str, stated: Cause | None) -> _Meaning:
    known = EVENTS.get(name)
    if known is None:
        return _Meaning(Kind.OTHER, Cause.NONE, recognised=False)
    kind, cause = known
    if name not in _FAILURES:
        return _Meaning(kind, stated or cause)
    classification = classify(
        smtp_code=report.smtp_code,
        enhanced_status=report.enhanced_status,
        diagnostic=report.diagnostic,
        permanent=None,
        recipient=report.address or report.recipient,
    )
    if report.final is False or (name == Kind.DEFERRED and not report.final):
        kind, cause = Kind.DEFERRED, stated or classification.cause
    elif name in (BOUNCE, Kind.DEFERRED):
        cause = stated or classification.cause
        kind = bounce_kind(cause) if stated else classification.kind
    elif stated is not None:
        # A fault of the sender never counts against a contact, whatever the script calls it.
        kind, cause = Kind.BLOCKED if CAUSE_BLAME[stated] is Blame.SENDER else kind, stated
    elif classification.kind is kind and classification.cause is not Cause.UNDETERMINED:
        cause = classification.cause
    return _Meaning(kind, cause, failure=classification)


def _time(value: str | float) -> datetime:
    time = from_iso(value) if isinstance(value, str) else from_unix_seconds(value)
    if time is None:
        raise UnreadablePayload(f"occurred_at {str(value)[:40]!r} is neither RFC 3339 nor seconds since 1970")
    return time


def _tags(tags: list[str] | str) -> tuple[str, ...]:
    if isinstance(tags, str):
        tags = [tags]
    return tuple([fit_text(tag, WORD_LIMIT) for tag in tags[:TAGS_LIMIT] if tag])


PROVIDER = Provider(
    name=OWN_PROVIDER,
    title="Bouncekeeper's own JSON",
    documentation="https://json-schema.org/draft/2020-12/schema",
    proof="HMAC-SHA256 of time and body, Standard Webhooks, bearer or basic",
    secret_help="a long random text of your own, the same as in the script",
    schemes={
        "": HmacSignature(
            header=SIGNATURE_HEADER,
            prefix="sha256=",
            signed=SIGNED,
            timestamp_header=TIMESTAMP_HEADER,
            max_age_seconds=MAX_AGE_SECONDS,
        ),
        "standard_webhooks": StandardWebhooks(),
        "bearer": bearer_token(),
        "basic": BasicCredentials(),
    },
    batches=True,
    batch=_BATCH,
    account_paths=_ACCOUNT_PATHS,
    marks_bulk=True,
    campaign_fields=("campaign",),
    vocabulary=EVENTS | CAUSES,
    parse=parse,
    tailor=tailor,
)
