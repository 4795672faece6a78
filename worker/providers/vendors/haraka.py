"""Haraka: a payload of our own, which the plugin on docs/providers/haraka.md makes in the outbound hooks.

https://github.com/haraka/Haraka/blob/master/docs/Outbound.md

Haraka posts nothing by itself. The plugin posts an array with one object for each recipient of a hook's mail.
"""

import re
from typing import Any

from schemas.envelope import Envelope
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Kind
from worker.errors import UnreadablePayload
from worker.providers.authentication.credentials import BasicCredentials, bearer_token
from worker.providers.authentication.scheme import Scheme
from worker.providers.classification.failure import classify
from worker.providers.payload import json_payload
from worker.providers.payload.batch_body import BatchBody
from worker.providers.payload.feedback import new_event, read_elements
from worker.providers.payload.json_payload import MESSAGE_ID_LIMIT, WORD_LIMIT
from worker.providers.payload.vendor_time import from_iso
from worker.providers.provider import Provider

# -- How it authenticates ------------------------------------------------------------------------------------
# docs/providers/haraka.md

SCHEMES: dict[str, Scheme] = {"": bearer_token(), "basic": BasicCredentials()}

# -- What its events are, and why ----------------------------------------------------------------------------
# https://github.com/haraka/Haraka/blob/master/docs/Outbound.md (the hooks of these names)

HOOKS: dict[str, tuple[Kind, Cause]] = {
    "delivered": (Kind.DELIVERED, Cause.NONE),
    "deferred": (Kind.DEFERRED, Cause.UNDETERMINED),
    "bounce": (Kind.SOFT_BOUNCE, Cause.UNDETERMINED),  # the reply says which bounce it was
}
# Then Haraka turns 4.x.x into 5.x.x, and its words are its own: `Too many failures (the last reply)`.
GAVE_UP = (Kind.SOFT_BOUNCE, Cause.EXPIRED)  # `bounce` of a recipient that was deferred until the last try

# -- How it is read ------------------------------------------------------------------------------------------

_TOO_MANY = re.compile(r"Too many failures(?: \((.*)\))?\s*", re.DOTALL)

_BATCH = BatchBody("Haraka plugin's report", lines=True)


def parse(envelope: Envelope) -> list[FeedbackEvent]:
    """The events of an array; raises UnreadablePayload."""
    return read_elements(_BATCH.elements(envelope.body), envelope, _read_report)


def _read_report(values: dict[str, Any], raw: bytes, envelope: Envelope) -> FeedbackEvent:
    hook, recipient = json_payload.text(values, "hook", WORD_LIMIT), json_payload.text(values, "recipient")
    if hook is None or recipient is None:
        raise UnreadablePayload("Haraka plugin's report: it has no hook, or no recipient")
    kind, cause = HOOKS.get(hook, (Kind.OTHER, Cause.NONE))
    diagnostic = json_payload.text(values, "reply")
    too_many = _TOO_MANY.fullmatch(diagnostic or "")
    gave_up = json_payload.flag(values, "gave_up") or too_many is not None
    failure = None
    if kind in {Kind.DEFERRED, Kind.SOFT_BOUNCE}:
        failure = classify(
            smtp_code=json_payload.integer(values, "smtp_code"),
            enhanced_status=None if gave_up else json_payload.text(values, "enhanced_status", WORD_LIMIT),
            diagnostic=too_many.group(1) if too_many else diagnostic,
            permanent=None,
            recipient=recipient,
            sender=json_payload.text(values, "sender"),
            remote_host=json_payload.text(values, "remote_host"),
        )
        if kind is Kind.DEFERRED:
            cause = failure.cause
        elif gave_up and (failure.vague or failure.kind is Kind.HARD_BOUNCE):
            kind, cause = GAVE_UP
        else:
            kind, cause = failure.kind, failure.cause
    own_id, failures = json_payload.text(values, "id", MESSAGE_ID_LIMIT), json_payload.text(values, "failures")
    return new_event(
        envelope,
        raw,
        kind=kind,
        cause=cause,
        key=(own_id, hook, failures, recipient) if own_id else (raw,),
        address=recipient,
        vendor_event=f"{hook}/gave_up" if gave_up else hook,
        recognised=hook in HOOKS,
        vendor_time=from_iso(values.get("time")),
        failure=failure,
        message_id=own_id,
        diagnostic=diagnostic,
        tags=json_payload.tags(values, "tags"),
        metadata=json_payload.metadata(values.get("metadata")),
    )


PROVIDER = Provider(
    name="haraka",
    title="Haraka",
    documentation="https://github.com/haraka/Haraka/blob/master/docs/Outbound.md",
    proof="a bearer token, or basic",
    secret_help="a long random text of your own, the same as in the plugin's bouncekeeper.ini",
    schemes=SCHEMES,
    batch=_BATCH,
    batches=True,
    account_paths={"sending_domain": "sender"},
    vocabulary=HOOKS | {"bounce/gave_up": GAVE_UP},
    parse=parse,
)
