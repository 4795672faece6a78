"""`report` from a shell: one file, the same numbers as JSON, and no address in either."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.commands.shell import Shell
from tests.commands.support.xml_tree import tree_of
from worker.commands.report import span_of
from worker.errors import WrongUsage
from worker.store.pool import WriterPool

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


async def test_a_report_is_a_file_of_its_own_and_the_same_numbers_as_json(
    pool: WriterPool, shell: Shell, tmp_path: Path
) -> None:
    contact_id = await pool.fetchval(
        "INSERT INTO contacts (account, channel, address, first_seen_at)"
        " VALUES ('shop-eu', 'email', 'gone.jane@example.org', now()) RETURNING id"
    )
    for days, rank in ((1, 40), (2, 30), (8, 30)):
        await pool.execute(
            "INSERT INTO entries (contact_id, occurred_at, received_at, rank, reader_version, machine, entry_key,"
            " delivery_id) VALUES ($1, now() - make_interval(days => $2), now(), $3, 1, false, int8send($2),"
            " gen_random_uuid())",
            *(contact_id, days, rank),
        )

    written = await shell.run("report", "--since", "7d", "--output", "report.html")
    numbers = await shell.run("report", "--since", "7d", "--json", "--account", "shop-eu")
    printed = await shell.run("report", "--since", "30d")

    assert (written.status, written.output) == (0, "report.html is written: open it in a browser\n")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    tree_of(page)
    told = json.loads(numbers.output)
    assert {total["name"]: (total["count"], total["before"]) for total in told["totals"]} == {
        "bounces": (2, 1),
        "hard_bounces": (1, 0),
        "complaints": (0, 0),
        "unsubscribes": (0, 0),
        "blocked": (0, 0),
        "freed": (0, 0),
    }
    assert told["bounces_by_domain"]["rows"] == [{"name": "example.org", "bounces": 2, "note": "other"}]
    assert "+100 % (1 before)" in page
    assert printed.output.startswith("<!DOCTYPE html>")
    for text in (page, numbers.output, printed.output):
        assert "example.org" in text
        assert "jane" not in text


async def test_an_empty_database_gives_a_report_and_mistakes_name_their_remedy(shell: Shell) -> None:
    empty = await shell.run("report")
    unknown = await shell.run("report", "--account", "nosuch")
    odd = await shell.run("report", "--since", "yesterday")
    hasty = await shell.run("report", "--timeout-seconds", "0")

    assert empty.status == 0
    tree_of(empty.output)
    assert "There is no account 'nosuch'" in unknown.errors
    assert "'yesterday' is no time such as 7d" in odd.errors
    assert "'0' is not a number of seconds" in hasty.errors


async def test_a_database_that_is_too_slow_ends_the_report_and_says_how_long_it_had(
    pool: WriterPool, shell: Shell, tmp_path: Path
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
        slow = await shell.run("report", "--timeout-seconds", "0.2", "--output", "report.html")

    assert slow.status == 4
    assert "with 0.2 s for each statement" in slow.errors
    assert "choose a shorter span (--since, --until), or raise --timeout-seconds" in slow.errors
    assert "whether Postgres runs" not in slow.errors
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("since", "until", "span"),
    [
        (timedelta(days=7), None, (NOW - timedelta(days=7), NOW)),
        (timedelta(days=7), NOW - timedelta(days=1), (NOW - timedelta(days=8), NOW - timedelta(days=1))),
        (NOW - timedelta(days=2), NOW + timedelta(days=9), (NOW - timedelta(days=2), NOW)),
    ],
)
def test_a_span_ends_now_at_the_latest(
    since: timedelta | datetime, until: datetime | None, span: tuple[datetime, datetime]
) -> None:
    assert span_of(since, until, now=NOW) == span


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (NOW, None),
        (NOW + timedelta(days=1), None),
        (timedelta(0), None),
        (timedelta(days=36_500), None),
        (timedelta(days=1), datetime(1, 1, 1, tzinfo=UTC)),
        (NOW, NOW - timedelta(days=1)),
    ],
)
def test_a_span_with_nothing_in_it_is_refused(since: timedelta | datetime, until: datetime | None) -> None:
    with pytest.raises(WrongUsage):
        span_of(since, until, now=NOW)
