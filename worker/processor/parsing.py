"""From parcels to events: each delivery is parsed by itself, and one that cannot be harms no other."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct

from schemas.envelope import Envelope, decode_envelope, decode_parcel
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from worker.errors import SetAside
from worker.logs import get_logger
from worker.providers.account_rule import with_own_account
from worker.providers.provider import Provider
from worker.store.replay_tokens import UsedToken

_log = get_logger()


class ParsedDelivery(Struct, frozen=True, kw_only=True, gc=False):
    """A webhook and the events that were in it."""

    envelope: Envelope
    events: list[FeedbackEvent]


class SetAsideDelivery(Struct, frozen=True, kw_only=True):
    """A delivery that goes to dead_letters, with the reason."""

    envelope: Envelope
    reason: str  # a short snake_case word
    detail: str  # a sentence for the operator


class ParsedParcels(Struct, kw_only=True):
    """What a number of parcels held. Grows while parcels are added."""

    deliveries: list[ParsedDelivery] = []
    set_aside: list[SetAsideDelivery] = []
    event_count: int = 0
    oldest_received_at: datetime | None = None


def parse_parcel(
    parcel: bytes,
    into: ParsedParcels,
    *,
    providers: Mapping[str, Provider],
    sources: Mapping[str, Source],
    now: datetime,
) -> None:
    """Adds the parcel's deliveries to `into`, as events or as set aside; never raises.

    A delivery of a source that is configured no more is read as one without options.
    """
    try:
        blobs = decode_parcel(parcel)
    except msgspec.MsgspecError as error:
        into.set_aside.append(unreadable(parcel, f"the queue message is no parcel of ours: {error}", now=now))
        return
    for blob in blobs:
        try:
            envelope = decode_envelope(blob)
        except msgspec.MsgspecError as error:
            into.set_aside.append(unreadable(blob, f"the parcel holds something that is no envelope: {error}", now=now))
            continue
        _parse_envelope(envelope, into, providers, sources)


def events_of(envelope: Envelope, provider: Provider, source: Source) -> list[FeedbackEvent]:
    """The delivery's events, each under the account that it belongs to; raises SetAside.

    The rule comes along with the envelope, as a worker may have been started before the source had one.
    """
    events = provider.parse(envelope, source)
    if rule := envelope.account_from or source.account_from:
        return [with_own_account(event, rule, provider.account_paths) for event in events]
    return events


def _parse_envelope(
    envelope: Envelope, into: ParsedParcels, providers: Mapping[str, Provider], sources: Mapping[str, Source]
) -> None:
    if into.oldest_received_at is None or envelope.received_at < into.oldest_received_at:
        into.oldest_received_at = envelope.received_at
    provider = providers.get(envelope.provider)
    if provider is None:
        detail = f"this version knows no provider {envelope.provider!r}: upgrade the workers, then replay"
        into.set_aside.append(SetAsideDelivery(envelope=envelope, reason="unknown_provider", detail=detail))
        return
    source = sources.get(envelope.source) or Source(
        name=envelope.source, provider=envelope.provider, account=envelope.account
    )
    try:
        events = events_of(envelope, provider, source)
    except SetAside as error:
        into.set_aside.append(SetAsideDelivery(envelope=envelope, reason="unreadable_payload", detail=str(error)))
        return
    except Exception as error:  # noqa: BLE001 - a defect of ours in one parser must not hold up every batch it is in
        _log.error(
            "parser.failed",
            source=envelope.source,
            provider=envelope.provider,
            delivery_id=str(envelope.delivery_id),
            exc_info=error,
        )
        detail = f"the parser failed on it ({type(error).__name__}): a defect, please report it; replay after the fix"
        into.set_aside.append(SetAsideDelivery(envelope=envelope, reason="parser_defect", detail=detail))
        return
    into.deliveries.append(ParsedDelivery(envelope=envelope, events=events))
    into.event_count += len(events)


def unreadable(body: bytes, detail: str, *, now: datetime, reason: str = "unreadable_envelope") -> SetAsideDelivery:
    """Bytes that are no envelope, as one: its id comes from the bytes, so that a redelivery meets itself."""
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
    if not envelope.replay_token:
        return None
    return UsedToken(
        token=envelope.replay_token,
        fingerprint=envelope.replay_fingerprint,
        expires_at=envelope.received_at + timedelta(seconds=envelope.replay_window_seconds),
    )


def unknown_names(parsed: ParsedParcels) -> Counter[tuple[str, str, str]]:
    """How often each vendor's name that this version does not know occurs: (source, provider, name)."""
    return Counter(
        (event.source, event.provider, event.vendor_event)
        for delivery in parsed.deliveries
        for event in delivery.events
        if not event.recognised
    )
