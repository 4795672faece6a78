"""A contact's tags and people, as a caller sends them beside the decision. They neither forbid nor allow mail."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from schemas.addition import (
    MOST_FIELD_CHARACTERS,
    MOST_PERSON_CHARACTERS,
    MOST_TAG_CHARACTERS,
    MOST_TAGS,
    Addition,
)
from schemas.decision import Permission
from worker.contacts.decision_result import DecisionResult
from worker.store.people import ContactTag, PersonAddress, insert_addresses, insert_tags
from worker.store.pool import WriterConnection


class Profile(Struct, frozen=True, kw_only=True):
    """The details that one request has for one contact."""

    permission: Permission
    tags: tuple[str, ...]  # sorted
    people: tuple[tuple[str, str], ...]  # person and field, sorted


def profile_of(additions: Sequence[Addition], *, permission: Permission, tags: Iterable[str]) -> Profile:
    """The details of several rows with the same address; of several permissions, the weakest."""
    permissions = [addition.permission for addition in additions if addition.permission is not None]
    all_tags = {tag.strip() for one in (tags, *(addition.tags for addition in additions)) for tag in one}
    people = {(addition.person.strip(), (addition.field or "").strip()) for addition in additions if addition.person}
    return Profile(
        permission=min(permissions or [permission], key=list(Permission).index),
        tags=tuple(sorted(all_tags - {""})),
        people=tuple(sorted(people)),
    )


def fault_of(addition: Addition) -> str | None:
    """The fault of a row, as a sentence; None if it has none."""
    if len(addition.tags) > MOST_TAGS:
        return f"It has {len(addition.tags)} tags; the limit is {MOST_TAGS}."
    texts = [
        *(("tag", tag, MOST_TAG_CHARACTERS) for tag in addition.tags),
        ("person", addition.person, MOST_PERSON_CHARACTERS),
        ("field", addition.field, MOST_FIELD_CHARACTERS),
    ]
    for name, text, most in texts:
        if text is None:
            continue
        if not text.strip():
            return f"Its {name} is empty."
        if len(text) > most:
            return f"Its {name} has {len(text)} characters; the limit is {most}."
        if not text.isprintable():
            return f"Its {name} holds a character that cannot be printed."
    if addition.field is not None and addition.person is None:
        return "It names a field and no person."
    return None


async def store_profiles(
    connection: WriterConnection,
    results: Sequence[DecisionResult],
    profiles: Mapping[str, Profile],
    *,
    act_id: int,
    now: datetime,
) -> None:
    """Stores the profiles, by address, of contacts that exist after the decisions. All contacts are locked."""
    locked = [
        (result.contact_id, result.decision.account, profiles[result.decision.address])
        for result in results
        if result.contact_id is not None and result.decision.address in profiles
    ]
    await insert_tags(
        connection,
        [
            ContactTag(contact_id=contact_id, tag=tag, added_at=now, act_id=act_id)
            for contact_id, _, profile in locked
            for tag in profile.tags
        ],
    )
    await insert_addresses(
        connection,
        [
            PersonAddress(
                account=account, person=person, contact_id=contact_id, field=field, added_at=now, act_id=act_id
            )
            for contact_id, account, profile in locked
            for person, field in profile.people
        ],
    )
