"""A large parcel, parsed in parts: in memory is one of them at a time, however many events a body holds."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from schemas.envelope import Envelope, decode_envelope, decode_parcel
from schemas.source import Source
from worker.errors import SetAside
from worker.processor.parsing import ParsedParcels, parse_envelope, parse_parcel, source_of
from worker.providers.provider import Provider

# Above what webhooks that came together share (receiver.group_max_bytes): a single large body, as a rule.
LARGE_PARCEL_BYTES = 1_200_000
_PART_BYTES = 1024 * 1024
_PART_ELEMENTS = 5_000


def parcel_parts(
    parcel: bytes, *, providers: Mapping[str, Provider], sources: Mapping[str, Source], now: datetime
) -> Iterator[ParsedParcels]:
    """What parse_parcel makes of the parcel, in parts of about a megabyte; never raises."""
    try:
        envelopes = [decode_envelope(blob) for blob in decode_parcel(parcel)]
    except msgspec.MsgspecError:
        parsed = ParsedParcels()
        parse_parcel(parcel, parsed, providers=providers, sources=sources, now=now)
        yield parsed
        return
    del parcel
    parsed, size_bytes = ParsedParcels(), 0
    for envelope in envelopes:
        for part in _divided(envelope, providers, sources):
            is_part = part is not envelope
            parse_envelope(part, parsed, providers, sources, is_part=is_part)
            size_bytes += len(part.body)
            if is_part or size_bytes >= _PART_BYTES or parsed.event_count >= _PART_ELEMENTS:
                yield parsed
                parsed, size_bytes = ParsedParcels(), 0
    if parsed.deliveries or parsed.set_aside:
        yield parsed


def _divided(
    envelope: Envelope, providers: Mapping[str, Provider], sources: Mapping[str, Source]
) -> Iterator[Envelope]:
    """The envelope with some of its elements at a time; the envelope itself where it cannot or need not be divided."""
    provider = providers.get(envelope.provider)
    is_divided = False
    if provider is not None and len(envelope.body) > _PART_BYTES:
        source = source_of(envelope, sources)
        try:
            for group in _groups(provider.elements(envelope, source) or ()):
                yield msgspec.structs.replace(envelope, body=provider.body_of(group, source))
                is_divided = True
        except SetAside:
            is_divided = False  # then all of it is, once more what was taken of it so far
        except Exception:  # noqa: BLE001 - a defect, which the parser meets as well, and which is told there
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
