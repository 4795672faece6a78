"""Removes tags and people from a contact. This neither forbids nor allows mail.

One transaction locks the contact and removes them, under an act that names the actor. Without anything to remove, there
is no act.
"""

from datetime import UTC, datetime
from http import HTTPStatus

from msgspec import Struct

from schemas.addition import MOST_FIELD_CHARACTERS, MOST_PERSON_CHARACTERS, MOST_TAG_CHARACTERS, MOST_TAGS
from schemas.decision_request import MOST_NOTE_CHARACTERS
from schemas.removal import Leaving, Removal
from schemas.vocabulary import Channel
from worker.contacts.act_start import act_of, store_act
from worker.contacts.people import PersonView
from worker.contacts.principal import Principal
from worker.contacts.request_text import require_text
from worker.contacts.single_decision import in_one_transaction
from worker.errors import RequestRefused
from worker.process.logs import contact_field, get_logger
from worker.store.acts import finish_act
from worker.store.contact_rows import ContactKey, lock_contacts
from worker.store.people import LeavingField, delete_addresses, delete_tags
from worker.store.pool import WriterConnection, WriterPool

_KIND = "bad-removal"  # of the refusals
UNKNOWN_CONTACT = "unknown-contact"
_SUBJECT = "remove tags and people"
_log = get_logger()


class RemovalQuestion(Struct, frozen=True, kw_only=True):
    """What to remove from which contact, and who asks for it."""

    removal: Removal
    address: str  # normalised
    account: str
    channel: Channel
    principal: Principal
    what: str  # the sort of act: call, command


class RemovalAnswer(Struct, frozen=True, kw_only=True):
    """The tags and people that were removed."""

    act_id: int | None  # None: a dry run, or nothing was removed
    account: str
    channel: Channel
    address: str
    dry_run: bool
    tags: list[str]
    people: list[PersonView]


async def remove_belongings(pool: WriterPool, question: RemovalQuestion) -> RemovalAnswer:
    """Everything that the answer names is removed when this returns.

    Raises RequestRefused for an impossible request and for an unknown contact, and StoreUnavailable.
    """
    _require_sound(question.removal)
    answer = await in_one_transaction(
        pool,
        "taking tags and people away",
        lambda connection: _remove(connection, question),
        dry_run=question.removal.dry_run,
    )
    if answer.act_id is not None:
        _log.info(
            "belongings.removed",
            contact=contact_field(answer.address),
            account=answer.account,
            channel=answer.channel.value,
            tags=len(answer.tags),
            people=len(answer.people),
            actor=question.principal.name,
            act_id=answer.act_id,
        )
    return answer


async def _remove(connection: WriterConnection, question: RemovalQuestion) -> RemovalAnswer:
    key = ContactKey(address=question.address, account=question.account, channel=question.channel.value)
    row = (await lock_contacts(connection, [key])).get(key)
    if row is None:
        raise RequestRefused(
            UNKNOWN_CONTACT,
            f"Nothing is known of this address in account {question.account!r}.",
            remedy="Check its spelling, and name its account and channel.",
            http_status=HTTPStatus.NOT_FOUND,
        )
    removal = question.removal
    tags = await delete_tags(connection, row.id, [tag.strip() for tag in removal.tags])
    leaving = [
        LeavingField(person=one.person.strip(), field=None if one.field is None else one.field.strip())
        for one in removal.people
    ]
    people = await delete_addresses(connection, row.id, leaving)
    act_id = await _act(connection, question) if (tags or people) and not removal.dry_run else None
    return RemovalAnswer(
        act_id=act_id,
        account=question.account,
        channel=question.channel,
        address=question.address,
        dry_run=removal.dry_run,
        tags=tags,
        people=[PersonView(person=one.person, field=one.field or None) for one in people],
    )


async def _act(connection: WriterConnection, question: RemovalQuestion) -> int:
    now = datetime.now(UTC)
    act = act_of(
        question.principal,
        account=question.account,
        what=question.what,
        idempotency_key=None,
        request_hash=None,
        note=question.removal.note,
        at=now,
        subject=_SUBJECT,
    )
    act_id = await store_act(connection, act)
    await finish_act(connection, act_id, at=now)
    return act_id


def _require_sound(removal: Removal) -> None:
    if not removal.tags and not removal.people:
        raise RequestRefused(
            _KIND, "Neither a tag nor a person is named.", remedy="Name in `tags` or `people` what goes."
        )
    if len(removal.tags) > MOST_TAGS or len(removal.people) > MOST_TAGS:
        raise RequestRefused(
            _KIND, f"More than {MOST_TAGS} tags or people are named.", remedy="Take them away in several requests."
        )
    if removal.note is not None:
        _require_word("note", removal.note, MOST_NOTE_CHARACTERS)
    for tag in removal.tags:
        _require_word("tags", tag, MOST_TAG_CHARACTERS)
    for one in removal.people:
        _require_person(one)


def _require_person(one: Leaving) -> None:
    _require_word("person", one.person, MOST_PERSON_CHARACTERS)
    if one.field is not None:
        require_text(_KIND, "field", one.field, MOST_FIELD_CHARACTERS)  # empty: of the address that has no name


def _require_word(name: str, text: str, most: int) -> None:
    if not text.strip():
        raise RequestRefused(_KIND, f"`{name}` is blank.", remedy="Name it, or leave it out.")
    require_text(_KIND, name, text, most)
