"""Makes FeedbackEvents for parsers: the fields that come from the envelope are filled in here for all providers."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import msgspec

from schemas.address import normalise_recipient
from schemas.campaign import campaign_name
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.list_name import salvage_list_name
from schemas.vocabulary import Cause, Channel, Kind, Way
from worker.errors import UnreadablePayload
from worker.providers.classification.failure import Classification
from worker.providers.payload.batch_body import Element
from worker.providers.payload.event_key import make_event_key
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, VALUES_LIMIT, WORD_LIMIT, fit_text
from worker.providers.payload.json_size import check_values
from worker.providers.payload.vendor_time import settle_occurred_at

# The vendor_event of an element that cannot be read; the reason, if known, is the diagnostic.
MALFORMED = "malformed"

_decode_element = msgspec.json.Decoder().decode


def new_event(
    envelope: Envelope,
    raw: bytes,
    *,
    kind: Kind,
    key: Iterable[object],
    address: str | None,
    vendor_event: str,
    vendor_time: datetime | None,
    cause: Cause = Cause.NONE,
    recognised: bool = True,
    failure: Classification | None = None,
    message_id: str | None = None,
    diagnostic: str | None = None,
    scope: str | None = None,
    way: Way | None = None,
    machine: bool = False,
    tags: tuple[str, ...] = (),
    metadata: dict[str, Any] | None = None,
    channel: Channel = Channel.EMAIL,
    known_by_id: bool = False,
    former_key: Iterable[object] | None = None,
    campaign: str | None = None,
) -> FeedbackEvent:
    """The event of the bytes `raw`.

    `key` identifies this one event at the vendor and never changes when the vendor sends it again: the vendor's id if
    that is unique per recipient and event, otherwise the fields that distinguish it, as texts or as they came in JSON.
    The account is added here. No part of the key may be an interpretation of ours: a kind, a cause, a name from a table
    of ours, an address that is used or not depending on the meaning of the event. Otherwise the same words would be
    another event for a version that reads them differently. `former_key` are the parts that a former version used.
    With `known_by_id` a repeat may name another time, or none. `address` is as the vendor wrote it. `failure` gives
    the two codes; kind and cause are the caller's. `vendor_event` is cut here, and `scope` and `campaign` get their one
    spelling; `json_payload` has made the other texts fit.
    """
    occurred_at, arrival_dated = settle_occurred_at(vendor_time, envelope.received_at)
    return FeedbackEvent(  # in the order of the fields: see there
        make_event_key([envelope.account, *key]),
        envelope.provider,
        envelope.source,
        envelope.account,
        normalise_recipient(address, channel) if address is not None else None,
        kind,
        occurred_at,
        envelope.received_at,
        envelope.delivery_id,
        cause,
        channel,
        arrival_dated,
        fit_text(vendor_event, WORD_LIMIT),
        recognised,
        message_id,
        failure.smtp_code if failure is not None else None,
        failure.enhanced_status if failure is not None else None,
        diagnostic,
        None if scope is None else salvage_list_name(scope),
        machine,
        tags,
        metadata,
        raw,
        way,
        vendor_time if arrival_dated else None,
        known_by_id,
        None if former_key is None else make_event_key([envelope.account, *former_key]),
        None if campaign is None else campaign_name(campaign),
    )


def malformed(envelope: Envelope, raw: bytes, *, reason: str | None = None) -> FeedbackEvent:
    """A placeholder for an element that cannot be read, among the events of the others.

    It never takes effect: the caller of the parser sets its `raw` aside (is_malformed).
    """
    return new_event(
        envelope,
        raw,
        kind=Kind.OTHER,
        key=(raw,),
        address=None,
        vendor_event=MALFORMED,
        vendor_time=None,
        recognised=False,
        diagnostic=fit_text(reason, DIAGNOSTIC_LIMIT) if reason else None,
    )


def is_malformed(event: FeedbackEvent) -> bool:
    """True for a result of `malformed`; False for a vendor's own event of that name."""
    return event.vendor_event == MALFORMED and event.address is None and not event.recognised


def read_elements(
    elements: Iterable[Element],
    envelope: Envelope,
    read: Callable[[dict[str, Any], bytes, Envelope], FeedbackEvent | list[FeedbackEvent] | None],
) -> list[FeedbackEvent]:
    """The events of the elements of a batch, which are JSON objects for `read`.

    An element that is not an object, that has more than 100,000 values, or for which `read` returns None or raises
    UnreadablePayload, becomes `malformed`: one bad element never spoils the others. `read` returns a list for an
    element about several recipients.
    """
    events = []
    for element in elements:
        raw = bytes(element)
        try:
            if len(raw) > VALUES_LIMIT:
                check_values(raw, "an element", most=VALUES_LIMIT)
            values = _decode_element(raw)
            event = read(values, raw, envelope) if isinstance(values, dict) else None
        except RecursionError:
            event = malformed(envelope, raw, reason="the JSON is nested too deeply to be read")
        except (msgspec.DecodeError, UnicodeError, UnreadablePayload) as error:
            event = malformed(envelope, raw, reason=str(error))
        if isinstance(event, list):
            events += event
        elif event is None:
            events.append(malformed(envelope, raw, reason="it is not what the vendor documents"))
        else:
            events.append(event)
    return events
