"""Requests to have a contact back, or to block one, as they are asked for and decided: our own JSON."""

from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from schemas.vocabulary import Channel


class RequestKind(StrEnum):
    """What is asked for."""

    LIFT = "lift"  # a safelist request: the contact is to receive mail again
    BLOCK = "block"  # the contact is to receive none


class RequestState(StrEnum):
    """How far a request is. The values are stored, logged and sent."""

    REQUESTED = "requested"  # a person reviews it
    APPROVED = "approved"
    DECLINED = "declined"


class DeclineReason(StrEnum):
    """Why a request is declined. The values are stored, logged and sent."""

    PREVIOUS_FAILURES = "previous_failures"  # what is known of the address speaks against it
    SPAM_RELATED = "spam_related"  # the person complained
    REPUTATION = "reputation"  # too many of the account's mails bounce, or are complained about
    INSUFFICIENT_HISTORY = "insufficient_history"  # too little is known of the account
    OTHER = "other"  # the note says it


# These say something of the account, not of the contact: such a request does not count as an attempt.
ABOUT_THE_ACCOUNT = frozenset({DeclineReason.REPUTATION, DeclineReason.INSUFFICIENT_HISTORY})


class Medium(StrEnum):
    """How a person said something."""

    PHONE = "phone"
    EMAIL = "email"
    LETTER = "letter"
    CHAT = "chat"
    IN_PERSON = "in_person"
    FORM = "form"


class PersonsWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The record of a person's wish to receive mail again, which a complaint needs."""

    who: str  # who said it
    when: datetime  # aware
    how: Medium
    words: str = ""  # what was said, as far as somebody remembers


class ContactSafelistRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/contacts/{address}/safelist-requests`."""

    note: str  # why, in the requester's words
    kind: RequestKind = RequestKind.LIFT
    wish: PersonsWish | None = None
    dry_run: bool = False  # answers what would happen, and changes nothing


class SafelistRequests(ContactSafelistRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/safelist-requests`."""

    addresses: list[str]
    account: str | UnsetType = UNSET
    channel: Channel = Channel.EMAIL


class Approval(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/safelist-requests/{id}/approve`."""

    note: str | None = None
    dry_run: bool = False


class Decline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/safelist-requests/{id}/decline`."""

    reason: DeclineReason
    note: str | None = None  # `other` needs one
    dry_run: bool = False


class Recheck(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/contacts/{address}/recheck`."""

    dry_run: bool = False
