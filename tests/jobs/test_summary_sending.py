"""Each mail of a summary is accepted once by a real SMTP server, whatever fails or dies meanwhile."""

import asyncio
import json
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from tests.jobs.smtp_server import CUT, HANG, SmtpServer
from tests.jobs.summaries import EIGHT, RECIPIENT, an_account, blocked, look, settings_for, states
from tests.properties import few
from tests.waiting import until
from worker.errors import StoreUnavailable
from worker.jobs.summary_sender import SummarySender
from worker.local_services.postgres import EmbeddedPostgres
from worker.store.daily_summaries import count_waiting_mails
from worker.store.pool import WriterPool
from worker.store.writer_pool import open_writer_pool

REPOSITORY = Path(__file__).parent.parent.parent
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TEN_PAST = EIGHT + 10 * MINUTE


async def process(dsn: str, port: int, now: datetime) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.jobs.summary_process", dsn, str(port), now.isoformat(), cwd=REPOSITORY
    )


async def test_several_processors_at_the_same_instant_send_each_mail_once(pool: WriterPool, smtp: SmtpServer) -> None:
    recipients = [f"owner-{number}@shop.example" for number in range(8)]
    await an_account(pool, recipients=recipients)
    await blocked(pool, "gone@example.org")

    await asyncio.gather(*(look(pool, smtp.port, EIGHT) for _ in range(6)))

    assert sorted(mail["To"] for mail in smtp.accepted) == recipients
    assert len({mail["Message-ID"] for mail in smtp.accepted}) == 1
    assert await pool.fetchval("SELECT count(*) FROM daily_summaries") == 1


async def test_two_processes_send_it_once(pool: WriterPool, database_dsn: str, smtp: SmtpServer) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")

    both = [await process(database_dsn, smtp.port, EIGHT) for _ in range(2)]

    assert [await one.wait() for one in both] == [0, 0]
    assert len(smtp.received) == 1


@pytest.mark.parametrize("place", few(["MAIL", "RCPT", "DATA"], 1))
async def test_a_process_that_is_killed_before_the_content_goes_out_leaves_it_to_another_one(
    pool: WriterPool, database_dsn: str, smtp: SmtpServer, place: str
) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    smtp.at = {place: HANG}
    killed = await process(database_dsn, smtp.port, EIGHT)
    await until(smtp.hanging.is_set, f"the server to be asked {place}")
    killed.send_signal(signal.SIGKILL)
    await killed.wait()
    smtp.at = {}

    await look(pool, smtp.port, EIGHT + MINUTE)  # as far as anybody knows it is still at work
    assert smtp.received == []
    await look(pool, smtp.port, TEN_PAST)
    await look(pool, smtp.port, TEN_PAST + HOUR)

    assert len(smtp.received) == len(smtp.accepted) == 1
    assert await states(pool) == [("accepted", 2)]


async def test_what_a_killed_process_may_have_sent_is_never_sent_again(
    pool: WriterPool, database_dsn: str, smtp: SmtpServer, capsys: pytest.CaptureFixture[str]
) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    smtp.at = {"END": HANG}
    killed = await process(database_dsn, smtp.port, EIGHT)
    await until(smtp.hanging.is_set, "the server to have the content")
    killed.send_signal(signal.SIGKILL)
    await killed.wait()
    smtp.at = {}

    for now in (EIGHT + MINUTE, TEN_PAST + MINUTE, EIGHT + 3 * HOUR, EIGHT + 30 * HOUR):
        await look(pool, smtp.port, now)

    assert len(smtp.received) == 1
    assert await states(pool) == [("unsure", 1)]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if "summary.unsure" in line]
    assert [(line["reason"], line["recipient"]) for line in lines] == [
        ("the process ended meanwhile", "o***@shop.example")
    ]


async def test_a_process_that_was_stopped_for_longer_than_its_lease_sends_nothing(
    pool: WriterPool, database_dsn: str, smtp: SmtpServer
) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    smtp.at = {"DATA": HANG}
    slow = await process(database_dsn, smtp.port, EIGHT)
    await until(smtp.hanging.is_set, "the server to be asked DATA")
    slow.send_signal(signal.SIGSTOP)
    smtp.at = {}

    await look(pool, smtp.port, TEN_PAST)
    assert len(smtp.accepted) == 1
    slow.send_signal(signal.SIGCONT)
    smtp.go_on.set()

    assert await slow.wait() == 0
    assert len(smtp.received) == 1
    assert await states(pool) == [("accepted", 2)]


@pytest.mark.parametrize("place", few(["MAIL", "RCPT", "DATA", "END"], 2))
@pytest.mark.parametrize("answer", ["421 4.3.2 shutting down", "451 4.3.0 try again later"])
async def test_a_temporary_refusal_is_tried_again_until_it_is_accepted(
    pool: WriterPool, smtp: SmtpServer, place: str, answer: str
) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    smtp.at = {place: answer}

    await look(pool, smtp.port, EIGHT)
    await look(pool, smtp.port, EIGHT + timedelta(seconds=59))
    assert await states(pool) == [("waiting", 1)]
    assert await pool.fetchval("SELECT answer FROM summary_mails") == answer
    await look(pool, smtp.port, EIGHT + MINUTE)
    assert await states(pool) == [("waiting", 2)]
    smtp.at = {}
    await look(pool, smtp.port, EIGHT + 30 * HOUR)
    await look(pool, smtp.port, EIGHT + 31 * HOUR)

    (mail,) = smtp.accepted
    assert "2026-07-01" in mail["Subject"]
    assert await states(pool) == [("accepted", 3)]


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA", "END"])
async def test_a_refusal_for_good_is_not_tried_again_and_logged_without_addresses(
    pool: WriterPool, smtp: SmtpServer, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    smtp.at = {place: f"550 5.1.1 no such user {RECIPIENT}"}

    await look(pool, smtp.port, EIGHT)
    smtp.at = {}
    await look(pool, smtp.port, EIGHT + 2 * HOUR)

    assert smtp.accepted == []
    assert await states(pool) == [("refused", 1)]
    log = capsys.readouterr().err
    assert "summary.refused" in log
    assert "o***@shop.example" in log
    assert RECIPIENT not in log
    assert "gone@" not in log


@pytest.mark.parametrize("place", ["MAIL", "RCPT", "DATA"])
async def test_a_cut_before_the_content_is_tried_again(pool: WriterPool, smtp: SmtpServer, place: str) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    smtp.at = {place: CUT}

    await look(pool, smtp.port, EIGHT)
    assert await states(pool) == [("waiting", 1)]
    smtp.at = {}
    await look(pool, smtp.port, EIGHT + MINUTE)

    assert len(smtp.received) == 1


async def test_a_cut_after_the_content_is_never_tried_again(pool: WriterPool, smtp: SmtpServer) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    smtp.at = {"END": CUT}

    await look(pool, smtp.port, EIGHT)
    smtp.at = {}
    for hours in (1, 24, 48):
        await look(pool, smtp.port, EIGHT + hours * HOUR)

    assert len(smtp.received) == 1
    assert await states(pool) == [("unsure", 1)]


async def test_while_the_server_is_down_it_waits_and_comes_when_it_is_back(pool: WriterPool, smtp: SmtpServer) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    await smtp.stop()

    waits = []
    now = EIGHT
    for _ in range(9):
        await look(pool, smtp.port, now)
        following = await pool.fetchval("SELECT next_try_at FROM summary_mails")
        waits.append(int((following - now) / MINUTE))
        now = following
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]

    await smtp.start()
    await look(pool, smtp.port, now)
    assert len(smtp.accepted) == 1


async def test_a_server_without_tls_gets_nothing_if_tls_is_asked_for(pool: WriterPool, smtp: SmtpServer) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    settings = settings_for(smtp.port)
    strict = type(settings)(
        **{field: getattr(settings, field) for field in settings.__struct_fields__} | {"smtp_tls": "starttls"}
    )

    await SummarySender(pool, strict, clock=lambda: EIGHT).work_off(asyncio.Event())

    assert smtp.came == []
    assert await states(pool) == [("waiting", 1)]


@pytest.mark.parametrize(
    ("place", "state"),
    [("MAIL", "waiting"), ("DATA", "waiting"), pytest.param("END", "unsure", marks=pytest.mark.slow)],
)
async def test_a_stop_does_not_wait_for_a_server_that_hangs(
    pool: WriterPool, smtp: SmtpServer, place: str, state: str
) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    smtp.at = {place: HANG}
    stop = asyncio.Event()
    sender = SummarySender(pool, settings_for(smtp.port), clock=lambda: EIGHT)
    working = asyncio.create_task(sender.run(stop))
    await until(smtp.hanging.is_set, f"the server to be asked {place}")

    stop.set()
    async with asyncio.timeout(9):
        await working

    assert await states(pool) == [(state, 1)]
    smtp.at = {}
    smtp.go_on.set()
    await look(pool, smtp.port, TEN_PAST)
    assert len(smtp.received) == 1


@pytest.mark.slow
async def test_if_postgres_is_away_when_the_content_would_go_out_nothing_goes_out_and_it_is_tried_again(
    stoppable_postgres: EmbeddedPostgres, smtp: SmtpServer
) -> None:
    pool = await open_writer_pool(stoppable_postgres.dsn, connections=2, command_timeout_seconds=5)
    async with pool:
        await an_account(pool)
        await blocked(pool, "gone@example.org")
        smtp.at = {"DATA": HANG}
        now = EIGHT
        sender = SummarySender(pool, settings_for(smtp.port), clock=lambda: now)
        first = asyncio.create_task(sender.work_off(asyncio.Event()))
        await until(smtp.hanging.is_set, "the server to be asked DATA")
        await stoppable_postgres.stop()
        smtp.at = {}
        smtp.go_on.set()
        with pytest.raises(StoreUnavailable):
            await first
        assert smtp.received == []
        await stoppable_postgres.restart()

        await until_postgres_answers(sender)
        now = EIGHT + 2 * MINUTE
        await sender.work_off(asyncio.Event())

        assert len(smtp.accepted) == 1
        assert await states(pool) == [("accepted", 2)]


async def until_postgres_answers(sender: SummarySender) -> None:
    async def answers() -> bool:
        await sender.work_off(asyncio.Event())
        return True

    await until(answers, "Postgres", not_yet=StoreUnavailable)


async def test_attempts_are_counted_by_what_became_of_them(pool: WriterPool, smtp: SmtpServer) -> None:
    def counts() -> dict[str, float]:
        return {
            outcome: REGISTRY.get_sample_value("bouncekeeper_summary_mails_total", {"outcome": outcome}) or 0.0
            for outcome in ("sent", "postponed", "refused", "unsure")
        }

    await an_account(pool)
    before = counts()
    for day, (place, answer) in enumerate([("END", CUT), ("RCPT", "550 5.1.1 no such user"), ("MAIL", "451 later")]):
        await blocked(pool, f"gone-{day}@example.org", at=EIGHT + timedelta(days=day) - HOUR)
        smtp.at = {place: answer}
        await look(pool, smtp.port, EIGHT + timedelta(days=day))
    assert await count_waiting_mails(pool) == 1
    smtp.at = {}
    await look(pool, smtp.port, EIGHT + timedelta(days=2) + HOUR)
    after = counts()
    assert {outcome: after[outcome] - before[outcome] for outcome in after} == {
        "sent": 1,
        "postponed": 1,
        "refused": 1,
        "unsure": 1,
    }
    assert await count_waiting_mails(pool) == 0
