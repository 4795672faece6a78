"""Decisions on a real Postgres: once in effect, with who and why, whatever is repeated or cut off."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.decision import Permission, Role, Strength
from schemas.decision_request import DecisionTerms, RequestedKind
from schemas.vocabulary import Blocks, Cause, Channel, Kind, Way
from tests.providers.reading import parse_envelope, wrap
from tests.schemas.feedback_events import START, make_event
from worker.contacts.applying import apply_events
from worker.contacts.batch_terms import BatchRules
from worker.contacts.decision_answer import DecisionAnswer
from worker.contacts.decisions import CONTACTS_AT_ONCE, Question, decide_contacts
from worker.contacts.explanation import contact_explanation
from worker.contacts.policies import Policies
from worker.contacts.principal import Principal
from worker.contacts.story_items import StepView
from worker.errors import RequestRefused
from worker.policy.facts import Facts
from worker.policy.facts_encoding import facts_from_row
from worker.policy.fold import fold_all
from worker.policy.policy_file import recommended_policy
from worker.providers.vendors.sendgrid.sendgrid import PROVIDER as SENDGRID
from worker.samples.posting import post
from worker.store.contact_lookup import find_contact
from worker.store.pool import WriterPool
from worker.store.stored_entries import stored_entries
from worker.store.writer_pool import writing

POLICY = recommended_policy()
RULES = BatchRules(policies=Policies(POLICY), oldest_kept=datetime(2020, 1, 1, tzinfo=UTC))
ANNA = Principal(token_id=None, name="anna", role=Role.OPERATOR, account=None)
LIFT = DecisionTerms(kind=RequestedKind.LIFTED, note="she called")
BLOCK = DecisionTerms(kind=RequestedKind.LISTED, note="a spam trap", cause=Cause.MAILBOX_DOES_NOT_EXIST)
JANE = "jane@example.org"


async def decide(
    pool: WriterPool, terms: DecisionTerms, *addresses: str, progress: Any = None, **asked: Any
) -> DecisionAnswer:
    question = Question(
        terms=terms,
        addresses=addresses or (JANE,),
        account=asked.pop("account", "default"),
        channel=Channel.EMAIL,
        principal=asked.pop("principal", ANNA),
        what="call",
        **asked,
    )
    return await decide_contacts(pool, question, rules=RULES, progress=progress)


async def report(
    pool: WriterPool, kind: Kind, cause: Cause = Cause.NONE, *, address: str = JANE, **fields: Any
) -> None:
    """An ESP reports this a moment ago, unless told otherwise."""
    ago = fields.pop("ago", timedelta(seconds=1))
    now = datetime.now(UTC)
    day = (now - ago - START) / timedelta(days=1)
    event = make_event(kind, cause=cause, address=address, day=day, received_at=now, **fields)
    async with writing(pool) as connection:
        await apply_events(connection, [event], rules=RULES, now=now)


async def status(pool: WriterPool, address: str = JANE) -> Sequence[str]:
    row = await pool.fetchrow("SELECT status, blocks FROM contacts WHERE address = $1", address)
    return tuple(row or ())


async def bounced(pool: WriterPool, *addresses: str) -> None:
    for address in addresses or (JANE,):
        await report(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, address=address)


async def test_a_lift_ends_the_block_and_the_history_says_who_and_why(pool: WriterPool) -> None:
    await bounced(pool)
    assert await status(pool) == ("blocklisted", "all")

    answer = await decide(pool, LIFT)

    assert (answer.made, answer.unchanged, answer.skipped) == (1, 0, 0)
    assert await status(pool) == ("new", "none")
    line = await pool.fetchrow("SELECT old_status, new_status, actor, note FROM status_changes ORDER BY id DESC")
    assert tuple(line or ()) == ("blocklisted", "new", "anna", "she called")
    act = await pool.fetchrow("SELECT id, actor, role, what, note, account FROM acts")
    assert tuple(act or ()) == (answer.act_id, "anna", "operator", "call", "she called", "default")


async def test_a_decision_is_dated_behind_all_that_is_known_of_its_contact(pool: WriterPool) -> None:
    ahead = timedelta(seconds=-30)  # of a vendor's clock that runs ahead a little
    await report(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, ago=ahead)

    await decide(pool, LIFT)

    assert await status(pool) == ("new", "none")
    times = [row["occurred_at"] for row in await pool.fetch("SELECT occurred_at FROM entries ORDER BY occurred_at")]
    assert times[1] - times[0] == timedelta(microseconds=1)


async def test_a_lifted_contact_is_blocked_again_by_what_comes_later(pool: WriterPool) -> None:
    await bounced(pool)
    await decide(pool, LIFT)

    await report(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, message="m2", ago=timedelta(seconds=-1))

    assert await status(pool) == ("blocklisted", "all")


async def test_a_bounce_of_before_the_lift_that_comes_in_late_is_lifted_too(pool: WriterPool) -> None:
    await bounced(pool)
    await decide(pool, LIFT)

    late = timedelta(days=2)
    await report(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, message="m2", ago=late)

    assert await status(pool) == ("new", "none")


async def test_the_facts_are_those_of_folding_the_log_anew(pool: WriterPool) -> None:
    await bounced(pool)
    await decide(pool, LIFT)
    await decide(pool, BLOCK)
    await report(pool, Kind.DELIVERED, message="m3", ago=timedelta(days=1))

    row = await find_contact(pool, JANE, account="default", channel="email")
    assert row is not None
    entries = await stored_entries(pool, row.id)
    assert [entry.kind for entry in entries] == ["delivered", "hard_bounce", "lifted", "listed"]
    assert facts_from_row(row) == fold_all(Facts(), entries, POLICY)


async def test_a_repeat_with_the_same_key_changes_nothing_whatever_came_between(pool: WriterPool) -> None:
    await bounced(pool)
    first = await decide(pool, LIFT, idempotency_key="k1")
    await report(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, message="m2", ago=timedelta(seconds=-1))

    again = await decide(pool, LIFT, idempotency_key="k1")

    assert (first.repeated, again.repeated) == (False, True)
    assert (again.made, again.act_id) == (1, first.act_id)
    assert await status(pool) == ("blocklisted", "all")
    assert await pool.fetchval("SELECT count(*) FROM entries WHERE act_id IS NOT NULL") == 1
    assert await pool.fetchval("SELECT count(*) FROM acts") == 1


async def test_what_was_skipped_is_not_made_up_for_by_a_repeat(pool: WriterPool) -> None:
    first = await decide(pool, LIFT, idempotency_key="k1")
    assert [skip.reason for skip in first.skipped_addresses] == ["unknown_contact"]
    await bounced(pool)

    again = await decide(pool, LIFT, idempotency_key="k1")

    assert [skip.reason for skip in again.skipped_addresses] == ["not_decided_then"]
    assert "new Idempotency-Key" in again.skipped_addresses[0].remedy
    assert await status(pool) == ("blocklisted", "all")


@pytest.mark.parametrize("other", [{"terms": BLOCK}, {"addresses": ["joe@example.org"]}, {"account": "shop"}])
async def test_the_same_key_for_another_request_is_refused(pool: WriterPool, other: dict[str, Any]) -> None:
    await bounced(pool)
    await decide(pool, LIFT, idempotency_key="k1")

    with pytest.raises(RequestRefused) as refused:
        await decide(
            pool,
            other.get("terms", LIFT),
            *other.get("addresses", [JANE]),
            account=other.get("account", "default"),
            idempotency_key="k1",
        )

    assert (refused.value.kind, refused.value.http_status) == ("idempotency-key-reused", 422)


async def test_two_actors_may_use_the_same_key(pool: WriterPool) -> None:
    await decide(pool, BLOCK, idempotency_key="k1")

    other = Principal(token_id=None, name="bert", role=Role.OPERATOR, account=None)
    answer = await decide(pool, BLOCK, idempotency_key="k1", principal=other)

    assert (answer.repeated, answer.made) == (False, 1)


async def test_the_same_request_at_once_many_times_is_one_act_and_one_decision(pool: WriterPool) -> None:
    answers = await asyncio.gather(*(decide(pool, BLOCK, idempotency_key="k1") for _ in range(8)))

    assert {answer.act_id for answer in answers} == {answers[0].act_id}
    assert [answer.made for answer in answers] == [1] * 8
    assert await pool.fetchval("SELECT count(*) FROM entries") == 1
    assert await pool.fetchval("SELECT count(*) FROM status_changes") == 1


async def test_a_large_act_that_is_cut_off_goes_on_when_it_is_repeated(pool: WriterPool) -> None:
    addresses = [f"user{number}@example.org" for number in range(3 * CONTACTS_AT_ONCE + 7)]

    def die(done: int, _of: int) -> None:
        if done >= 2 * CONTACTS_AT_ONCE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await decide(pool, BLOCK, *addresses, idempotency_key="k1", progress=die)
    assert await pool.fetchval("SELECT count(*) FROM entries") == 2 * CONTACTS_AT_ONCE

    answer = await decide(pool, BLOCK, *addresses, idempotency_key="k1")

    assert (answer.repeated, answer.made, answer.skipped) == (True, len(addresses), 0)
    assert await pool.fetchval("SELECT count(*) FROM entries") == len(addresses)
    assert await pool.fetchval("SELECT count(DISTINCT act_id) FROM entries") == 1
    assert await pool.fetchval("SELECT count(*) FROM status_changes") == len(addresses)


async def test_a_dry_run_answers_what_would_happen_and_writes_nothing(pool: WriterPool) -> None:
    await bounced(pool)

    rehearsed = await decide(pool, LIFT, JANE, "joe@example.org", "no address", dry_run=True)

    assert (rehearsed.act_id, rehearsed.dry_run, rehearsed.made, rehearsed.skipped) == (None, True, 1, 2)
    assert await status(pool) == ("blocklisted", "all")
    assert await pool.fetchval("SELECT count(*) FROM acts") == 0
    done = await decide(pool, LIFT, JANE, "joe@example.org", "no address")
    assert done.skipped_addresses == rehearsed.skipped_addresses
    assert (done.made, done.skipped) == (1, 2)


async def test_skipped_addresses_say_why_and_what_to_do_instead(pool: WriterPool) -> None:
    await report(pool, Kind.UNSUBSCRIBE, address="out@example.org")
    await report(pool, Kind.DELIVERED, address="fine@example.org")
    await bounced(pool, "gone@example.org")

    asked = ("out@example.org", "fine@example.org", "who@example.org", "no address", "gone@example.org")
    answer = await decide(pool, LIFT, *asked, "GONE@example.org")

    told = {skip.address: (skip.reason.value, skip.sentence, skip.remedy) for skip in answer.skipped_addresses}
    assert told == {
        "no address": ("invalid_address", "This is not an e-mail address.", "Correct it."),
        "out@example.org": (
            "not_lifted_by_this",
            "A lift does not end the opt-out of everything.",
            "Only a new opt-in by the person does.",
        ),
        "fine@example.org": ("nothing_to_lift", "Nothing forbids mail to this contact.", "Mail it."),
        "who@example.org": (
            "unknown_contact",
            "Nothing is known of this contact, so nothing forbids mail.",
            "Check the spelling and the account.",
        ),
    }
    assert (answer.addresses, answer.made, answer.skipped, answer.duplicates) == (6, 1, 4, 1)


async def test_a_lift_that_leaves_an_optout_says_what_is_still_in_the_way(pool: WriterPool) -> None:
    await report(pool, Kind.UNSUBSCRIBE, ago=timedelta(seconds=5))
    await bounced(pool)

    answer = await decide(pool, LIFT)

    assert await status(pool) == ("unsubscribed", "marketing")
    assert [(left.sentence, left.remedy) for left in answer.still_forbidden] == [
        ("A lift does not end the opt-out of everything.", "Only a new opt-in by the person does.")
    ]


async def test_a_confirmed_optin_by_the_person_ends_what_a_lift_cannot(pool: WriterPool) -> None:
    await report(pool, Kind.UNSUBSCRIBE)
    by_staff = await decide(pool, DecisionTerms(kind=RequestedKind.OPTED_IN, strength=Strength.STAFF))
    assert [skip.reason for skip in by_staff.skipped_addresses] == ["opted_out"]

    confirmed = DecisionTerms(kind=RequestedKind.OPTED_IN, strength=Strength.DOUBLE, by_contact=True)
    answer = await decide(pool, confirmed)

    assert answer.made == 1
    assert (await status(pool))[1] == "none"


async def test_a_contact_is_added_once_and_forbids_marketing_while_its_permission_is_unknown(pool: WriterPool) -> None:
    terms = DecisionTerms(kind=RequestedKind.ADDED, permission=Permission.UNKNOWN)

    first = await decide(pool, terms)
    again = await decide(pool, terms)

    assert await status(pool) == ("non_marketable", "marketing")
    assert (first.made, again.made, again.unchanged, again.skipped) == (1, 0, 1, 0)


async def test_a_listing_ends_by_itself(pool: WriterPool) -> None:
    until = datetime.now(UTC) + timedelta(days=3)
    answer = await decide(
        pool, DecisionTerms(kind=RequestedKind.LISTED, note="a pause", blocks=Blocks.MARKETING, until=until)
    )

    row = await pool.fetchrow("SELECT status, blocks, status_until, next_change_at FROM contacts")
    assert tuple(row or ()) == ("blocklisted", "marketing", until, until)
    assert answer.made == 1


@pytest.mark.parametrize(
    ("terms", "detail"),
    [
        (DecisionTerms(kind=RequestedKind.LIFTED), "without a reason"),
        (DecisionTerms(kind=RequestedKind.LISTED, note="  "), "without a reason"),
        (DecisionTerms(kind=RequestedKind.LIFTED, note="x", cause=Cause.CONTENT), "`cause` says nothing"),
        (DecisionTerms(kind=RequestedKind.LISTED, note="x", blocks=Blocks.NONE), "forbids no mail"),
        (DecisionTerms(kind=RequestedKind.LISTED, note="x", until=datetime(2020, 1, 1, tzinfo=UTC)), "which is past"),
        (DecisionTerms(kind=RequestedKind.LISTED, note="x", until=datetime(2090, 1, 1)), "no time zone"),  # noqa: DTZ001
        (DecisionTerms(kind=RequestedKind.LIFTED, note="a\x00b"), "cannot be printed"),
        (DecisionTerms(kind=RequestedKind.UNSUBSCRIBED_BY_US), "without a reason"),
        (DecisionTerms(kind=RequestedKind.UNSUBSCRIBED_BY_US, note="x", by_contact=True), "`by_contact` says nothing"),
        (DecisionTerms(kind=RequestedKind.DO_NOT_CONTACT, scope="news"), "`scope` says nothing"),
        (DecisionTerms(kind=RequestedKind.DECLINED_COMMERCIAL, strength=Strength.DOUBLE), "`strength` says nothing"),
        (DecisionTerms(kind=RequestedKind.OPTED_IN, way=Way.FORM), "`way` says nothing"),
        (DecisionTerms(kind=RequestedKind.LIFTED, note="a" * 1001), "the limit is 1000"),
    ],
)
async def test_terms_that_make_no_sense_are_refused(pool: WriterPool, terms: DecisionTerms, detail: str) -> None:
    with pytest.raises(RequestRefused, match=detail):
        await decide(pool, terms)

    assert await pool.fetchval("SELECT count(*) FROM acts") == 0


async def test_a_reader_decides_nothing(pool: WriterPool) -> None:
    await bounced(pool)
    reader = Principal(token_id=None, name="rita", role=Role.READER, account=None)

    answer = await decide(pool, LIFT, principal=reader)

    assert [skip.reason for skip in answer.skipped_addresses] == ["not_permitted"]
    assert await status(pool) == ("blocklisted", "all")


async def test_a_drop_for_the_esps_older_list_after_a_lift_is_no_strike_and_is_reported_with_the_remedy(
    pool: WriterPool,
) -> None:
    await bounced(pool)
    await decide(pool, LIFT)
    later = datetime.now(UTC) + timedelta(seconds=1)
    payload = [
        {
            "email": JANE,
            "event": "dropped",
            "reason": "Bounced Address",
            "timestamp": int(later.timestamp()) + 1,
            "sg_event_id": "ZHJvcA",
            "sg_message_id": "m9.filter",
        }
    ]
    posted = wrap(SENDGRID, post("sendgrid", json.dumps(payload).encode(), {"content-type": "application/json"}))
    (event,) = parse_envelope(SENDGRID, replace(posted, received_at=later + timedelta(seconds=5)))
    async with writing(pool) as connection:
        await apply_events(connection, [event], rules=RULES, now=later)

    assert await status(pool) == ("new", "none")
    told = await contact_explanation(pool, JANE, policies=RULES.policies, now=later)
    assert told is not None
    step = told.steps[0]
    assert isinstance(step, StepView)
    assert step.event is not None
    assert (step.event.kind, step.outcome, step.not_counted) == ("dropped", "nothing", "still_suppressed")
    assert "remove the address from the suppression list at sendgrid" in step.sentence
