"""People and their addresses, many to many, as callers have sent them. Each address has a status of its own."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from schemas.addition import MOST_PERSON_CHARACTERS
from schemas.vocabulary import Blocks, Cause, MailClass, Status
from worker.contacts.open_refolds import provisional_facts
from worker.contacts.policies import Policies
from worker.policy.facts_encoding import facts_from_row
from worker.policy.provisional import shown_standing
from worker.policy.sentences import standing_sentence
from worker.store.people import PersonContact, addresses_of, people_of, siblings_of, tags_of
from worker.store.pool import Executor

SHOWN_ADDRESSES = 100  # of a person, and siblings of a contact
SHOWN_TAGS = 200
SHOWN_PEOPLE = 100


class PersonView(Struct, frozen=True, kw_only=True):
    """A person to whom the contact's address belongs."""

    person: str
    field: str | None  # what the caller calls this address: email_1


class AddressView(Struct, frozen=True, kw_only=True):
    """One address of a person, with its standing."""

    person: str
    field: str | None
    address: str
    channel: str
    status: Status
    blocks: Blocks
    forbids: tuple[MailClass, ...]
    reason: Cause | None
    since: datetime | None
    until: datetime | None
    sentence: str


class Belongings(Struct, frozen=True, kw_only=True):
    """A contact's tags and people, as callers have sent them."""

    tags: tuple[str, ...]
    people: tuple[PersonView, ...]
    siblings: tuple[AddressView, ...]  # other addresses of these people


class PersonReport(Struct, frozen=True, kw_only=True):
    """The answer of `GET /v1/people/{person}`."""

    person: str
    account: str
    addresses: tuple[AddressView, ...]  # by field; the first SHOWN_ADDRESSES


async def belongings(executor: Executor, contact_id: int, *, policies: Policies, now: datetime) -> Belongings:
    """The contact's tags and people, and their other addresses as they stand at `now`. Raises StoreUnavailable."""
    people = await people_of(executor, contact_id, limit=SHOWN_PEOPLE)
    siblings = await siblings_of(executor, contact_id, limit=SHOWN_ADDRESSES) if people else []
    return Belongings(
        tags=tuple(await tags_of(executor, contact_id, limit=SHOWN_TAGS)),
        people=tuple(PersonView(person=one.person, field=one.field or None) for one in people),
        siblings=await _views(executor, siblings, policies=policies, now=now),
    )


async def person_report(
    executor: Executor, account: str, person: str, *, policies: Policies, now: datetime
) -> PersonReport | None:
    """A person's addresses as they stand at `now`; None if there is no such person. Raises StoreUnavailable."""
    rows = await addresses_of(executor, account=account, person=person, limit=SHOWN_ADDRESSES)
    if not rows:
        return None
    views = await _views(executor, rows, policies=policies, now=now)
    return PersonReport(person=person, account=account, addresses=views)


async def find_person(
    executor: Executor, account: str, name: str, *, policies: Policies, now: datetime
) -> PersonReport | None:
    """Like `person_report`, for a name that somebody typed. None if no person can have this name."""
    person = name.strip()
    if not 0 < len(person) <= MOST_PERSON_CHARACTERS or not person.isprintable():
        return None
    return await person_report(executor, account, person, policies=policies, now=now)


async def _views(
    executor: Executor, rows: Sequence[PersonContact], *, policies: Policies, now: datetime
) -> tuple[AddressView, ...]:
    if not rows:
        return ()
    folded_under = await policies.of_all(executor, {row.policy_id for row in rows})
    provisional = await provisional_facts(executor, [row.id for row in rows])
    views = []
    for row in rows:
        late = provisional.get(row.id)
        standing = shown_standing(facts_from_row(row), late, folded_under[row.policy_id].policy, now)
        views.append(
            AddressView(
                person=row.person,
                field=row.field or None,
                address=row.address,
                channel=row.channel,
                status=standing.status,
                blocks=standing.blocks,
                forbids=standing.blocks.classes,
                reason=None if standing.cause is Cause.NONE else standing.cause,
                since=standing.since,
                until=standing.until,
                sentence=standing_sentence(standing, is_provisional=late is not None),
            )
        )
    return tuple(views)
