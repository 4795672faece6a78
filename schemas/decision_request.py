"""A decision about contacts as it is asked for: the body of `POST /v1/decisions`, our own JSON."""

from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from schemas.decision import ConsentProof, DecisionKind, Permission, Strength
from schemas.vocabulary import Blocks, Cause, Channel, Way

MOST_NOTE_CHARACTERS = 1_000
MOST_TEXT_CHARACTERS = 200  # scope, and the texts of the proof
MOST_KEY_CHARACTERS = 255  # of an Idempotency-Key


class RequestedKind(StrEnum):
    """What can be asked for. Each is the DecisionKind of the same name."""

    LIFTED = "lifted"
    LISTED = "listed"
    OPTED_IN = "opted_in"
    ADDED = "added"
    UNSUBSCRIBED = "unsubscribed"
    UNSUBSCRIBED_BY_US = "unsubscribed_by_us"
    DECLINED_COMMERCIAL = "declined_commercial"
    DO_NOT_CONTACT = "do_not_contact"

    @property
    def decision_kind(self) -> DecisionKind:
        """The kind of the decision."""
        return DecisionKind(self.value)


class DecisionTerms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is decided, whoever it is about. An unknown field is refused: a misspelt `until` must not go unnoticed."""

    kind: RequestedKind
    note: str | None = None  # the reason, in the actor's words; lifted, listed, unsubscribed_by_us need one
    cause: Cause = Cause.NONE  # listed: why
    blocks: Blocks = Blocks.ALL  # listed: which mail it forbids
    until: datetime | None = None  # listed: ends by itself then; aware
    scope: str | None = None  # opted_in, unsubscribed (by us): the list or group; None for everything
    by_contact: bool = False  # a person's own act or wish: the person did it, and not somebody for him
    way: Way | None = None  # a person's wish: how it was said
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
