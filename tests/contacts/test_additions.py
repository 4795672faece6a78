"""Contacts come in: once in effect, with their tags and people, and nothing that is known is lowered or raised."""

import asyncio
from typing import Any

import pytest

from schemas.addition import Addition
from schemas.decision import Permission
from schemas.vocabulary import Cause, Channel, Kind
from tests.contacts.test_decisions import ANNA, JANE, RULES, report, status
from tests.properties import few
from worker.contacts.additions import AdditionAnswer, AdditionTerms, add_contacts
from worker.errors import RequestRefused
from worker.store.pool import WriterPool

JOE = "joe@example.net"


async def add(
    pool: WriterPool, *additions: Addition, permission: Permission = Permission.UNKNOWN, **asked: Any
) -> AdditionAnswer:
    terms = AdditionTerms(
        permission=permission, account="default", channel=Channel.EMAIL, principal=ANNA, what="call", **asked
    )
    return await add_contacts(pool, additions, terms, rules=RULES)


async def people(pool: WriterPool) -> list[tuple[str, str, str]]:
    rows = await pool.fetch(
        "SELECT person, field, address FROM people p JOIN contacts c ON c.id = p.contact_id ORDER BY 1, 2, 3"
    )
    return [tuple(row) for row in rows]


async def tags(pool: WriterPool) -> list[tuple[str, str]]:
    rows = await pool.fetch(
        "SELECT address, tag FROM contact_tags t JOIN contacts c ON c.id = t.contact_id ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


async def test_a_contact_comes_in_with_its_permission_tags_and_person(pool: WriterPool) -> None:
    answer = await add(
        pool,
        Addition(address="Jane <JANE@example.org>", tags=("shop", "vip"), person="4711", field="email_1"),
        Addition(address=JOE, permission=Permission.STATED),
        tags=("crm",),
        note="the shop's customers",
    )
    assert (answer.contacts, answer.added, answer.known, answer.skipped, answer.duplicates) == (2, 2, 0, 0, 0)
    assert await status(pool, JANE) == ("non_marketable", "marketing")
    assert await status(pool, JOE) == ("new", "none")
    assert await tags(pool) == [(JANE, "crm"), (JANE, "shop"), (JANE, "vip"), (JOE, "crm")]
    assert await people(pool) == [("4711", "email_1", JANE)]
    line = await pool.fetchrow("SELECT new_status, actor, note FROM status_changes")
    assert tuple(line or ()) == ("non_marketable", "anna", "the shop's customers")
    acts = await pool.fetch("SELECT actor, what, finished_at IS NOT NULL FROM acts")
    assert [tuple(act) for act in acts] == [("anna", "call", True)]


async def test_people_and_addresses_are_many_to_many(pool: WriterPool) -> None:
    answer = await add(
        pool,
        Addition(address=JANE, person="jane", field="email_1"),
        Addition(address=JOE, person="jane", field="email_2"),
        Addition(address=JOE, person="joe", tags=("b",)),
        Addition(address="JOE@example.net", person="joe", field="email_1", tags=("a",)),
    )
    assert (answer.added, answer.duplicates) == (2, 2)
    assert await people(pool) == [
        ("jane", "email_1", JANE),
        ("jane", "email_2", JOE),
        ("joe", "", JOE),
        ("joe", "email_1", JOE),
    ]
    assert await tags(pool) == [(JOE, "a"), (JOE, "b")]


async def test_of_several_permissions_of_one_address_the_least_counts(pool: WriterPool) -> None:
    await add(
        pool,
        Addition(address=JANE, permission=Permission.STATED),
        Addition(address=JANE, permission=Permission.UNKNOWN),
    )
    assert await status(pool) == ("non_marketable", "marketing")


@pytest.mark.parametrize("permission", few(Permission, 1))
@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (Kind.DELIVERED, Cause.NONE),
        (Kind.ACCEPTED, Cause.NONE),
        (Kind.UNSUBSCRIBE, Cause.NONE),
        (Kind.COMPLAINT, Cause.ABUSE_REPORT),
        (Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST),
    ],
)
async def test_adding_a_contact_that_is_known_neither_lowers_nor_raises_its_status(
    pool: WriterPool, kind: Kind, cause: Cause, permission: Permission
) -> None:
    await report(pool, kind, cause)
    before = await status(pool)
    answer = await add(pool, Addition(address=JANE, tags=("shop",)), permission=permission)
    assert await status(pool) == before
    assert answer.skipped == 0
    assert await tags(pool) == [(JANE, "shop")]


async def test_what_was_known_of_the_permission_stays(pool: WriterPool) -> None:
    await add(pool, Addition(address=JANE))
    again = await add(pool, Addition(address=JANE), permission=Permission.STATED)
    assert (again.added, again.known) == (0, 1)
    assert await status(pool) == ("non_marketable", "marketing")


async def test_an_event_of_before_that_comes_in_late_does_not_undo_an_addition(pool: WriterPool) -> None:
    await add(pool, Addition(address=JANE))
    await report(pool, Kind.DELIVERED)
    assert await status(pool) == ("non_marketable", "marketing")


async def test_a_repeat_under_its_key_changes_nothing_and_another_request_under_it_is_refused(pool: WriterPool) -> None:
    rows = [Addition(address=JANE, tags=("shop",), person="4711"), Addition(address="none")]
    first = await add(pool, *rows, idempotency_key="k")
    again = await add(pool, *rows, idempotency_key="k")
    assert (first.repeated, again.repeated) == (False, True)
    assert [getattr(again, name) for name in ("act_id", "added", "known", "skipped")] == [first.act_id, 1, 0, 1]
    with pytest.raises(RequestRefused, match="was used before"):
        await add(pool, Addition(address=JANE, tags=("other",)), Addition(address="none"), idempotency_key="k")
    assert await tags(pool) == [(JANE, "shop")]
    assert await pool.fetchval("SELECT count(*) FROM entries") == 1


async def test_a_dry_run_counts_and_stores_nothing(pool: WriterPool) -> None:
    answer = await add(pool, Addition(address=JANE, tags=("shop",), person="4711"), dry_run=True)
    assert (answer.act_id, answer.added) == (None, 1)
    for table in ("acts", "contacts", "contact_tags", "people", "entries"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - names above


@pytest.mark.parametrize(
    ("addition", "sentence"),
    [
        (Addition(address="none"), "This is not an e-mail address."),
        (Addition(address=JOE, tags=(" ",)), "Its tag is empty."),
        (Addition(address=JOE, tags=("x" * 101,)), "Its tag has 101 characters; the limit is 100."),
        (Addition(address=JOE, tags=("a\x00b",)), "Its tag holds a character that cannot be printed."),
        (Addition(address=JOE, tags=("t",) * 51), "It has 51 tags; the limit is 50."),
        (Addition(address=JOE, person="\ud800"), "Its person holds a character that cannot be printed."),
        (Addition(address=JOE, field="email_1"), "It names a field and no person."),
    ],
)
async def test_a_faulty_row_is_skipped_and_told_and_the_others_come_in(
    pool: WriterPool, addition: Addition, sentence: str
) -> None:
    answer = await add(pool, Addition(address=JANE), addition)
    assert (answer.added, answer.skipped) == (1, 1)
    assert [skip.sentence for skip in answer.skipped_contacts] == [sentence]
    assert await status(pool, JOE) == ()


async def test_two_requests_at_once_about_the_same_contacts_both_come_in(pool: WriterPool) -> None:
    addresses = [f"person{number}@example.org" for number in range(300)]
    answers = await asyncio.gather(
        *(
            add(pool, *(Addition(address=address, tags=(tag,)) for address in order), tags=("both",))
            for tag, order in (("a", addresses), ("b", addresses[::-1]))
        )
    )
    assert sum(answer.added for answer in answers) == 300
    assert sum(answer.known for answer in answers) == 300
    assert await pool.fetchval("SELECT count(*) FROM contact_tags") == 900


async def test_tags_and_people_are_there_if_and_only_if_the_decision_is(pool: WriterPool) -> None:
    """The table of people refuses: so nothing of the contact is stored either."""
    await pool.execute("ALTER TABLE people ADD CHECK (person <> 'bad')")
    with pytest.raises(Exception, match="check"):
        await add(pool, Addition(address=JANE, tags=("shop",), person="bad"))
    assert await status(pool) == ()
    assert await tags(pool) == []
