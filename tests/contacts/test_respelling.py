"""Contacts that a former version stored under two spellings of one address are one after an upgrade."""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.address import normalise_address
from schemas.entry import Entry
from schemas.feedback_event import FeedbackEvent
from schemas.vocabulary import Cause, Channel, Kind
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import BatchRules, apply_events
from worker.contacts.policies import Policies
from worker.contacts.respelling import Respelled, count_respellings, respell_contacts
from worker.contacts.retention import drop_old_months
from worker.policy.facts import Facts
from worker.policy.facts_encoding import encode_facts, facts_from_row
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.processor.batch import BatchWriter
from worker.store.contact_rows import lock_contacts_by_id
from worker.store.contact_spelling import ONE_SPELLING
from worker.store.event_rows import EVENT_COLUMNS
from worker.store.partitions import month_of, retire_partition
from worker.store.people import ContactTag, PersonAddress, insert_addresses, insert_tags, people_of, tags_of
from worker.store.pool import WriterPool
from worker.store.status_feed import BEGINNING, changes_after
from worker.store.stored_entries import stored_entries
from worker.store.writer_pool import writing

POLICY = recommended_policy()
RULES = BatchRules(policies=Policies(POLICY), oldest_kept=START - timedelta(days=400))
NOW = START + timedelta(days=20)
JANE, QUOTED = "jane@example.org", '"jane"@example.org'
GONE = make_event(Kind.HARD_BOUNCE, cause=Cause.MAILBOX_DOES_NOT_EXIST, day=3)
DELIVERED = make_event(Kind.DELIVERED, day=1)
FULL = [make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=day, message=f"m{day}") for day in (0, 4, 8, 12, 16)]


async def store(pool: WriterPool, address: str, *events: FeedbackEvent) -> None:
    """As a former version did, under this very spelling."""
    async with writing(pool) as connection:
        spelled = [replace(event, address=address) for event in events]
        applied = await apply_events(connection, spelled, rules=RULES, now=NOW)
        assert applied.new_events == len(events)


async def respell(pool: WriterPool) -> Respelled:
    done = await respell_contacts(pool, Policies(POLICY), now=NOW)
    done.looked_at = 0
    return done


async def statuses(pool: WriterPool) -> dict[str, str]:
    return {row["address"]: row["status"] for row in await pool.fetch("SELECT address, status FROM contacts")}


async def facts_of(pool: WriterPool, address: str) -> Facts:
    async with pool.acquire() as connection:
        contact_id = await connection.fetchval("SELECT id FROM contacts WHERE address = $1", address)
        (row,) = await lock_contacts_by_id(connection, [contact_id])
    return facts_from_row(row)


async def events_of(pool: WriterPool, address: str) -> list[Entry]:
    return await stored_entries(pool, await pool.fetchval("SELECT id FROM contacts WHERE address = $1", address))


async def told(pool: WriterPool) -> list[tuple[str, str]]:
    """What readers of the feed were told."""
    changes = await changes_after(pool, BEGINNING, limit=100)
    return [(change.address, change.new_status) for change in changes]


@pytest.mark.parametrize("spelling", [QUOTED, "jane@example.org;", "jane@example.org>", "mailto:jane@example.org"])
async def test_a_contact_under_a_former_spelling_gets_todays(pool: WriterPool, spelling: str) -> None:
    await store(pool, spelling, GONE)
    assert await respell(pool) == Respelled(renamed=1)
    assert await statuses(pool) == {JANE: "blocklisted"}


async def test_two_spellings_of_one_address_become_one_contact_with_the_events_of_both(pool: WriterPool) -> None:
    await store(pool, JANE, *FULL[:3])
    await store(pool, QUOTED, *FULL[3:])
    assert set((await statuses(pool)).values()) == {"soft_bouncing"}

    assert await respell(pool) == Respelled(joined=1)

    assert await statuses(pool) == {JANE: "multiple_soft_bounces"}
    assert [event.event_key for event in await events_of(pool, JANE)] == [event.event_key for event in FULL]
    assert await facts_of(pool, JANE) == fold_all(Facts(), FULL, POLICY)
    line = await pool.fetchrow("SELECT * FROM status_changes ORDER BY id DESC LIMIT 1")
    assert line is not None
    assert (line["old_status"], line["new_status"], line["actor"]) == (
        "soft_bouncing",
        "multiple_soft_bounces",
        "migration",
    )
    assert line["note"] == f"was also stored under another spelling of this address: {QUOTED}"


async def test_tags_and_people_of_both_are_those_of_the_one(pool: WriterPool) -> None:
    await store(pool, JANE, DELIVERED)
    await store(pool, QUOTED, make_event(Kind.DELIVERED, day=2))
    ids = {row["address"]: row["id"] for row in await pool.fetch("SELECT address, id FROM contacts")}
    act_id = await pool.fetchval(
        "INSERT INTO acts (actor, role, what, at) VALUES ('anna', 'operator', 'call', now()) RETURNING id"
    )
    told = [(JANE, "shop", "email_1"), (QUOTED, "shop", "email_1"), (QUOTED, "vip", "email_2")]
    async with writing(pool) as connection:
        for address, tag, field in told:
            said = {"contact_id": ids[address], "added_at": NOW, "act_id": act_id}
            await insert_tags(connection, [ContactTag(tag=tag, **said)])
            await insert_addresses(connection, [PersonAddress(account="default", person="4711", field=field, **said)])

    await respell(pool)

    jane = await pool.fetchval("SELECT id FROM contacts")
    assert await tags_of(pool, jane, limit=9) == ["shop", "vip"]
    people = await people_of(pool, jane, limit=9)
    assert [(one.person, one.field) for one in people] == [("4711", "email_1"), ("4711", "email_2")]
    assert await pool.fetchval("SELECT count(*) FROM people") == 2


async def test_several_former_spellings_without_todays_become_one_contact(pool: WriterPool) -> None:
    await store(pool, QUOTED, *FULL[:2])
    await store(pool, "jane@example.org;", *FULL[2:4])
    await store(pool, "mailto:jane@example.org", FULL[4])
    assert await respell(pool) == Respelled(renamed=1, joined=2)
    assert await statuses(pool) == {JANE: "multiple_soft_bounces"}
    assert await pool.fetchval("SELECT count(DISTINCT contact_id) FROM log") == 1


@pytest.mark.parametrize("blocked", [JANE, QUOTED])
async def test_a_block_under_one_spelling_holds_for_the_other(pool: WriterPool, blocked: str) -> None:
    free = QUOTED if blocked == JANE else JANE
    await store(pool, free, DELIVERED)
    await store(pool, blocked, GONE)
    await respell(pool)
    assert await statuses(pool) == {JANE: "blocklisted"}


async def test_the_history_of_both_is_the_history_of_the_one(pool: WriterPool) -> None:
    await store(pool, JANE, DELIVERED)
    await store(pool, QUOTED, *FULL[:2])
    await store(pool, QUOTED, GONE)
    before = await pool.fetch("SELECT id, new_status FROM status_changes ORDER BY id")
    await respell(pool)
    after = await pool.fetch("SELECT id, new_status, contact_id FROM status_changes ORDER BY id")
    assert [(row["id"], row["new_status"]) for row in after[: len(before)]] == [tuple(row) for row in before]
    assert {row["contact_id"] for row in after} == {await pool.fetchval("SELECT id FROM contacts")}


async def test_readers_of_the_feed_are_told_what_holds_for_todays_spelling(pool: WriterPool) -> None:
    await store(pool, QUOTED, GONE)
    assert await told(pool) == [(QUOTED, "blocklisted")]
    await respell(pool)
    assert (await told(pool))[-1] == (JANE, "blocklisted")
    assert len(await told(pool)) == 2


async def test_what_was_told_last_of_another_spelling_is_not_the_last_word(pool: WriterPool) -> None:
    """A reader who has yet to read it is told it under today's spelling."""
    await store(pool, JANE, GONE)
    await store(pool, QUOTED, *FULL[:2])
    await respell(pool)
    assert await told(pool) == [(JANE, "blocklisted"), (JANE, "soft_bouncing"), (JANE, "blocklisted")]


async def test_nobody_is_told_of_contacts_who_may_be_mailed_as_before(pool: WriterPool) -> None:
    await store(pool, JANE, DELIVERED)
    await store(pool, QUOTED, make_event(Kind.OPENED, day=2))
    await respell(pool)
    assert await told(pool) == []
    facts = await facts_of(pool, JANE)
    assert (facts.engagement.last_delivered_at, facts.engagement.last_opened_at) == (
        START + timedelta(days=1),
        START + timedelta(days=2),
    )


@pytest.mark.parametrize("kept", [JANE, QUOTED])
async def test_an_event_that_both_have_stored_counts_once(pool: WriterPool, kept: str) -> None:
    """By the key alone: one copy may have met another clock."""
    other = QUOTED if kept == JANE else JANE
    for days, address in ((0, kept), (5, other)):
        await store(pool, address, replace(FULL[0], occurred_at=START + timedelta(days=days)))
    await store(pool, JANE, FULL[2])
    await respell(pool)
    (state,) = (await facts_of(pool, JANE)).deliverability.rules
    assert len(state.strikes) == 2
    assert len(await events_of(pool, JANE)) == 2
    assert await pool.fetchval("SELECT count(*) FROM log") == 2


async def keep(pool: WriterPool) -> None:
    """What lies in months is kept, as if they were dropped."""
    columns = ", ".join(EVENT_COLUMNS)
    await pool.execute(f"INSERT INTO kept_calm_events ({columns}) SELECT {columns} FROM calm_events")  # noqa: S608 - constants
    await pool.execute("DELETE FROM calm_events")


async def test_a_calm_event_that_both_have_stored_stays_once_though_one_copy_left_its_month(pool: WriterPool) -> None:
    await store(pool, JANE, DELIVERED)
    await keep(pool)
    await store(pool, QUOTED, replace(DELIVERED, occurred_at=DELIVERED.occurred_at + timedelta(days=5)))
    await respell(pool)
    assert [event.occurred_at for event in await events_of(pool, JANE)] == [DELIVERED.occurred_at]
    assert await pool.fetchval("SELECT count(*) FROM log") == 1


@pytest.mark.parametrize("spelling", [JANE, QUOTED])
async def test_an_event_that_each_has_read_as_another_kind_stays_once(pool: WriterPool, spelling: str) -> None:
    other = QUOTED if spelling == JANE else JANE
    await store(pool, spelling, GONE)
    await store(pool, other, replace(GONE, kind=Kind.OTHER, cause=Cause.NONE))
    await respell(pool)
    assert await statuses(pool) == {JANE: "blocklisted"}
    assert [event.kind for event in await events_of(pool, JANE)] == [Kind.HARD_BOUNCE]
    assert await pool.fetchval("SELECT count(*) FROM log") == 1


async def test_both_have_kept_the_same_event_beyond_the_retention(pool: WriterPool) -> None:
    await store(pool, JANE, DELIVERED)
    await keep(pool)
    await store(pool, QUOTED, DELIVERED)
    await keep(pool)
    await respell(pool)
    assert await pool.fetchval("SELECT count(*) FROM kept_calm_events") == 1
    assert await statuses(pool) == {JANE: "active"}


async def test_what_lies_in_a_month_that_is_being_dropped_outlives_it(pool: WriterPool) -> None:
    """It takes no writes any more."""
    await store(pool, JANE, DELIVERED)
    await store(pool, QUOTED, GONE)
    async with pool.acquire() as connection:
        await retire_partition(connection, month_of(START))
    assert await respell(pool) == Respelled(joined=1)
    await drop_old_months(pool, now=START + timedelta(days=62), retention_months=1)
    assert await pool.fetchval("SELECT count(*) FROM calm_events") == 0
    assert Kind.HARD_BOUNCE in [event.kind for event in await events_of(pool, JANE)]
    await store(pool, JANE, make_event(Kind.DELIVERED, day=70))
    await store(pool, JANE, make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=65))  # folds anew
    assert await statuses(pool) == {JANE: "blocklisted"}


@pytest.mark.parametrize("with_base", [JANE, QUOTED])
async def test_what_one_spelling_knew_before_its_oldest_event_and_the_other_by_events_both_hold(
    pool: WriterPool, with_base: str
) -> None:
    other = QUOTED if with_base == JANE else JANE
    await store(pool, with_base, make_event(Kind.DELIVERED, day=19))
    base = fold_all(Facts(), [make_event(Kind.UNSUBSCRIBE, scope="news", day=2)], POLICY)
    await pool.execute("UPDATE contacts SET base = $1, base_until = $2", encode_facts(base), NOW - timedelta(days=10))
    await store(pool, other, make_event(Kind.RESUBSCRIBE, day=1), GONE)

    await respell(pool)

    async def holds() -> bool:
        facts = await facts_of(pool, JANE)
        return bool(facts.deliverability.blocks) and [optout.scope for optout in facts.consent.optouts] == ["news"]

    assert await holds()
    await store(pool, JANE, make_event(Kind.SOFT_BOUNCE, cause=Cause.MAILBOX_FULL, day=18))  # folds anew
    assert await holds()


async def test_what_is_spelled_as_today_stays_and_accounts_and_channels_are_kept_apart(pool: WriterPool) -> None:
    await store(pool, "josé@example.org", make_event(Kind.DELIVERED, key="1"))
    await store(pool, '"jane doe"@example.org', make_event(Kind.DELIVERED, key="2"))
    await store(pool, "'quote@example.org", make_event(Kind.DELIVERED, key="3"))
    await store(pool, JANE, make_event(Kind.DELIVERED, key="4", account="other"))
    await store(pool, JANE, make_event(Kind.DELIVERED, key="5", channel=Channel.SMS))
    await store(pool, QUOTED, make_event(Kind.DELIVERED, key="6", channel=Channel.SMS))
    assert await respell(pool) == Respelled()
    await store(pool, QUOTED, make_event(Kind.DELIVERED, key="7"))
    assert await respell(pool) == Respelled(renamed=1)
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE address = $1", JANE) == 3


async def test_what_is_no_address_stays_and_is_counted(pool: WriterPool) -> None:
    await store(pool, "a@example.org,b@example.org", GONE)
    assert await respell(pool) == Respelled(no_address=1)
    assert await statuses(pool) == {"a@example.org,b@example.org": "blocklisted"}


async def test_what_would_be_done_is_counted_and_not_done(pool: WriterPool) -> None:
    await store(pool, JANE, make_event(Kind.DELIVERED, key="1"))
    await store(pool, QUOTED, make_event(Kind.DELIVERED, key="2"))
    await store(pool, "mailto:joe@example.org", make_event(Kind.DELIVERED, key="3"))
    await store(pool, '"joe"@example.org', make_event(Kind.DELIVERED, key="4"))
    await store(pool, "a@example.org,b@example.org", make_event(Kind.DELIVERED, key="5"))
    before = await statuses(pool)
    would = await count_respellings(pool)
    assert would == Respelled(looked_at=5, renamed=1, joined=2, no_address=1)
    assert await statuses(pool) == before
    assert await respell_contacts(pool, Policies(POLICY), now=NOW) == would


async def test_what_was_looked_at_is_not_looked_at_again(pool: WriterPool) -> None:
    await store(pool, QUOTED, GONE)
    last = await pool.fetchval("SELECT id FROM contacts")
    await respell(pool)
    assert await pool.fetchval("SELECT looked_at_to FROM contact_spelling") == last
    await pool.execute("UPDATE contact_spelling SET looked_at_to = 1_000_000")
    await pool.execute("UPDATE contacts SET address = $1", QUOTED)
    assert await respell_contacts(pool, Policies(POLICY)) == Respelled(looked_at=0)


async def test_a_contact_that_a_worker_stores_while_another_gets_its_address_is_joined(pool: WriterPool) -> None:
    await store(pool, QUOTED, GONE)
    async with writing(pool) as worker:
        await apply_events(worker, [make_event(Kind.DELIVERED, day=5)], rules=RULES, now=NOW)
        respelling = asyncio.create_task(respell(pool))
        await asyncio.wait([respelling], timeout=0.3)
        assert not respelling.done()
    assert await respelling == Respelled(joined=1)
    assert await statuses(pool) == {JANE: "blocklisted"}
    assert len(await events_of(pool, JANE)) == 2


async def test_beside_workers_of_both_versions_every_event_counts_once(pool: WriterPool) -> None:
    """All of them take in the same contacts, which several respellings join meanwhile."""
    names = [f"n{number}" for number in range(30)]

    def batches(spelling: str, seed: int) -> Sequence[list[FeedbackEvent]]:
        made = [
            [
                make_event(Kind.DELIVERED, day=day, key=f"{name} {day} {seed}", address=spelling.format(name))
                for name in names
            ]
            for day in range(12)
        ]
        return [batch[::-1] if seed % 2 else batch for batch in made]

    async def work(spelling: str, seed: int) -> None:
        writer = BatchWriter(pool, RULES)
        for batch in batches(spelling, seed):
            committed = await writer.commit(batch)
            assert committed.refused == []

    async def respell_often() -> None:
        for _ in range(6):
            await respell_contacts(pool, Policies(POLICY))

    await asyncio.gather(
        *(work("{}@example.org", seed) for seed in (1, 2)),
        *(work('"{}"@example.org', seed) for seed in (3, 4)),
        respell_often(),
        respell_often(),
    )
    await respell(pool)

    assert sorted(await statuses(pool)) == sorted(f"{name}@example.org" for name in names)
    for name in names:
        events = await events_of(pool, f"{name}@example.org")
        assert len(events) == 4 * 12
        assert await facts_of(pool, f"{name}@example.org") == fold_all(Facts(), events, POLICY)


@given(
    text=st.from_regex(re.compile(ONE_SPELLING, re.ASCII), fullmatch=True) | st.text("ab.-_'\"<>()@;,+:é ", max_size=20)
)
def test_an_address_that_is_not_looked_at_closely_has_no_other_spelling(text: str) -> None:
    text = text.removesuffix("\n")
    if re.search(ONE_SPELLING, text) and not text.endswith("\n"):
        assert normalise_address(text) in {text, None}
