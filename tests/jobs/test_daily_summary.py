"""The daily summary against a real SMTP server: once, at its hour, whatever fails or dies meanwhile."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from schemas.safelist import DeclineReason, RequestKind
from tests.contacts.safelisting import a_wish, ask, complained, review
from tests.jobs.job_settings import job_settings
from tests.jobs.smtp_server import SmtpServer
from tests.jobs.summaries import BEFORE, EIGHT, RECIPIENT, an_account, blocked, decided_at, look, settings_for, states
from tests.properties import few
from tests.waiting import until
from worker.jobs.service import run_jobs
from worker.process.backlog import Backlog
from worker.store.pool import WriterPool

REPOSITORY = Path(__file__).parent.parent.parent
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TEN_PAST = EIGHT + 10 * MINUTE


def parts(mail: EmailMessage) -> tuple[str, str]:
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


async def test_what_was_decided_is_told_at_eight_and_what_waits_is_not(pool: WriterPool, smtp: SmtpServer) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    for address in ("jane@example.org", "john@example.org"):
        await complained(pool, address)
    asked = [(await ask(pool, who, wish=a_wish())).results[0] for who in ("jane@example.org", "john@example.org")]
    jane = asked[0].request
    assert jane is not None
    assert jane.id is not None
    await review(pool, jane.id, DeclineReason.SPAM_RELATED)
    await decided_at(pool, jane.id, BEFORE)

    await look(pool, smtp.port, EIGHT - timedelta(seconds=1))
    assert smtp.accepted == []
    await look(pool, smtp.port, EIGHT)

    (mail,) = smtp.accepted
    assert mail["To"] == RECIPIENT
    assert mail["From"] == "bouncekeeper@shop.example"
    assert mail["Subject"] == "Safelist requests of default, 2026-07-01: 1 approved, 1 declined"
    assert mail["Auto-Submitted"] == "auto-generated"
    for text in parts(mail):
        assert "gone@example.org" in text
        assert "jane@example.org" in text
        assert "john@example.org" not in text
    assert "Declined (spam_related) by anna, 2026-07-01 07:30" in parts(mail)[0]
    assert await states(pool) == [("accepted", 1)]


async def test_each_decision_is_told_once_and_a_day_without_one_sends_nothing(
    pool: WriterPool, smtp: SmtpServer
) -> None:
    await an_account(pool)
    await look(pool, smtp.port, EIGHT)
    await blocked(pool, "first@example.org")
    await blocked(pool, "late@example.org", at=EIGHT + timedelta(seconds=1))

    for minutes in (0, 1, 30, 600):
        await look(pool, smtp.port, EIGHT + minutes * MINUTE)
    for day in (1, 2):
        await look(pool, smtp.port, EIGHT + 24 * day * HOUR)

    first, second = smtp.accepted
    assert "late@example.org" not in parts(first)[0]
    assert "first@example.org" not in parts(second)[0]
    assert "late@example.org" in parts(second)[0]
    assert first["Message-ID"] != second["Message-ID"]


async def test_a_decision_whose_transaction_ends_after_the_hour_is_told_by_the_next_one(
    pool: WriterPool, smtp: SmtpServer
) -> None:
    await an_account(pool)
    await blocked(pool, "first@example.org")
    await look(pool, smtp.port, EIGHT)
    await blocked(pool, "slow@example.org", at=EIGHT - timedelta(milliseconds=1))

    await look(pool, smtp.port, EIGHT + MINUTE)
    assert len(smtp.accepted) == 1
    await look(pool, smtp.port, EIGHT + 24 * HOUR)
    assert "slow@example.org" in parts(smtp.accepted[1])[0]


async def test_a_missed_hour_is_made_up_on_the_same_date_and_else_told_the_next_day(
    pool: WriterPool, smtp: SmtpServer
) -> None:
    await an_account(pool)
    await blocked(pool, "first@example.org")
    late_evening = datetime(2026, 7, 2, 3, 59, tzinfo=UTC)

    await look(pool, smtp.port, late_evening)
    (mail,) = smtp.accepted
    assert "2026-07-01" in mail["Subject"]

    await blocked(pool, "second@example.org", at=late_evening)
    await look(pool, smtp.port, datetime(2026, 7, 3, 4, 1, tzinfo=UTC))  # nobody looked on July 2
    assert len(smtp.accepted) == 1
    await look(pool, smtp.port, datetime(2026, 7, 3, 12, 0, tzinfo=UTC))
    assert "2026-07-03" in smtp.accepted[1]["Subject"]


@pytest.mark.parametrize(
    ("zone", "first_look", "instants"),
    few(
        [
            ("America/New_York", "2026-03-07T05:10Z", ["2026-03-07T13:00Z", "2026-03-08T12:00Z", "2026-03-09T12:00Z"]),
            ("America/New_York", "2026-10-31T05:10Z", ["2026-10-31T12:00Z", "2026-11-01T13:00Z", "2026-11-02T13:00Z"]),
            ("Europe/Berlin", "2026-03-28T00:10Z", ["2026-03-28T07:00Z", "2026-03-29T06:00Z", "2026-03-30T06:00Z"]),
            ("Europe/Berlin", "2026-10-24T00:10Z", ["2026-10-24T06:00Z", "2026-10-25T07:00Z", "2026-10-26T07:00Z"]),
            ("Asia/Tokyo", "2026-03-28T00:10Z", ["2026-03-28T23:00Z", "2026-03-29T23:00Z", "2026-03-30T23:00Z"]),
        ],
        2,
        one_name=False,
    ),
)
async def test_across_a_change_of_the_clocks_it_comes_once_a_day_at_eight(
    pool: WriterPool, smtp: SmtpServer, zone: str, first_look: str, instants: list[str]
) -> None:
    await an_account(pool, zone=zone)
    start = datetime.fromisoformat(first_look)
    arrived = []
    for step in range(72 * 6):
        now = start + step * 10 * MINUTE
        if step % 18 == 0:
            await blocked(pool, f"contact-{step}@example.org", at=now - MINUTE)
        before = len(smtp.accepted)
        await look(pool, smtp.port, now)
        arrived += [now] * (len(smtp.accepted) - before)

    assert arrived == [datetime.fromisoformat(instant) for instant in instants]
    told = "".join(parts(mail)[0] for mail in smtp.accepted)
    assert told.count("- contact-") == len({line for line in told.splitlines() if line.startswith("- contact-")})


@pytest.mark.parametrize(
    ("hour", "day"), [(2, "2026-03-08T04:00Z"), (1, "2026-11-01T03:00Z")], ids=["skipped hour", "hour that comes twice"]
)
async def test_an_hour_that_is_skipped_or_comes_twice_sends_one(
    pool: WriterPool, smtp: SmtpServer, hour: int, day: str
) -> None:
    await an_account(pool)
    start = datetime.fromisoformat(day)
    for step in range(12 * 6):
        now = start + step * 10 * MINUTE
        await blocked(pool, f"contact-{step}@example.org", at=now - MINUTE)
        await look(pool, smtp.port, now, hour=hour)

    assert len(smtp.accepted) == 1


async def test_without_recipients_it_is_logged_and_no_address_is_in_the_log(
    pool: WriterPool, smtp: SmtpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await an_account(pool, recipients=())
    await blocked(pool, "gone@example.org")
    capsys.readouterr()

    await look(pool, smtp.port, EIGHT)

    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["text"]) == ("summary.made", "1 request decided: 1 approved.")
    assert (line["account"], line["local_date"], line["recipients"]) == ("default", "2026-07-01", 0)
    assert "gone@" not in json.dumps(line)
    assert smtp.came == []


async def test_of_two_accounts_each_has_its_own_at_its_own_hour(pool: WriterPool, smtp: SmtpServer) -> None:
    await an_account(pool, zone="Europe/Berlin")
    await an_account(pool, name="other", recipients=("other@shop.example",))
    await blocked(pool, "gone@example.org", at=datetime(2026, 7, 1, 5, tzinfo=UTC))

    await look(pool, smtp.port, datetime(2026, 7, 1, 6, 0, tzinfo=UTC))
    await look(pool, smtp.port, EIGHT)

    assert [mail["To"] for mail in smtp.accepted] == [RECIPIENT]


async def test_the_process_of_a_processor_sends_what_is_due(
    pool: WriterPool, database_dsn: str, smtp: SmtpServer
) -> None:
    await an_account(pool, zone="UTC")
    await blocked(pool, "gone@example.org", at=datetime.now(UTC) - timedelta(days=1))
    settings = job_settings(database_dsn, summary=settings_for(smtp.port, hour=0))
    stop = asyncio.Event()
    working = asyncio.create_task(run_jobs(settings, stop, Backlog()))

    await until(lambda: smtp.accepted, "the summary")

    stop.set()
    await working
    assert len(smtp.received) == 1


@pytest.mark.slow
async def test_of_very_many_requests_all_are_counted_and_told_once(pool: WriterPool, smtp: SmtpServer) -> None:
    await an_account(pool)
    addresses = [f"contact-{number}@example.org" for number in range(230)]
    await ask(pool, *addresses, kind=RequestKind.BLOCK)
    await pool.execute("UPDATE safelist_requests SET decided_at = $1", BEFORE)

    await look(pool, smtp.port, EIGHT)
    await look(pool, smtp.port, EIGHT + 24 * HOUR)

    (mail,) = smtp.accepted
    assert mail["Subject"].endswith(": 230 approved")
    plain = parts(mail)[0]
    assert plain.count("@example.org") == 200
    assert "and 30 more" in plain
