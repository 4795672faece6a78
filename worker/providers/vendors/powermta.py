"""PowerMTA: accounting records, as the CSV of its files or as a JSON array of the same records.

https://jnotes.github.io/pmta-doc (the User's Guide of 5.0: accounting, bounce categories)

PowerMTA posts no events itself: a script carries its files (docs/providers/powermta.md), or Postmastery's webhook posts
the records as JSON (https://www.postmastery.com/infrastructure/powermta-webhook). The operator chooses the columns, and
their names vary in case; they are read in lower case, and an event's raw form is the row as JSON under those names.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.address import normalise_address
from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, bearer_token
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import Classification, classify
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody, Element
from worker.providers.payload.feedback import malformed, new_event, read_elements
from worker.providers.payload.json_payload import ELEMENTS_LIMIT, WORD_LIMIT
from worker.providers.payload.vendor_time import from_iso, from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# docs/providers/powermta.md: the script that posts the files shows a token

SCHEMES: dict[str, Scheme] = {"": bearer_token(), "basic": BasicCredentials()}

# -- What its events are -------------------------------------------------------------------------------------
# https://hackmd.io/@z3d3m0n/Pmta_records

_BOUNCED = (Kind.SOFT_BOUNCE, Cause.UNDETERMINED)  # the words, codes and category say which bounce it was
RECORDS: dict[str, tuple[Kind, Cause]] = {
    "d": (Kind.DELIVERED, Cause.NONE),
    "b": _BOUNCED,
    "rb": _BOUNCED,  # a bounce mail that came back
    "rs": (Kind.OTHER, Cause.NONE),  # a status mail that came back: by its dsnAction
    "t": (Kind.DEFERRED, Cause.UNDETERMINED),
    "tq": (Kind.OTHER, Cause.NONE),  # a whole queue is deferred: nobody's
    "r": (Kind.ACCEPTED, Cause.NONE),
    "f": (Kind.COMPLAINT, Cause.ABUSE_REPORT),  # a feedback-loop report: by its feedbackType
}
# The names of RFC 3464. `relayed`: another server took it that tells no more.
ACTIONS: dict[str, tuple[Kind, Cause]] = {
    "failed": _BOUNCED,
    "delayed": (Kind.DEFERRED, Cause.UNDETERMINED),
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "relayed": (Kind.DELIVERED, Cause.NONE),
    "expanded": (Kind.OTHER, Cause.NONE),
}
# https://www.iana.org/assignments/marf-parameters/marf-parameters.xhtml; JMRP's own format has no type.
FEEDBACK_TYPES: dict[str, tuple[Kind, Cause]] = {
    "": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "abuse": (Kind.COMPLAINT, Cause.ABUSE_REPORT),
    "fraud": (Kind.COMPLAINT, Cause.FRAUD_REPORT),
    "virus": (Kind.OTHER, Cause.NONE),
    "auth-failure": (Kind.OTHER, Cause.NONE),
    "not-spam": (Kind.OTHER, Cause.NONE),
    "other": (Kind.OTHER, Cause.NONE),
}

# -- Why -----------------------------------------------------------------------------------------------------
# https://jnotes.github.io/pmta-doc (bounce categories). Operators add their own by <bounce-category-patterns>.

CATEGORIES: dict[str, tuple[Kind, Cause]] = {
    "bad-mailbox": (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    "inactive-mailbox": (Kind.HARD_BOUNCE, Cause.MAILBOX_DISABLED),
    "bad-domain": (Kind.HARD_BOUNCE, Cause.DOMAIN_DOES_NOT_EXIST),
    "quota-issues": (Kind.SOFT_BOUNCE, Cause.MAILBOX_FULL),
    "no-answer-from-host": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "bad-connection": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "routing-errors": (Kind.SOFT_BOUNCE, Cause.CONNECTION_FAILED),
    "message-expired": (Kind.SOFT_BOUNCE, Cause.EXPIRED),
    "other": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),
    "spam-related": (Kind.BLOCKED, Cause.SENDER_REPUTATION),
    "policy-related": (Kind.BLOCKED, Cause.POLICY),
    "content-related": (Kind.BLOCKED, Cause.CONTENT),
    "virus-related": (Kind.BLOCKED, Cause.VIRUS),
    "relaying-issues": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "invalid-sender": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "protocol-errors": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
    "bad-configuration": (Kind.BLOCKED, Cause.SENDER_CONFIGURATION),
}

# -- How it is read ------------------------------------------------------------------------------------------

WHAT = "PowerMTA accounting records"
_LARGEST_RECORD_CHARACTERS = 64 * 1024
_CUSTOM = "header_"  # the columns of headers that the operator asked for
_OLD_TIME = "%m/%d/%Y %H:%M:%S%z"
_encode = msgspec.json.Encoder(order="sorted").encode

_BATCH = BatchBody(WHAT, lines=True)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The records of a CSV text with its header line, or of JSON; raises UnreadablePayload."""
    if _is_json(envelope.body):
        return read_elements(_BATCH.elements(envelope.body), envelope, _read_values)
    events: list[FeedbackEvent] = []
    for row in _rows(envelope.body):
        try:
            events.append(_read_record(row, envelope))
        except UnreadablePayload as error:
            events.append(malformed(envelope, _encode(row), reason=str(error)))
    return events


def elements(envelope: Envelope) -> Iterable[Element]:
    """The records as JSON objects, those of CSV too."""
    if _is_json(envelope.body):
        return _BATCH.elements(envelope.body)
    return (_encode(row) for row in _rows(envelope.body))


def _is_json(body: bytes) -> bool:
    return body.lstrip()[:1] in {b"{", b"["}


class _Lines:
    """The lines of a text, one by one. Raises UnreadablePayload if a record takes too much of them."""

    def __init__(self, body: bytes) -> None:
        # The answer of a server is kept as it came, in any charset: one byte must not spoil the other records.
        self._text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", "replace", newline="")
        self.record_characters = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(_LARGEST_RECORD_CHARACTERS + 1):
            self.record_characters += len(line)
            if self.record_characters > _LARGEST_RECORD_CHARACTERS:
                raise UnreadablePayload(
                    f"{WHAT}: a record has more than {_LARGEST_RECORD_CHARACTERS} characters, and PowerMTA writes none "
                    "so long"
                )
            yield line


def _rows(body: bytes) -> Iterator[dict[str, str]]:
    """Each line with the names of the header line before it: every file and every start of a pipe begins with one."""
    count = 0
    lines = _Lines(body)
    try:
        names: list[str] | None = None
        for cells in csv.reader(lines, strict=True):
            lines.record_characters = 0
            if not cells:
                continue
            count += 1
            if count > ELEMENTS_LIMIT:
                raise UnreadablePayload(f"{WHAT}: the text has over {ELEMENTS_LIMIT} records: post it in pieces")
            if cells[0].strip().lower() == "type":
                names = [cell.strip().lower() for cell in cells]
            elif names is None:
                raise UnreadablePayload(f"{WHAT}: the first line is no header line: post each file whole, from its top")
            else:
                yield {name: cell for name, cell in zip(names, cells, strict=False) if cell}
    except csv.Error as error:
        raise UnreadablePayload(f"{WHAT}: the body is no CSV ({error})") from error
    if names is None:
        raise UnreadablePayload(f"{WHAT}: the body is empty")


def _read_values(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    del raw  # the names in it have the operator's case
    return _read_record({name.lower(): value for name, value in values.items() if value not in ("", None)}, envelope)


def _read_record(row: dict[str, Any], envelope: Envelope) -> FeedbackEvent:
    name = (_word(row, "type") or "").lower()
    if not name:
        raise UnreadablePayload(f"{WHAT}: a record has no type")
    kind, cause = RECORDS.get(name, (Kind.OTHER, Cause.NONE))
    detail, known = None, name in RECORDS
    if name == "rs":
        detail = (_word(row, "dsnaction") or "").partition(" ")[0].lower()
        kind, cause = ACTIONS.get(detail, (kind, cause))
        known = detail in ACTIONS
    elif name == "f":
        detail = (_word(row, "feedbacktype") or "").lower()
        kind, cause = FEEDBACK_TYPES.get(detail, (Kind.OTHER, Cause.NONE))
        known = detail in FEEDBACK_TYPES
    failure = None
    if kind in {Kind.DEFERRED, Kind.SOFT_BOUNCE}:
        detail = detail or _word(row, "bouncecat")
        failure = classify(
            smtp_code=None,
            enhanced_status=_word(row, "dsnstatus"),
            diagnostic=json_payload.text(row, "dsndiag"),
            permanent=None,
            recipient=json_payload.text(row, "rcpt"),
            sender=json_payload.text(row, "orig"),
            remote_host=json_payload.text(row, "dsnmta"),  # `mx.example.org (192.0.2.1)`
        )
        kind, cause = _meaning(kind, _word(row, "bouncecat"), failure)
    raw = _encode(row)  # its keys in order, so that the same record has the same bytes however it came
    address = json_payload.text(row, "rcpt")
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(raw,),
        address=address if address and normalise_address(address) else None,
        vendor_event=f"{name}/{detail}" if detail else name,
        recognised=known,
        vendor_time=_time(row.get("timelogged")),
        failure=failure,
        message_id=_message_id(row),
        diagnostic=json_payload.text(row, "dsndiag"),
        tags=json_payload.tags(row, "jobid"),
        metadata=json_payload.metadata(
            {key.removeprefix(_CUSTOM): row[key] for key in row if key.startswith(_CUSTOM) or key == "userstring"}
        ),
        campaign=json_payload.text(row, "jobid"),
    )


def _meaning(kind: Kind, category: str | None, failure: Classification) -> tuple[Kind, Cause]:
    kind_found, cause = failure.kind, failure.cause
    if failure.vague and category in CATEGORIES and category != "other":
        kind_found, cause = CATEGORIES[category]
    return (kind if kind is Kind.DEFERRED else kind_found), cause


def _time(value: object) -> datetime | None:
    """`2026-07-25 16:40:00+0000`, seconds since 1970, or the older `07/25/2026 16:40:00+0000`."""
    time = from_unix_seconds(value) or from_iso(value)
    if time is not None or not isinstance(value, str):
        return time
    try:
        return datetime.strptime(value.strip(), _OLD_TIME).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _message_id(row: Mapping[str, Any]) -> str | None:
    own = json_payload.text(row, "header_message-id", json_payload.MESSAGE_ID_LIMIT)
    return own.strip("<> ") if own else json_payload.text(row, "envid", json_payload.MESSAGE_ID_LIMIT)


def _word(values: Mapping[str, Any], key: str) -> str | None:
    return json_payload.text(values, key, WORD_LIMIT)


PROVIDER = Provider(
    name="powermta",
    title="PowerMTA",
    documentation="https://jnotes.github.io/pmta-doc",
    proof="a bearer token, or basic",
    secret_help="a long random text of your own, the same as in the script that posts the files",
    schemes=SCHEMES,
    batches=True,
    batch=_BATCH,
    account_paths={"subaccount": "vmta", "sending_domain": "orig"},
    campaign_fields=("jobId",),
    always_tells_domain=False,
    vocabulary=(
        RECORDS
        | {f"b/{name}": meaning for name, meaning in CATEGORIES.items()}
        | {f"rs/{name}": meaning for name, meaning in ACTIONS.items()}
        | {f"f/{name}": meaning for name, meaning in FEEDBACK_TYPES.items() if name}
    ),
    parse=parse,
    elements=elements,
)
