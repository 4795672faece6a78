"""Tags and people that a contact is to lose: the body of `POST /v1/contacts/{address}/removals`, our own JSON."""

from msgspec import Struct


class Leaving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A person whose address the contact is no longer."""

    person: str
    field: str | None = None  # only as this; None: as whatever the caller calls the address


class Removal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is taken away. An unknown field is refused: a misspelt `tags` must not go unnoticed."""

    tags: tuple[str, ...] = ()
    people: tuple[Leaving, ...] = ()
    note: str | None = None  # why, in the actor's words
    dry_run: bool = False
