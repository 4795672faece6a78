"""Halon: a payload of our own, which the post-delivery script on docs/providers/halon.md makes of Halon's variables.

https://docs.halon.io/hsl/postdelivery.html

Halon has no webhooks: the script runs after each attempt and whenever a message leaves the queue, and posts one object
for it, with `attempt` as Halon has it. The fields are those of Halon's pages; the script has not been run, for lack of
a Halon.
"""

from collections.abc import Mapping
from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, bearer_token
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import Classification, classify
from worker.providers.classification.reply import stage_of_command
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.json_payload import DIAGNOSTIC_LIMIT, MESSAGE_ID_LIMIT, WORD_LIMIT, fit_text
from worker.providers.payload.vendor_time import from_unix_seconds
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# docs/providers/halon.md

SCHEMES: dict[str, Scheme] = {"": bearer_token(), "basic": BasicCredentials()}

# -- What its events are, and why ----------------------------------------------------------------------------
# https://docs.halon.io/hsl/postdelivery.html (`action`, which is missing after a success: the script writes DELIVER)

ACTIONS: dict[str, tuple[Kind, Cause]] = {
    "DELIVER": (Kind.DELIVERED, Cause.NONE),
    "QUEUE": (Kind.DEFERRED, Cause.UNDETERMINED),
    "BOUNCE": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # the reply says which bounce it was
    "DELETE": (Kind.DROPPED, Cause.NONE),  # taken out of the queue; after an attempt that failed: as BOUNCE
}

# -- How it is read ------------------------------------------------------------------------------------------

_BATCH = BatchBody("Halon post-delivery report", lines=True)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The one event of the body, or those of an array or of lines; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_report)


def _read_report(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    action, recipient = _word(values, "action"), json_payload.text(values, "recipient")
    if action is None or recipient is None:
        raise UnreadablePayload("Halon post-delivery report: it has no action, or no recipient")
    kind, cause = ACTIONS.get(action, (Kind.OTHER, Cause.NONE))
    attempt = json_payload.child(values, "attempt")
    result, error = json_payload.child(attempt, "result"), json_payload.child(attempt, "error")
    diagnostic = _reason(result) or json_payload.text(error, "message") or json_payload.text(error, "reason")
    is_failure = kind in {Kind.DEFERRED, Kind.SOFT_BOUNCE} or (kind is Kind.DROPPED and bool(result or error))
    expired = json_payload.flag(values, "expired")
    failure = None
    if is_failure:
        temporary = json_payload.flag(error, "temporary") if error else None
        failure = classify(
            smtp_code=json_payload.integer(result, "code"),
            enhanced_status=_enhanced(result),
            diagnostic=diagnostic,
            permanent=None if temporary is None else not temporary,
            stage=stage_of_command(_word(result, "state")),
            recipient=recipient,
            sender=json_payload.text(values, "sender"),
        )
        kind, cause = _meaning(kind, failure, expired=expired)
    transaction, queue, retry = (_word(values, key) for key in ("transaction", "queue", "retry"))
    happened = from_unix_seconds(values.get("time"))
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        # A queue id names one recipient's copy of a message.
        key=(transaction, queue, retry, action, recipient) if transaction else (raw,),
        address=recipient,
        vendor_event=f"{action}/expired" if expired else action,
        recognised=action in ACTIONS,
        vendor_time=happened,
        failure=failure,
        message_id=json_payload.text(values, "transaction", MESSAGE_ID_LIMIT),
        diagnostic=diagnostic,
        tags=json_payload.tags(values, "jobid"),
        metadata=json_payload.metadata(values.get("metadata")),
    )


def _meaning(kind: Kind, failure: Classification, *, expired: bool) -> tuple[Kind, Cause]:
    if kind is Kind.DEFERRED:
        return kind, failure.cause
    if expired and (failure.vague or failure.kind is Kind.HARD_BOUNCE):
        return Kind.SOFT_BOUNCE, Cause.EXPIRED  # it was tried to the end, so no server had said no for good
    return failure.kind, failure.cause


def _enhanced(result: Mapping[str, Any]) -> str | None:
    """`[5, 1, 1]`, as Halon has it."""
    status = result.get("enhanced")
    if isinstance(status, list) and all(isinstance(digit, (int, float)) for digit in status):
        return ".".join(f"{digit:.0f}" for digit in status) or None
    return json_payload.text(result, "enhanced", WORD_LIMIT)


def _reason(result: Mapping[str, Any]) -> str | None:
    """The reply's lines."""
    reason = result.get("reason")
    if isinstance(reason, list):
        return fit_text(" ".join(line for line in reason if isinstance(line, str)), DIAGNOSTIC_LIMIT) or None
    return json_payload.text(result, "reason")


def _word(values: Mapping[str, Any], key: str) -> str | None:
    return json_payload.text(values, key, WORD_LIMIT)


PROVIDER = Provider(
    name="halon",
    title="Halon",
    documentation="https://docs.halon.io/hsl/postdelivery.html",
    proof="a bearer token, or basic",
    secret_help="a long random text of your own, the same as in the post-delivery script",
    schemes=SCHEMES,
    batch=_BATCH,
    account_paths={"subaccount": "tenantid", "sending_domain": "sender"},
    vocabulary=ACTIONS | {"BOUNCE/expired": (Kind.SOFT_BOUNCE, Cause.EXPIRED)},
    parse=parse,
)
