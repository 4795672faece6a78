"""Contacts that come in: the body of `POST /v1/contacts`, our own JSON."""

from msgspec import UNSET, Struct, UnsetType

from schemas.decision import Permission
from schemas.vocabulary import Channel

MOST_TAGS = 50  # of one contact in one request
MOST_TAG_CHARACTERS = 100
MOST_PERSON_CHARACTERS = 200
MOST_FIELD_CHARACTERS = 60


class Addition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One contact, as the caller knows it. The same address may come several times, for several people."""

    address: str
    permission: Permission | None = None  # None: that of the whole request
    tags: tuple[str, ...] = ()
    person: str | None = None  # the id of the person in the caller's system
    field: str | None = None  # what the caller calls this address of the person: email_1


class AdditionRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/contacts`. An unknown field is refused: a misspelt `permission` must not go unnoticed."""

    contacts: list[Addition]
    permission: Permission | None = None  # of those that name none; None: the default of the caller
    tags: tuple[str, ...] = ()  # of all
    note: str | None = None
    account: str | UnsetType = UNSET
    channel: Channel = Channel.EMAIL
    dry_run: bool = False
