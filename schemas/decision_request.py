"""A decision about contacts as it is asked for: the body of `POST /v1/decisions`, our own JSON."""

from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from schemas.decision import ConsentProof, DecisionKind, Permission, Strength
from schemas.vocabulary import Blocks, Cause, Channel

MOST_NOTE_CHARACTERS = 1_000
MOST_TEXT_CHARACTERS = 200  # scope, and the texts of the proof
MOST_KEY_CHARACTERS = 255  # of an Idempotency-Key


class RequestedKind(StrEnum):
    """What can be asked for. Each is the DecisionKind of the same name."""

    LIFTED = "lifted"
    LISTED = "listed"
    OPTED_IN = "opted_in"
    ADDED = "added"

    @property
    def decision_kind(self) -> DecisionKind:
        """The kind of the decision."""
        return DecisionKind(self.value)


class DecisionTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is decided, whoever it is about. An unknown field is refused: a misspelt `until` must not go unnoticed."""

    kind: RequestedKind
    note: str | None = None  # the reason, in the actor's words; lifted and listed need one
    cause: Cause = Cause.NONE  # listed: why
    blocks: Blocks = Blocks.ALL  # listed: which mail it forbids
    until: datetime | None = None  # listed: ends by itself then; aware
    scope: str | None = None  # opted_in: the list or group; None for everything
    by_contact: bool = False  # opted_in: the person did it, and not somebody for him
    strength: Strength | None = None  # opted_in
    proof: ConsentProof | None = None  # opted_in
    permission: Permission | None = None  # added


class ContactDecisionRequest(DecisionTerms, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/contacts/{address}/decisions`."""

    dry_run: bool = False  # answers what would happen, and changes nothing


class DecisionRequest(ContactDecisionRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/decisions`."""

    addresses: list[str]
    account: str | UnsetType = UNSET
    channel: Channel = Channel.EMAIL
