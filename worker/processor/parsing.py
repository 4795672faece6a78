"""Parses parcels into events. Each delivery is parsed by itself, so an unreadable one harms no other."""

import hashlib
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope, decode_envelope, decode_parcel
from schemas.feedback_event import FeedbackEvent
from worker.errors import SetAside, UnreadablePayload
from worker.process.logs import get_logger, text_field
from worker.providers.account_rule import with_own_account
from worker.providers.bound_source import BoundSource
from worker.providers.bound_sources import BoundSources
from worker.providers.campaign_rule import with_campaign
from worker.providers.payload.feedback import is_malformed
from worker.store.dead_letters import SetAsideDelivery
from worker.store.replay_tokens import UsedToken

_log = get_logger()


# The limit for all events of one delivery together, each with its own copy of the vendor's text.
_MOST_RAW_BYTES = 32 * 1024 * 1024
_SMALL_BODY_BYTES = 16 * 1024  # these take less, whatever they hold

UNREADABLE, UNREADABLE_EVENTS, DEFECT = "unreadable_payload", "unreadable_events", "parser_defect"


class ParsedDelivery(Struct, frozen=True, kw_only=True, gc=False):
    """A webhook and its events."""

    envelope: Envelope
    events: list[FeedbackEvent]
    is_part: bool = False  # one of several of a webhook, all with the webhook's id

    def set_aside(self, *, reason: str, detail: str) -> SetAsideDelivery:
        """The delivery as it goes to dead_letters. A part has an id of its own there."""
        if self.is_part:
            return _part(self.envelope, self.envelope.body, reason=reason, detail=detail)
        return SetAsideDelivery(envelope=self.envelope, reason=reason, detail=detail)


class ParsedParcels(Struct, kw_only=True):
    """The content of several parcels. Grows while parcels are added."""

    deliveries: list[ParsedDelivery] = []
    set_aside: list[SetAsideDelivery] = []
    event_count: int = 0
    oldest_received_at: datetime | None = None


def parse_parcel(
    parcel: bytes,
    into: ParsedParcels,
    *,
    sources: BoundSources,
    now: datetime,
) -> None:
    """Adds the parcel's deliveries to `into`, as events or as set-asides. Never raises."""
    try:
        blobs = decode_parcel(parcel)
    except msgspec.MsgspecError as error:
        into.set_aside.append(unreadable(parcel, f"the queue message is not one of our parcels: {error}", now=now))
        return
    for blob in blobs:
        try:
            envelope = decode_envelope(blob)
        except msgspec.MsgspecError as error:
            into.set_aside.append(
                unreadable(blob, f"the parcel holds something that is not an envelope: {error}", now=now)
            )
            continue
        parse_envelope(envelope, into, sources)


def events_of(envelope: Envelope, source: BoundSource) -> list[FeedbackEvent]:
    """The delivery's events, each under its account and campaign, and its malformed ones. Raises SetAside.

    The envelope brings the rule for accounts, because the source may have got its rule after this process started.
    Nothing that forbids mail depends on a campaign: that rule is the one of this process.
    """
    events = source.parse(envelope)
    if len(envelope.body) > _SMALL_BODY_BYTES and sum(len(event.raw) for event in events) > _MOST_RAW_BYTES:
        raise UnreadablePayload(
            f"its {len(events)} events would take over {_MOST_RAW_BYTES} bytes: an event that names many people is "
            "kept with each of them, and no vendor writes events that large"
        )
    if rule := envelope.account_from or source.source.account_from:
        events = [
            event if is_malformed(event) else with_own_account(event, rule, source.account_paths) for event in events
        ]
    if campaign_rule := source.source.campaign_from:
        events = [event if is_malformed(event) else with_campaign(event, campaign_rule) for event in events]
    return events


def parse_envelope(
    envelope: Envelope,
    into: ParsedParcels,
    sources: BoundSources,
    *,
    is_part: bool = False,
) -> None:
    """Adds the delivery, or a part of one, to `into`, as events or as set-asides. Never raises."""
    if into.oldest_received_at is None or envelope.received_at < into.oldest_received_at:
        into.oldest_received_at = envelope.received_at
    whole = ParsedDelivery(envelope=envelope, events=[], is_part=is_part)
    source = sources.of(envelope)
    if source is None:
        detail = f"this version knows no provider {envelope.provider!r}: upgrade the processors, then replay"
        into.set_aside.append(whole.set_aside(reason="unknown_provider", detail=detail))
        return
    try:
        events = events_of(envelope, source)
    except SetAside as error:
        into.set_aside.append(whole.set_aside(reason=UNREADABLE, detail=str(error)))
        return
    except Exception as error:  # noqa: BLE001 - a defect of ours in one parser must not hold up every batch it is in
        _log.error(
            "parser.failed",
            source=envelope.source,
            provider=envelope.provider,
            delivery_id=str(envelope.delivery_id),
            exc_info=error,
        )
        events, failed = _without_failures(envelope, source)
        defect = f"({type(error).__name__}): this is a bug, please report it; replay after the fix"
        if not events:
            into.set_aside.append(whole.set_aside(reason=DEFECT, detail=f"the parser failed on it {defect}"))
            return
        if failed:
            message = f"the parser failed on {len(failed)} events of delivery {envelope.delivery_id} {defect}"
            body = source.body_of(failed)
            into.set_aside.append(_part(envelope, body, reason=DEFECT, detail=message))
    bad = [event for event in events if not event.recognised and is_malformed(event)]
    if bad:
        # A mail server's words may stand in a reason, and addresses in those.
        reason = text_field(bad[0].diagnostic or "it is not what the vendor documents")
        if len(bad) == len(events):
            into.set_aside.append(whole.set_aside(reason=UNREADABLE, detail=f"{_first_of(len(bad))}{reason}"))
            return
        message = (
            f"{len(bad)} of the {len(events)} events of delivery {envelope.delivery_id} cannot be read; the first: "
        )
        body = source.body_of([event.raw for event in bad])
        into.set_aside.append(_part(envelope, body, reason=UNREADABLE_EVENTS, detail=message + reason))
        events = [event for event in events if not is_malformed(event)]
    into.deliveries.append(ParsedDelivery(envelope=envelope, events=events, is_part=is_part))
    into.event_count += len(events)


def _first_of(count: int) -> str:
    return f"none of its {count} events can be read; the first: " if count > 1 else ""


def _part(envelope: Envelope, body: bytes, *, reason: str, detail: str) -> SetAsideDelivery:
    """A part of the delivery as a delivery of its own. If the delivery comes again, the part has the same id."""
    name = hashlib.blake2b(envelope.delivery_id.bytes + body, digest_size=16).digest()
    part = msgspec.structs.replace(envelope, delivery_id=UUID(bytes=name), body=body)
    return SetAsideDelivery(envelope=part, reason=reason, detail=detail, part_of=envelope.delivery_id)


def _without_failures(envelope: Envelope, source: BoundSource) -> tuple[list[FeedbackEvent], list[bytes]]:
    """The events of the elements that the parser can read, and the bytes of the others.

    No events if the body cannot be divided, or if the parser fails on every element.
    """
    events: list[FeedbackEvent] = []
    failed: list[bytes] = []
    try:
        work = [[bytes(element) for element in source.elements(envelope) or ()]]
    except Exception:  # noqa: BLE001 - then the whole delivery is set aside
        return [], []
    while work:
        part = work.pop()
        try:
            events += events_of(msgspec.structs.replace(envelope, body=source.body_of(part)), source)
        except Exception:  # noqa: BLE001 - the same error as before, already logged
            if len(part) == 1:
                failed += part
            elif part:
                work += [part[len(part) // 2 :], part[: len(part) // 2]]
    return events, failed


def unreadable(body: bytes, detail: str, *, now: datetime, reason: str = "unreadable_envelope") -> SetAsideDelivery:
    """An envelope for bytes that are not one. Its id follows from the bytes, so that a redelivery has the same id."""
    envelope = Envelope(
        delivery_id=UUID(bytes=hashlib.blake2b(body, digest_size=16).digest()),
        source="",
        provider="",
        account="",
        received_at=now,
        content_type="application/octet-stream",
        headers={},
        body=body,
    )
    return SetAsideDelivery(envelope=envelope, reason=reason, detail=detail)


def used_token(envelope: Envelope) -> UsedToken | None:
    """The one-time token that the delivery's vendor signed; None for vendors that sign the body."""
    token = envelope.one_time_token
    if token is None:
        return None
    expires_at = envelope.received_at + timedelta(seconds=token.window_seconds)
    return UsedToken(token=token.signed, fingerprint=token.used_for, expires_at=expires_at)


def unknown_names(parsed: ParsedParcels) -> Counter[tuple[str, str, str]]:
    """How often each event name that this version does not know occurs: (source, provider, name)."""
    return Counter(
        (event.source, event.provider, event.vendor_event)
        for delivery in parsed.deliveries
        for event in delivery.events
        if not event.recognised
    )
