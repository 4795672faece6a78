"""Safelist requests on a real Postgres: what is decided at once, what waits for a person, and what it comes to."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from schemas.safelist import DeclineReason, Medium, PersonsWish, RequestKind
from schemas.vocabulary import Cause, Kind
from tests.contacts.safelisting import (
    BATCH,
    GOOD,
    JANE,
    a_wish,
    ask,
    complained,
    filled,
    report,
    review,
    status,
)
from worker.contacts.report import contact_report
from worker.contacts.safelist_facts import AccountFacts
from worker.errors import RequestRefused
from worker.policy.safelist import Reputation
from worker.store.pool import WriterPool

NO = DeclineReason.PREVIOUS_FAILURES


async def test_a_full_mailbox_is_freed_at_once_and_the_log_says_who_asked_and_why(pool: WriterPool) -> None:
    await filled(pool)
    assert await status(pool) == ("multiple_soft_bounces", "marketing")

    answer = await ask(pool)

    (result,) = answer.results
    assert (answer.approved, result.state, result.still_forbidden) == (1, "approved", [])
    assert result.remedy == "What was not sent meanwhile is not sent now: send again what matters."
    assert await status(pool) == ("new", "none")
    request = result.request
    assert request is not None
    assert (request.requested_by, request.decided_by, request.rule) == ("kim", "safelist rules", "causes")
    assert request.last_answer == "452 4.2.2 over quota"
    line = await pool.fetchrow("SELECT old_status, new_status, actor, note FROM status_changes ORDER BY id DESC")
    assert tuple(line or ()) == (
        "multiple_soft_bounces",
        "new",
        "safelist rules",
        f"safelist request {request.id} by kim: she wants her receipts",
    )
    detail = await pool.fetchrow("SELECT detail, act_id FROM entries WHERE act_id IS NOT NULL")
    assert detail is not None
    assert (detail["detail"]["origin"], detail["detail"]["role"]) == ("rule", "operator")
    assert detail["act_id"] == request.act_id == answer.act_id


async def test_an_approved_contact_is_blocked_again_by_what_comes_later(pool: WriterPool) -> None:
    await filled(pool)
    await ask(pool)

    await report(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, message="m9", ago=timedelta(seconds=-1))

    assert await status(pool) == ("blocklisted", "all")


async def test_a_second_request_after_an_approval_waits_for_a_person(pool: WriterPool) -> None:
    await filled(pool)
    await ask(pool)
    await report(pool, Kind.HARD_BOUNCE, Cause.MAILBOX_DOES_NOT_EXIST, message="m9", ago=timedelta(seconds=-1))

    (result,) = (await ask(pool)).results

    assert (result.state, result.request and result.request.rule) == ("requested", "approved_before")
    assert "approved once before" in result.sentence


async def test_a_complaint_needs_the_persons_wish_and_waits_for_a_person(pool: WriterPool) -> None:
    await complained(pool)

    (without,) = (await ask(pool)).results
    assert (without.refused, without.state) == ("wish_needed", None)
    (too_old,) = (await ask(pool, wish=a_wish(days_ago=9))).results
    assert too_old.refused == "wish_too_old"
    (result,) = (await ask(pool, wish=a_wish())).results

    assert (result.state, await status(pool)) == ("requested", ("complained", "all"))
    assert result.request is not None
    assert result.request.id is not None
    assert result.request.wish is not None
    assert (result.request.wish.who, result.request.wish.how) == ("Jane Doe", "phone")
    approved = await review(pool, result.request.id, note="heard the call")
    assert approved.request.decided_by == "anna"
    assert await status(pool) == ("new", "none")
    note = await pool.fetchval("SELECT note FROM status_changes ORDER BY id DESC LIMIT 1")
    assert note == f"safelist request {result.request.id} by kim: she wants her receipts (heard the call)"


async def test_a_complaint_has_one_attempt_and_bounces_have_five(pool: WriterPool) -> None:
    await complained(pool)
    (first,) = (await ask(pool, wish=a_wish())).results
    assert first.request is not None
    assert first.request.id is not None
    await review(pool, first.request.id, DeclineReason.SPAM_RELATED)

    (second,) = (await ask(pool, wish=a_wish())).results

    assert (second.refused, second.state) == ("too_many_attempts", None)
    assert second.remedy is not None
    assert "opt-in form" in second.remedy
    full = "full@example.org"
    await filled(pool, full)
    for _ in range(5):
        (asked,) = (await ask(pool, full, preset="by_hand")).results
        assert asked.request is not None
        assert asked.request.id is not None
        await review(pool, asked.request.id, NO)
    (sixth,) = (await ask(pool, full)).results
    assert sixth.refused == "too_many_attempts"
    assert "5 times" in sixth.sentence


async def test_what_is_declined_because_of_the_account_uses_no_attempt_up(pool: WriterPool) -> None:
    await complained(pool)
    bad = AccountFacts(since=GOOD.since, reputation=Reputation.BAD)

    (declined,) = (await ask(pool, wish=a_wish(), account_facts=bad)).results
    (again,) = (await ask(pool, wish=a_wish())).results

    assert declined.request is not None
    assert (declined.state, declined.request.decline_reason) == ("declined", "reputation")
    assert again.state == "requested"


async def test_there_is_one_open_request_for_a_contact(pool: WriterPool) -> None:
    await filled(pool)
    (first,) = (await ask(pool, preset="by_hand")).results

    (second,) = (await ask(pool, preset="by_hand")).results

    assert (first.state, second.refused) == ("requested", "requested_already")
    assert await pool.fetchval("SELECT count(*) FROM safelist_requests") == 1


@pytest.mark.parametrize(
    ("kind", "refused", "words"),
    [
        (Kind.UNSUBSCRIBE, "not_eligible", "opt-in form"),
        (Kind.DECLINES_COMMERCIAL, "not_eligible", "opt-in form"),
        (Kind.FORBIDS_CONTACT, "not_eligible", "opt-in form"),
        (Kind.DELIVERED, "nothing_forbids", "Mail it."),
    ],
)
async def test_others_are_refused_with_what_to_do_instead(
    pool: WriterPool, kind: Kind, refused: str, words: str
) -> None:
    await report(pool, kind)

    (result,) = (await ask(pool)).results

    assert (result.refused, result.state, result.request) == (refused, None, None)
    assert result.remedy is not None
    assert words in result.remedy
    assert await pool.fetchval("SELECT count(*) FROM safelist_requests") == 0


async def test_an_approval_names_what_still_forbids_mail(pool: WriterPool) -> None:
    await report(pool, Kind.UNSUBSCRIBE, ago=timedelta(days=60))
    await filled(pool)

    (result,) = (await ask(pool)).results

    assert (result.state, result.remedy) == ("approved", "Look at what still forbids mail before you send anything.")
    assert [(left.forbids, left.remedy) for left in result.still_forbidden] == [
        (("marketing",), "Only a new opt-in by the person does.")
    ]
    assert await status(pool) == ("unsubscribed", "marketing")


async def test_an_approval_is_refused_if_the_contact_has_complained_since(pool: WriterPool) -> None:
    await filled(pool)
    (asked,) = (await ask(pool, preset="by_hand")).results
    assert asked.request is not None
    assert asked.request.id is not None
    await complained(pool, days_ago=0)

    with pytest.raises(RequestRefused, match="something else forbids mail: the complaint"):
        await review(pool, asked.request.id)

    assert (await status(pool))[0] == "complained"
    declined = await review(pool, asked.request.id, DeclineReason.OTHER, note="she complained meanwhile")
    assert (declined.request.state, declined.request.decision_note) == ("declined", "she complained meanwhile")


async def test_an_approval_is_refused_if_the_person_has_asked_for_no_contact_since(pool: WriterPool) -> None:
    await filled(pool)
    (asked,) = (await ask(pool, preset="by_hand")).results
    assert asked.request is not None
    assert asked.request.id is not None
    await report(pool, Kind.FORBIDS_CONTACT)

    with pytest.raises(RequestRefused, match="something else forbids mail: the wish never to be contacted"):
        await review(pool, asked.request.id)

    assert (await status(pool))[0] == "do_not_contact"


async def test_a_reviewed_approval_says_that_an_earlier_opt_out_still_forbids_mail(pool: WriterPool) -> None:
    await report(pool, Kind.UNSUBSCRIBE, ago=timedelta(days=60))
    await filled(pool)
    (asked,) = (await ask(pool, preset="by_hand")).results
    assert asked.request is not None
    assert asked.request.id is not None

    answer = await review(pool, asked.request.id)

    assert answer.sentence.endswith("is approved, and something else still forbids mail.")
    assert answer.remedy == "Look at what still forbids mail before you send anything."
    assert [left.forbids for left in answer.still_forbidden] == [("marketing",)]


async def test_a_request_is_decided_once_and_a_repeat_says_so(pool: WriterPool) -> None:
    await filled(pool)
    (asked,) = (await ask(pool, preset="by_hand")).results
    assert asked.request is not None
    assert asked.request.id is not None
    first = await review(pool, asked.request.id)

    again = await review(pool, asked.request.id)

    assert (first.repeated, again.repeated) == (False, True)
    assert again.request == first.request
    assert await pool.fetchval("SELECT count(*) FROM entries WHERE act_id IS NOT NULL") == 1
    with pytest.raises(RequestRefused) as refused:
        await review(pool, asked.request.id, NO)
    assert (refused.value.kind, refused.value.http_status) == ("decided-already", 409)
    with pytest.raises(RequestRefused, match="no safelist request 999"):
        await review(pool, 999)
    with pytest.raises(RequestRefused, match="of account 'shop'"):
        await review(pool, asked.request.id, account="shop")


async def test_a_dry_run_answers_what_would_happen_and_writes_nothing(pool: WriterPool) -> None:
    await filled(pool)

    rehearsed = await ask(pool, dry_run=True)

    assert (rehearsed.act_id, rehearsed.approved, rehearsed.results[0].state) == (None, 1, "approved")
    for table in ("safelist_requests", "acts"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - the names above
    (asked,) = (await ask(pool, preset="by_hand")).results
    assert asked.request is not None
    assert asked.request.id is not None
    assert (await review(pool, asked.request.id, dry_run=True)).request.state == "approved"
    assert (await status(pool))[1] == "marketing"
    assert await pool.fetchval("SELECT state FROM safelist_requests") == "requested"


async def test_many_are_asked_for_at_once_and_a_repeat_with_the_key_changes_nothing(pool: WriterPool) -> None:
    await filled(pool)
    await report(pool, Kind.UNSUBSCRIBE, address="out@example.org")
    asked = (JANE, "JANE@example.org", "out@example.org", "no address", "who@example.org")

    first = await ask(pool, *asked, idempotency_key="k1")
    await filled(pool, "who@example.org")
    again = await ask(pool, *asked, idempotency_key="k1")

    assert (first.approved, first.refused, first.duplicates, first.addresses) == (1, 3, 1, 5)
    assert (first.repeated, again.repeated) == (False, True)
    assert {one.address: one.refused for one in again.results} == {
        "no address": "invalid_address",
        JANE: None,
        "out@example.org": "not_requested_then",
        "who@example.org": "not_requested_then",
    }
    assert await pool.fetchval("SELECT count(*) FROM safelist_requests") == 1
    with pytest.raises(RequestRefused, match="for another request"):
        await ask(pool, JANE, idempotency_key="k1")


async def test_a_list_owner_blocks_somebody_whom_nobody_knows_yet(pool: WriterPool) -> None:
    (result,) = (await ask(pool, "trap@example.org", kind=RequestKind.BLOCK, note="a trap")).results

    assert (result.state, result.remedy) == ("approved", None)
    assert await status(pool, "trap@example.org") == ("blocklisted", "all")
    (again,) = (await ask(pool, "trap@example.org", kind=RequestKind.BLOCK, note="a trap")).results
    assert again.refused == "blocked_already"


async def test_a_request_to_block_waits_where_a_person_decides_everything(pool: WriterPool) -> None:
    (asked,) = (await ask(pool, kind=RequestKind.BLOCK, note="a trap", preset="by_hand")).results
    assert asked.request is not None
    assert asked.request.id is not None
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 0

    await review(pool, asked.request.id)

    assert await status(pool) == ("blocklisted", "all")


@pytest.mark.parametrize(
    ("note", "wish", "detail"),
    [
        ("  ", None, "without a reason"),
        ("x\x00", None, "cannot be printed"),
        ("x" * 1001, None, "the limit is 1000"),
        ("x", PersonsWish(who=" ", when=datetime(2026, 1, 1, tzinfo=UTC), how=Medium.CHAT), "`wish.who` is empty"),
        ("x", PersonsWish(who="J", when=datetime(2026, 1, 1), how=Medium.CHAT), "no time zone"),  # noqa: DTZ001
        ("x", PersonsWish(who="J", when=datetime(2090, 1, 1, tzinfo=UTC), how=Medium.CHAT), "which is ahead"),
    ],
)
async def test_requests_that_make_no_sense_are_refused(
    pool: WriterPool, note: str, wish: PersonsWish | None, detail: str
) -> None:
    with pytest.raises(RequestRefused, match=detail):
        await ask(pool, note=note, wish=wish)


async def test_the_report_tells_whether_a_request_is_possible_and_shows_those_that_were_made(pool: WriterPool) -> None:
    await filled(pool)
    now = datetime.now(UTC)
    before = await contact_report(pool, JANE, policies=BATCH.policies, now=now)
    assert before is not None
    assert (before.safelist.possible, before.safelist.attempts, before.safelist.most_attempts) == (True, 0, 5)
    (asked,) = (await ask(pool, preset="by_hand")).results

    during = await contact_report(pool, JANE, policies=BATCH.policies, now=now)

    assert during is not None
    assert asked.request is not None
    assert (during.safelist.possible, during.safelist.remedy) == (False, "Wait for its decision.")
    assert during.safelist.requests == (asked.request,)


async def test_requests_and_decisions_are_lines_of_the_log(
    pool: WriterPool, capsys: pytest.CaptureFixture[str]
) -> None:
    await filled(pool)
    (asked,) = (await ask(pool, preset="by_hand")).results
    assert asked.request is not None
    assert asked.request.id is not None
    await review(pool, asked.request.id)
    await asyncio.sleep(0)  # the lines of one turn are written at its end

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    names = [line["event"] for line in lines if line["event"] != "status.changed"]
    assert names == ["safelist.requested", "safelist.decided", "decision.made"]
    assert (lines[-3]["state"], lines[-3]["actor"], lines[-3]["contact"]) == ("approved", "anna", "j***@example.org")
