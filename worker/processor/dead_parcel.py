"""Turns a parcel that is given up into deliveries to set aside."""

from datetime import datetime

import msgspec

from schemas.envelope import decode_envelope, decode_parcel
from worker.processor.parsing import unreadable
from worker.store.dead_letters import SetAsideDelivery


def dead_deliveries(parcel: bytes, *, reason: str, detail: str, now: datetime) -> list[SetAsideDelivery]:
    """The parcel's envelopes, each as a delivery to set aside; bytes that are not an envelope are kept unchanged."""
    try:
        blobs = decode_parcel(parcel)
    except msgspec.MsgspecError as error:
        return [unreadable(parcel, f"{detail}; and it is not one of our parcels: {error}", now=now, reason=reason)]
    deliveries = []
    for blob in blobs:
        try:
            deliveries.append(SetAsideDelivery(envelope=decode_envelope(blob), reason=reason, detail=detail))
        except msgspec.MsgspecError as error:
            deliveries.append(
                unreadable(blob, f"{detail}; and it is not one of our envelopes: {error}", now=now, reason=reason)
            )
    return deliveries
