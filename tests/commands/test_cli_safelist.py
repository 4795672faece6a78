"""`safelist` from a shell: asking, listing and deciding, and what is said to whom."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.vocabulary import Cause, Kind
from tests.commands.shell import Shell
from tests.schemas.feedback_events import START, make_event
from worker.contacts.accounts import make_accounts
from worker.contacts.applying import apply_events
from worker.contacts.batch_terms import BatchRules
from worker.contacts.policies import Policies
from worker.policy.policy_file import recommended_policy
from worker.store.pool import WriterPool
from worker.store.writer_pool import writing

JANE = "jane@example.org"


@pytest.fixture
async def complained(pool: WriterPool) -> None:
    """Jane of shop-eu pressed "spam"."""
    rules = BatchRules(policies=Policies(recommended_policy()), oldest_kept=START)
    now = datetime.now(UTC)
    await make_accounts(pool, ["shop-eu"], now=START, actor="the test")
    async with writing(pool) as connection:
        event = make_event(Kind.COMPLAINT, cause=Cause.ABUSE_REPORT, address=JANE, account="shop-eu")
        await apply_events(connection, [event], rules=rules, now=now)


@pytest.mark.usefixtures("complained")
async def test_a_person_asks_with_the_wish_and_another_one_decides(shell: Shell, pool: WriterPool) -> None:
    asked = ("safelist", "request", JANE, "--reason", "a mistake", "--account", "shop-eu")
    refused = await shell.run(*asked)
    assert (refused.status, refused.output.splitlines()[0]) == (
        1,
        f"{JANE}: refused. The person complained: only the person can want mail again.",
    )
    today = datetime.now(UTC).date().isoformat()
    wish = ("--who", "Jane Doe", "--when", today, "--how", "phone")
    rehearsed = await shell.run(*asked, *wish, "--dry-run")
    assert rehearsed.output.startswith(f"{JANE}: would be requested.")
    requested = json.loads((await shell.run(*asked, *wish, "--json")).output)
    assert (requested["requested"], requested["results"][0]["state"]) == (1, "requested")
    number = requested["results"][0]["request"]["id"]
    listed = json.loads((await shell.run("safelist", "list", "--status", "requested", "--json")).output)
    assert [(one["id"], one["requested_by"], one["wish"]["who"]) for one in listed["requests"]] == [
        (number, getpass.getuser(), "Jane Doe")
    ]

    approved = await shell.run("safelist", "approve", str(number), "--note", "heard the call")

    assert (approved.status, approved.output.splitlines()) == (
        0,
        [
            f"Request {number} is approved: the contact is freed.",
            "What was not sent meanwhile is not sent now: send again what matters.",
        ],
    )
    assert await pool.fetchval("SELECT status FROM contacts") == "new"
    assert "jane" not in approved.errors
    again = await shell.run("safelist", "decline", str(number), "--reason", "spam_related")
    assert again.status == 1
    assert "before" in again.errors


async def test_many_of_a_file_are_asked_for_and_a_repeat_under_the_key_asks_once(
    shell: Shell, pool: WriterPool, tmp_path: Path
) -> None:
    addresses = tmp_path / "addresses.txt"
    addresses.write_text("trap@example.org\ntrap2@example.org\nTRAP@example.org\n")
    asked = ("safelist", "request", "--file", str(addresses), "--reason", "traps", "--kind", "block")
    first = json.loads((await shell.run(*asked, "--account", "shop-eu", "--json")).output)

    key = first["idempotency_key"]
    again = json.loads((await shell.run(*asked, "--account", "shop-eu", "--json", "--idempotency-key", key)).output)

    assert (first["approved"], first["duplicates"]) == (2, 1)
    assert (again["repeated"], again["results"]) == (True, first["results"])
    assert await pool.fetchval("SELECT count(*) FROM safelist_requests") == 2
    assert await pool.fetchval("SELECT count(*) FROM contacts WHERE status = 'blocklisted'") == 2


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("request", JANE), 2),
        (("request", "--reason", "x"), 2),
        (("request", JANE, "--reason", "x", "--who", "Jane"), 2),
        (("request", JANE, "--reason", "x", "--how", "dream"), 2),
        (("request", JANE, "--reason", "x", "--account", "nosuch"), 1),
        (("approve", "one"), 2),
        (("approve", "99"), 1),
        (("approve", "9" * 19), 2),
        (("decline", "-1", "--reason", "other"), 2),
        (("list", "--account", "nosuch"), 1),
        (("decline", "99"), 2),
        (("list", "--status", "nosuch"), 2),
    ],
)
async def test_a_wrong_command_line_is_told_by_its_exit_code(
    shell: Shell, words: tuple[str, ...], exit_code: int
) -> None:
    outcome = await shell.run("safelist", *words)
    assert (outcome.status, outcome.output) == (exit_code, "")
