"""A provider by configuration: a source of provider `described` has a description of its vendor.

The option `description` of the source is the TOML text (worker.providers.described.description); in the configuration
file it is the name of a file with that text. The provider of the events is the name in the description.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import msgspec

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import ImpossibleSetting, UnreadablePayload
from worker.providers.authentication.freshness import TIME_OPTIONS
from worker.providers.authentication.scheme import is_open
from worker.providers.authentication.source_options import Form, checked_elsewhere
from worker.providers.bound_source import BoundSource
from worker.providers.classification.failure import Classification, classify
from worker.providers.described.description import (
    BOUNCE,
    CompiledDescription,
    Meaning,
    compile_description,
)
from worker.providers.described.description_remarks import remarks_on
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody, Element, json_array
from worker.providers.payload.feedback import malformed, new_event, read_elements
from worker.providers.payload.form_payload import decode_form
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider
from worker.providers.remark import Remark

DESCRIPTION = checked_elsewhere(
    "description", None, lambda value: value if isinstance(value, str) else None, form=Form.FILE
)
_MOST_ADDRESSES = 1_000  # of one event
_MOST_VALUES = 250_000  # if an expression searches the whole body
_NAME_OR_NOTHING = re.compile(r"(?:[A-Za-z_]\w*)?", re.ASCII)

_UNKNOWN = Meaning(kind=Kind.OTHER, cause=Cause.NONE)
_VERDICTS: dict[str, bool] = {Kind.HARD_BOUNCE: True, Kind.SOFT_BOUNCE: False}
_FAILURES = frozenset({BOUNCE, Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.BLOCKED, Kind.DEFERRED})
# The causes if the description names none and the vendor sends neither codes nor words.
_USUAL_CAUSES: dict[Kind, Cause] = {
    Kind.COMPLAINT: Cause.ABUSE_REPORT,
    Kind.DROPPED: Cause.SUPPRESSED_BY_PROVIDER,
}


def check_description(source: Source) -> list[str]:
    """The mistakes in the description, or in the secrets for its scheme."""
    text = DESCRIPTION.of(source)
    if text is None:
        return ['no description: write description = "FILE.toml", see docs/providers/described.md']
    try:
        compiled = compile_description(text)
    except ImpossibleSetting as mistake:
        return [f"description: {mistake}"]
    return compiled.description.authentication.check_secrets(source)


def remark(source: Source) -> list[Remark]:
    """Remarks on the description and its omissions."""
    text = DESCRIPTION.of(source)
    what = f"description of {source.name}"
    return [] if text is None else remarks_on(compile_description(text).description, what)


def tailor(bound: BoundSource) -> BoundSource:
    """Authenticates and parses as the source's description says."""
    text = DESCRIPTION.of(bound.source)
    if text is None:
        return bound
    try:
        compiled = compile_description(text)
    except ImpossibleSetting as mistake:
        return msgspec.structs.replace(bound, parse=partial(_refuse_to_parse, mistake=str(mistake)))
    if not is_open(bound.source):
        bound = bound.proved_by(compiled.description.authentication)
    return msgspec.structs.replace(
        bound,
        parse=partial(_parse, compiled),
        elements=partial(_elements, compiled),
        body_of=partial(_body_of, compiled),
    )


def parse_undescribed(envelope: Envelope) -> list[FeedbackEvent]:
    """Never parses: raises UnreadablePayload."""
    raise UnreadablePayload(
        f"source {envelope.source!r} has no description here: configure it for the processors too, then replay"
    )


def _refuse_to_parse(envelope: Envelope, *, mistake: str) -> list[FeedbackEvent]:
    raise UnreadablePayload(f"the description of source {envelope.source!r} cannot be used: {mistake}")


def _parse(compiled: CompiledDescription, envelope: Envelope) -> list[FeedbackEvent]:
    """An event for each recipient of each described element; raises UnreadablePayload."""
    labelled = msgspec.structs.replace(envelope, provider=compiled.description.name)
    if compiled.description.payload.format == "json_lines":
        return [event for line in _lines(compiled, envelope.body) for event in _read_line(compiled, line, labelled)]
    elements = _array(compiled, envelope.body)
    if elements is not None:
        return read_elements(elements, labelled, partial(_read_element, compiled))
    values = _search(compiled, _document(compiled, envelope.body))
    return [event for element in values for event in _read(compiled, element, labelled)]


def _elements(compiled: CompiledDescription, envelope: Envelope) -> Iterable[Element] | None:
    """The elements of an array, or the lines of NDJSON; None if an expression must search for the events."""
    is_lines = compiled.description.payload.format == "json_lines"
    return _lines(compiled, envelope.body) if is_lines else _array(compiled, envelope.body)


def _body_of(compiled: CompiledDescription, elements: Sequence[Element]) -> bytes:
    """A body in the described shape."""
    payload = compiled.description.payload
    if payload.format == "json_lines":
        return b"\n".join(bytes(element) for element in elements)
    array = json_array(elements)
    return b"{%b:%b}" % (msgspec.json.encode(payload.events), array) if payload.events else array


def _lines(compiled: CompiledDescription, body: bytes) -> list[bytes]:
    """The lines of NDJSON; raises UnreadablePayload if the first line is not JSON."""
    lines = json_payload.split_lines(body, _what(compiled))
    if lines and lines[0][:1] not in {b"{", b"["}:
        raise UnreadablePayload(f"{_what(compiled)}: its first line is no JSON")
    return lines


def _read_line(compiled: CompiledDescription, line: bytes, envelope: Envelope) -> list[FeedbackEvent]:
    try:
        values = _search(compiled, json_payload.decode_json(line, _what(compiled)))
    except UnreadablePayload as error:
        return [malformed(envelope, line, reason=str(error))]
    return [event for element in values for event in _read(compiled, element, envelope)]


def _array(compiled: CompiledDescription, body: bytes) -> Sequence[Element] | None:
    """The elements of an array that is the body or a field of it; None if an expression must search for the events.

    Raises UnreadablePayload.
    """
    payload, what = compiled.description.payload, _what(compiled)
    if payload.format != "json" or not _NAME_OR_NOTHING.fullmatch(payload.events):
        return None
    elements = BatchBody(what, inside=payload.events).elements(body)
    if payload.events and (body.lstrip()[:1] == b"[" or (len(elements) == 1 and bytes(elements[0]) == body.strip())):
        raise UnreadablePayload(f"{what}: no event was found in it")  # it has no such field
    return elements


def _document(compiled: CompiledDescription, body: bytes) -> Any:
    """The body, decoded whole; raises UnreadablePayload."""
    payload, what = compiled.description.payload, _what(compiled)
    if payload.format == "json":
        return json_payload.decode_json(body, what, most_values=_MOST_VALUES)
    form = decode_form(body, what)
    if not payload.form_field:
        return form
    inner = form.get(payload.form_field, "").encode("utf-8", "replace")
    return json_payload.decode_json(inner, what, most_values=_MOST_VALUES)


def _search(compiled: CompiledDescription, document: Any) -> list[Any]:
    values = document if compiled.events is None else compiled.events.search(document)
    if not isinstance(values, (list, dict)):
        raise UnreadablePayload(f"{_what(compiled)}: no event was found in it")
    return values if isinstance(values, list) else [values]


def _what(compiled: CompiledDescription) -> str:
    return f"webhook body described as {compiled.description.name}"


def _read_element(
    compiled: CompiledDescription, values: dict[str, Any], raw: bytes, envelope: Envelope
) -> list[FeedbackEvent]:
    del raw  # it is encoded anew, as for events that an expression finds
    return _read(compiled, values, envelope)


def _read(compiled: CompiledDescription, element: Any, envelope: Envelope) -> list[FeedbackEvent]:
    raw = msgspec.json.encode(element)
    fields = compiled.fields
    # Two searches show whether it is an event at all, however many fields are described.
    values = {field: fields[field].search(element) for field in ("event", "address")}
    name = json_payload.text(values, "event", json_payload.WORD_LIMIT)
    addresses = values["address"]
    if isinstance(addresses, str):
        addresses = [addresses]
    if name is None or not isinstance(addresses, list) or len(addresses) > _MOST_ADDRESSES:
        return [malformed(envelope, raw, reason="nothing in it is what the description says of event and address")]
    values |= {field: path.search(element) for field, path in fields.items() if field not in values}
    event_class = json_payload.text(values, "event_class", json_payload.WORD_LIMIT)
    meanings = compiled.description.events
    full_name = f"{name}/{event_class}" if event_class else name
    meaning = meanings.get(full_name) or meanings.get(name)
    kind, cause, failure = _settle(meaning or _UNKNOWN, values)
    if _truth(values.get("test")):
        kind, cause = Kind.OTHER, Cause.TEST
    occurred_at = values.get("occurred_at")
    identity = json_payload.text(values, "id", json_payload.MESSAGE_ID_LIMIT)
    return [
        new_event(
            envelope,
            raw,
            kind=kind,
            cause=cause,
            key=(full_name, identity or raw, address),
            address=address,
            vendor_event=full_name,
            recognised=meaning is not None,
            vendor_time=from_unix_seconds(occurred_at) or from_iso(occurred_at) or _from_mail_date(occurred_at),
            failure=failure,
            message_id=json_payload.text(values, "message_id", json_payload.MESSAGE_ID_LIMIT),
            diagnostic=json_payload.text(values, "diagnostic"),
            scope=json_payload.text(values, "scope", json_payload.WORD_LIMIT),
            machine=_truth(values.get("machine")),
            tags=json_payload.tags(values, "tags"),
            metadata=json_payload.metadata(values.get("metadata")),
            channel=compiled.description.channel,
            campaign=json_payload.text(values, "campaign"),
        )
        for address in addresses
        if isinstance(address, str)
    ] or [malformed(envelope, raw, reason="its list of addresses holds no text")]


def _settle(meaning: Meaning, values: Mapping[str, Any]) -> tuple[Kind, Cause, Classification | None]:
    if meaning.kind not in _FAILURES:
        kind = Kind(meaning.kind)
        return kind, meaning.cause or _USUAL_CAUSES.get(kind, Cause.NONE), None
    failure = classify(
        smtp_code=json_payload.integer(values, "smtp_code"),
        enhanced_status=json_payload.text(values, "enhanced_status"),
        diagnostic=json_payload.text(values, "diagnostic"),
        permanent=_VERDICTS.get(meaning.kind),
        recipient=json_payload.text(values, "address"),  # None if there are several, in an array
    )
    cause = meaning.cause or failure.cause
    kind = failure.kind if meaning.kind == BOUNCE else Kind(meaning.kind)
    return kind, cause, failure


def _truth(value: Any) -> bool:
    if isinstance(value, str):
        return value.lower() not in {"", "false"}
    return value is True or (isinstance(value, list) and bool(value))


def _from_mail_date(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) > json_payload.WORD_LIMIT:
        return None
    try:
        return from_iso(parsedate_to_datetime(value).isoformat())
    except (ValueError, IndexError, OverflowError, TypeError):
        return None


PROVIDER = Provider(
    name="described",
    title="A provider that you describe",
    documentation="https://jmespath.org",
    proof="as described: HMAC, public key, Standard Webhooks, basic, bearer, header, query",
    secret_help="the secret that the description's scheme asks for",
    own_proof=True,  # the scheme of the description
    batches=True,
    vocabulary={},  # each description has its own
    options=(DESCRIPTION, *TIME_OPTIONS),
    parse=parse_undescribed,
    tailor=tailor,
    check_also=check_description,
    remark=remark,
    no_sample="none can be made for this description; use `sources try`",
)
