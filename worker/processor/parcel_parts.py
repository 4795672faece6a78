"""Parses a large parcel in parts: only one part is in memory at a time, however many events a body holds."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from schemas.envelope import Envelope, decode_envelope, decode_parcel
from worker.errors import SetAside
from worker.processor.parsing import ParsedParcels, parse_envelope, parse_parcel
from worker.providers.bound_sources import BoundSources

# Larger than a parcel of webhooks that arrived together (receiver.group_max_bytes): usually a single large body.
LARGE_PARCEL_BYTES = 1_200_000
_PART_BYTES = 1024 * 1024
_PART_ELEMENTS = 5_000


def parcel_parts(parcel: bytes, *, sources: BoundSources, now: datetime) -> Iterator[ParsedParcels]:
    """The result of parse_parcel in parts of about a megabyte. Never raises."""
    try:
        envelopes = [decode_envelope(blob) for blob in decode_parcel(parcel)]
    except msgspec.MsgspecError:
        parsed = ParsedParcels()
        parse_parcel(parcel, parsed, sources=sources, now=now)
        yield parsed
        return
    del parcel
    parsed, size_bytes = ParsedParcels(), 0
    for envelope in envelopes:
        for part in _divided(envelope, sources):
            is_part = part is not envelope
            parse_envelope(part, parsed, sources, is_part=is_part)
            size_bytes += len(part.body)
            if is_part or size_bytes >= _PART_BYTES or parsed.event_count >= _PART_ELEMENTS:
                yield parsed
                parsed, size_bytes = ParsedParcels(), 0
    if parsed.deliveries or parsed.set_aside:
        yield parsed


def _divided(envelope: Envelope, sources: BoundSources) -> Iterator[Envelope]:
    """The envelope with some of its elements at a time; the envelope itself if it cannot or need not be divided."""
    source = sources.of(envelope)
    is_divided = False
    if source is not None and len(envelope.body) > _PART_BYTES:
        try:
            for group in _groups(source.elements(envelope) or ()):
                yield msgspec.structs.replace(envelope, body=source.body_of(group))
                is_divided = True
        except SetAside:
            is_divided = False  # then the whole envelope follows, with the elements that were already given
        except Exception:  # noqa: BLE001 - a bug, on which the parser fails as well, and reports it
            is_divided = False
    if not is_divided:
        yield envelope


def _groups(elements: Iterable[bytes | msgspec.Raw]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size_bytes = 0
    for element in elements:
        raw = bytes(element)
        if group and (len(group) == _PART_ELEMENTS or size_bytes + len(raw) > _PART_BYTES):
            yield group
            group, size_bytes = [], 0
        group.append(raw)
        size_bytes += len(raw)
    if group:
        yield group
