"""A provider by configuration: a source of provider `described` brings its vendor's description along.

The option `description` of the source is the TOML text of worker.providers.described.description; in the
configuration file it names the file that holds it. Events are labelled with the description's own name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, ClassVar

import msgspec

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.source import Source
from schemas.vocabulary import Cause, Kind
from worker.errors import ImpossibleSetting, UnreadablePayload
from worker.providers.authentication.freshness import TIME_OPTIONS
from worker.providers.authentication.scheme import Scheme, check_common, is_open
from worker.providers.authentication.source_options import check_options
from worker.providers.classification.failure import Classification, classify
from worker.providers.described.description import (
    BOUNCE,
    Compiled,
    Meaning,
    compile_description,
)
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody, Element, json_array
from worker.providers.payload.feedback import malformed, new_event, read_elements
from worker.providers.payload.form_payload import decode_form
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.webhook_provider import WebhookProvider

DESCRIPTION_OPTION = "description"
_MOST_ADDRESSES = 1_000  # of one event
_MOST_VALUES = 250_000  # where an expression looks at the whole body
_NAME_OR_NOTHING = re.compile(r"(?:[A-Za-z_]\w*)?", re.ASCII)

_UNKNOWN = Meaning(kind=Kind.OTHER, cause=Cause.NONE)
_VERDICTS: dict[str, bool] = {Kind.HARD_BOUNCE: True, Kind.SOFT_BOUNCE: False}
_FAILURES = frozenset({BOUNCE, Kind.HARD_BOUNCE, Kind.SOFT_BOUNCE, Kind.BLOCKED, Kind.DEFERRED})
# What says why, where the description names no cause and there are no codes or words to ask.
_USUAL_CAUSES: dict[Kind, Cause] = {
    Kind.COMPLAINT: Cause.ABUSE_REPORT,
    Kind.DROPPED: Cause.SUPPRESSED_BY_PROVIDER,
}


class Described(WebhookProvider):
    """See worker.providers.webhook_provider.WebhookProvider; nearly all of it is told by the source."""

    name: ClassVar[str] = "described"
    title: ClassVar[str] = "A provider that you describe"
    documentation: ClassVar[str] = "https://jmespath.org"
    proof: ClassVar[str] = "as described: HMAC, public key, Standard Webhooks, basic, bearer, header, query"
    secret_help: ClassVar[str] = "the secret that the description's scheme asks for"  # noqa: S105 - a text about secrets
    schemes: ClassVar[Mapping[str, Scheme]] = {}
    batches: ClassVar[bool] = True
    account_paths: ClassVar[Mapping[str, str]] = {}
    vocabulary: ClassVar[Mapping[str, tuple[Kind, Cause]]] = {}

    def check_source(self, source: Source) -> list[str]:
        """What is wrong with the source or with its description, each with its remedy."""
        problems = check_common(source, secret_help=f"add {self.secret_help}")
        problems += check_options(source, seconds=TIME_OPTIONS, others=(DESCRIPTION_OPTION,))
        text = source.options.get(DESCRIPTION_OPTION)
        if not isinstance(text, str):
            return [*problems, 'no description: write description = "FILE.toml", see docs/providers/described.md']
        try:
            compiled = compile_description(text)
        except ImpossibleSetting as mistake:
            return [*problems, f"description: {mistake}"]
        return problems + compiled.description.authentication.check_secrets(source)

    def scheme_of(self, source: Source) -> Scheme | None:
        """The scheme of the source's description."""
        return None if is_open(source) else _compiled(source).description.authentication

    def parse(self, envelope: Envelope, source: Source) -> list[FeedbackEvent]:
        """An event for each recipient of each described element; raises UnreadablePayload."""
        compiled = _compiled(source)
        labelled = msgspec.structs.replace(envelope, provider=compiled.description.name)
        if compiled.description.payload.format == "json_lines":
            return [event for line in _lines(compiled, envelope.body) for event in _read_line(compiled, line, labelled)]
        elements = _array(compiled, envelope.body)
        if elements is not None:
            return read_elements(elements, labelled, partial(_read_element, compiled))
        found = _search(compiled, _document(compiled, envelope.body))
        return [event for element in found for event in _read(compiled, element, labelled)]

    def elements(self, envelope: Envelope, source: Source) -> Iterable[Element] | None:
        """Those of an array, or the lines of NDJSON, each perhaps of several; None where an expression finds them."""
        compiled = _compiled(source)
        is_lines = compiled.description.payload.format == "json_lines"
        return _lines(compiled, envelope.body) if is_lines else _array(compiled, envelope.body)

    def body_of(self, elements: Sequence[Element], source: Source) -> bytes:
        """A body in the shape that is described."""
        payload = _compiled(source).description.payload
        if payload.format == "json_lines":
            return b"\n".join(bytes(element) for element in elements)
        array = json_array(elements)
        return b"{%b:%b}" % (msgspec.json.encode(payload.events), array) if payload.events else array


PROVIDER = Described()


def _compiled(source: Source) -> Compiled:
    text = source.options.get(DESCRIPTION_OPTION)
    if not isinstance(text, str):
        raise UnreadablePayload(
            f"source {source.name!r} has no description here: configure it for the workers too, then replay"
        )
    try:
        return compile_description(text)
    except ImpossibleSetting as mistake:
        raise UnreadablePayload(f"the description of source {source.name!r} cannot be used: {mistake}") from mistake


def _lines(compiled: Compiled, body: bytes) -> list[bytes]:
    """The lines of NDJSON; raises UnreadablePayload where the first of them cannot be one."""
    lines = json_payload.split_lines(body, _what(compiled))
    if lines and lines[0][:1] not in {b"{", b"["}:
        raise UnreadablePayload(f"{_what(compiled)}: its first line is no JSON")
    return lines


def _read_line(compiled: Compiled, line: bytes, envelope: Envelope) -> list[FeedbackEvent]:
    try:
        found = _search(compiled, json_payload.decode_json(line, _what(compiled)))
    except UnreadablePayload as error:
        return [malformed(envelope, line, reason=str(error))]
    return [event for element in found for event in _read(compiled, element, envelope)]


def _array(compiled: Compiled, body: bytes) -> Sequence[Element] | None:
    """The events of an array that is the body, or stands in a field of it; None where they must be searched for.

    Raises UnreadablePayload.
    """
    payload, what = compiled.description.payload, _what(compiled)
    if payload.format != "json" or not _NAME_OR_NOTHING.fullmatch(payload.events):
        return None
    elements = BatchBody(what, inside=payload.events).elements(body)
    if payload.events and (body.lstrip()[:1] == b"[" or (len(elements) == 1 and bytes(elements[0]) == body.strip())):
        raise UnreadablePayload(f"{what}: no event was found in it")  # it has no such field
    return elements


def _document(compiled: Compiled, body: bytes) -> Any:
    """The body, decoded whole; raises UnreadablePayload."""
    payload, what = compiled.description.payload, _what(compiled)
    if payload.format == "json":
        return json_payload.decode_json(body, what, most_values=_MOST_VALUES)
    form = decode_form(body, what)
    if not payload.form_field:
        return form
    inner = form.get(payload.form_field, "").encode("utf-8", "replace")
    return json_payload.decode_json(inner, what, most_values=_MOST_VALUES)


def _search(compiled: Compiled, document: Any) -> list[Any]:
    found = document if compiled.events is None else compiled.events.search(document)
    if not isinstance(found, (list, dict)):
        raise UnreadablePayload(f"{_what(compiled)}: no event was found in it")
    return found if isinstance(found, list) else [found]


def _what(compiled: Compiled) -> str:
    return f"webhook body described as {compiled.description.name}"


def _read_element(compiled: Compiled, values: dict[str, Any], raw: bytes, envelope: Envelope) -> list[FeedbackEvent]:
    del raw  # an event's own is written anew, as it is for those that were searched for
    return _read(compiled, values, envelope)


def _read(compiled: Compiled, element: Any, envelope: Envelope) -> list[FeedbackEvent]:
    raw = msgspec.json.encode(element)
    fields = compiled.fields
    # Whatever names no event is told apart by two searches, however many fields are described.
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
        recipient=json_payload.text(values, "address"),  # None of several, who are in an array
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
