"""`campaign` from a shell: the counts, and the recipients as they are read."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.vocabulary import Cause, Kind
from tests.commands.shell import Shell
from tests.contacts.test_decisions import RULES
from tests.schemas.feedback_events import make_event
from worker.contacts.applying import apply_events
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

ACCOUNT = ("--account", "shop-eu")


@pytest.fixture
async def spring(pool: WriterPool) -> None:
    """A campaign of three recipients; one of them bounced."""
    names = ("ann", "bob", "cid")
    events = [
        make_event(Kind.DELIVERED, account="shop-eu", address=f"{name}@example.org", campaign="spring")
        for name in names
    ]
    bounce = make_event(
        Kind.HARD_BOUNCE,
        cause=Cause.MAILBOX_DOES_NOT_EXIST,
        account="shop-eu",
        address="cid@example.org",
        campaign="spring",
        day=1,
    )
    async with writing(pool) as connection:
        await apply_events(connection, [*events, bounce], rules=RULES, now=datetime.now(UTC))


@pytest.mark.usefixtures("spring")
async def test_a_person_is_told_how_many_recipients_have_each_value(shell: Shell) -> None:
    told = await shell.run("campaign", "spring", *ACCOUNT, "--names", "emailmassivo")
    assert told.status == 0
    assert [line.split("\t") for line in told.output.splitlines()] == [
        ["value", "recipients", "in emailmassivo"],
        ["sent", "3", "Pending"],
        ["delivered", "3", "Delivered"],
        ["opened", "0", "Opened"],
        ["clicked", "0", "Clicked"],
        ["soft_bounced", "0", "Soft bounced"],
        ["hard_bounced", "1", "Hard bounced"],
        ["error", "0", "Error"],
        ["complaint", "0", "Complaint"],
        ["unsubscribed", "0", "Unsubscribed"],
    ]


@pytest.mark.usefixtures("spring")
async def test_the_recipients_that_have_a_value_are_listed(shell: Shell) -> None:
    told = await shell.run("campaign", "spring", *ACCOUNT, "--value", "hard_bounced")
    assert [line.split("\t") for line in told.output.splitlines()] == [
        ["address", "channel", "value", "since", "first report"],
        ["cid@example.org", "email", "hard_bounced", "2026-03-02 12:00 UTC", "2026-03-01 12:00 UTC"],
    ]


@pytest.mark.usefixtures("spring")
async def test_a_script_gets_a_line_of_json_for_each_recipient(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "recipients.jsonl"
    told = await shell.run("campaign", "spring", *ACCOUNT, "--value", "sent", "--json", "--output", str(file))
    assert (told.status, told.output) == (0, "")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["address"]: row["value"] for row in rows} == {
        "ann@example.org": "delivered",
        "bob@example.org": "delivered",
        "cid@example.org": "hard_bounced",
    }


@pytest.mark.usefixtures("spring")
@pytest.mark.parametrize("more", [(), ("--value", "sent")])
async def test_a_campaign_that_nobody_told_of_ends_with_1(shell: Shell, more: tuple[str, ...]) -> None:
    told = await shell.run("campaign", "autumn", *ACCOUNT, *more)
    assert told.status == 1
    assert "no event names a campaign 'autumn'" in told.output
    told = await shell.run("campaign", "autumn", *ACCOUNT, *more, "--json")
    assert json.loads(told.output) == {"campaign": "autumn", "account": "shop-eu", "known": False}


@pytest.mark.usefixtures("spring")
async def test_a_campaign_that_nobody_told_of_leaves_the_file_as_it_is(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "recipients.tsv"
    file.write_text("ann@example.org\n")
    told = await shell.run("campaign", "sprang", *ACCOUNT, "--value", "sent", "--output", str(file))
    assert told.status == 1
    assert file.read_text() == "ann@example.org\n"


@pytest.mark.usefixtures("spring")
@pytest.mark.parametrize("more", [(), ("--value", "sent")])
async def test_a_campaign_is_found_with_blanks_around_its_id(shell: Shell, more: tuple[str, ...]) -> None:
    told = await shell.run("campaign", "  spring ", *ACCOUNT, *more)
    assert told.status == 0


@pytest.mark.usefixtures("spring")
async def test_explain_shows_the_campaigns_of_a_contact(shell: Shell) -> None:
    told = await shell.run("explain", "cid@example.org", *ACCOUNT, "--names", "emailmassivo")
    assert "campaign spring: hard_bounced, called 'Hard bounced' there" in told.output


async def test_a_file_for_counts_is_a_usage_error(shell: Shell, tmp_path: Path) -> None:
    told = await shell.run("campaign", "spring", "--output", str(tmp_path / "x"))
    assert told.status == 2
    assert "--value" in told.errors
