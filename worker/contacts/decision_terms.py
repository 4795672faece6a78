"""Checks whether the terms of a decision make sense, independent of the contact."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from schemas.decision_request import MOST_NOTE_CHARACTERS, DecisionTerms, RequestedKind
from schemas.vocabulary import Blocks, Cause, Channel
from worker.contacts.act_start import hash_of_request
from worker.contacts.proof_terms import require_sound_proof, require_timely_proof
from worker.contacts.request_text import require_list_name, require_text
from worker.contacts.request_time import require_ahead, require_zone
from worker.errors import RequestRefused

# The fields of each kind, beside the note.
_FIELDS: dict[RequestedKind, frozenset[str]] = {
    RequestedKind.LIFTED: frozenset(),
    RequestedKind.LISTED: frozenset({"cause", "blocks", "until"}),
    RequestedKind.OPTED_IN: frozenset({"scope", "by_contact", "strength", "proof"}),
    RequestedKind.ADDED: frozenset({"permission"}),
    RequestedKind.UNSUBSCRIBED: frozenset({"scope", "by_contact", "way"}),
    RequestedKind.UNSUBSCRIBED_BY_US: frozenset({"scope"}),
    RequestedKind.DECLINED_COMMERCIAL: frozenset({"by_contact", "way"}),
    RequestedKind.DO_NOT_CONTACT: frozenset({"by_contact", "way"}),
}
_OF_ALL = frozenset({"kind", "note"})
_NEED_NOTE = frozenset({RequestedKind.LIFTED, RequestedKind.LISTED, RequestedKind.UNSUBSCRIBED_BY_US})
_KIND = "bad-decision"  # of the refusals


def sound_terms(terms: DecisionTerms) -> DecisionTerms:
    """The terms if they can make sense at some time, with their list in its one spelling. Raises RequestRefused."""
    kind = terms.kind
    if kind in _NEED_NOTE and not (terms.note or "").strip():
        raise _refusal(f"A decision `{kind}` without a reason.", "Say why: others read it in the history.")
    misplaced = [
        field.name
        for field in msgspec.structs.fields(DecisionTerms)
        if field.name not in _OF_ALL | _FIELDS[kind] and getattr(terms, field.name) != field.default
    ]
    if misplaced:
        fields = ", ".join(f"`{name}`" for name in sorted(_FIELDS[kind])) or "no other field than `note`"
        raise _refusal(f"`{misplaced[0]}` says nothing about a decision `{kind}`.", f"It takes {fields}.")
    if terms.cause is Cause.TEST:
        raise _refusal("The cause `test` is for test messages.", "Name the real cause, or none.")
    if kind is RequestedKind.LISTED and terms.blocks is Blocks.NONE:
        raise _refusal(
            "A decision `listed` that forbids no mail.", "Send `blocks` as `marketing`, `commercial` or `all`."
        )
    _require_sound_texts(terms)
    collected_at = None if terms.proof is None else terms.proof.collected_at
    for name, when in (("until", terms.until), ("proof.collected_at", collected_at)):
        if when is not None:
            require_zone(_KIND, name, when)
    if terms.proof is not None:
        require_sound_proof(_KIND, terms.proof)
    return terms if terms.scope is None else replace(terms, scope=require_list_name(_KIND, "scope", terms.scope))


def require_timely_terms(terms: DecisionTerms, now: datetime) -> None:
    """Returns if the end of the decision is ahead, and its proof is not. Raises RequestRefused."""
    if terms.until is not None:
        require_ahead(_KIND, "until", terms.until, now)
    if terms.proof is not None:
        require_timely_proof(_KIND, terms.proof, now)


def request_hash(
    terms: DecisionTerms,
    addresses: Iterable[str],
    *,
    account: str,
    channel: Channel,
    profiles: Mapping[str, Struct],
) -> bytes:
    """Equal for the same decision about the same addresses (normalised) in any order, and different otherwise."""
    asked = {field.name: getattr(terms, field.name) for field in msgspec.structs.fields(DecisionTerms)}
    return hash_of_request([asked, account, channel], addresses, profiles)


def _require_sound_texts(terms: DecisionTerms) -> None:
    if terms.note is not None:
        if not terms.note.strip():
            raise _refusal("`note` is blank.", "Say why, or leave it out.")
        require_text(_KIND, "note", terms.note, MOST_NOTE_CHARACTERS)


def _refusal(detail: str, remedy: str) -> RequestRefused:
    return RequestRefused(_KIND, detail, remedy=remedy)
