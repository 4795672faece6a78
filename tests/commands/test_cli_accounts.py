"""`accounts` from a shell: added by a person whose name is kept, shown, changed; a misspelt one is told."""

import getpass
import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.commands.shell import Shell
from worker.contacts.account_standing import Standing, standing_of
from worker.store.account_counts import AccountCounts
from worker.store.pool import Pool


async def test_an_account_is_added_once_by_a_person_whose_name_is_kept(shell: Shell, pool: Pool) -> None:
    dry = await shell.run("accounts", "add", "shop-eu", "--dry-run")
    assert (dry.status, dry.output) == (0, "would add shop-eu\n")
    assert await pool.fetchval("SELECT count(*) FROM accounts") == 0

    added = await shell.run(
        *("accounts", "add", "shop-eu", "--time-zone", "Europe/Berlin", "--summary-to", "jane@example.org")
    )
    assert (added.status, added.output) == (0, "added shop-eu\n")
    lines = [json.loads(line) for line in added.errors.splitlines()]
    assert [(line["event"], line["account"], line["actor"], line["time_zone"]) for line in lines] == [
        ("account.added", "shop-eu", getpass.getuser(), "Europe/Berlin"),
    ]
    assert "jane@example.org" not in added.errors
    again = await shell.run("accounts", "add", "shop-eu")
    assert (again.status, again.errors) == (1, "")

    listed = await shell.run("accounts", "list", "--json")
    [account] = json.loads(listed.output)["accounts"]
    assert account | {"since": ""} == {
        "name": "shop-eu",
        "since": "",
        "added_by": getpass.getuser(),
        "time_zone": "Europe/Berlin",
        "summary_recipients": ["jane@example.org"],
    }


@pytest.mark.slow
async def test_an_account_is_changed_and_what_is_wrong_is_reported_with_its_remedy(shell: Shell) -> None:
    await shell.run("accounts", "add", "shop-eu")
    changed = await shell.run("accounts", "set", "shop-eu", "--summary-to", "jane@example.org, joe@example.org")
    assert changed.output == "shop-eu has: summary recipients jane@example.org, joe@example.org\n"
    nobody = await shell.run("accounts", "set", "shop-eu", "--summary-to", "", "--json")
    assert json.loads(nobody.output)["account"]["summary_recipients"] == []
    for words, status, told in (
        (("set", "shop_eu", "--time-zone", "UTC"), 1, "there is no account 'shop_eu': did you mean shop-eu?"),
        (("show", "shop_eu"), 1, "did you mean shop-eu?"),
        (("set", "shop-eu", "--time-zone", "Europe/Berlim"), 2, "did you mean Europe/Berlin?"),
        (("set", "shop-eu", "--summary-to", "jane"), 2, "'jane', which is not an e-mail address"),
        (("set", "shop-eu"), 2, "there is nothing to set"),
        (("add", " shop"), 2, "cannot be the name of an account"),
    ):
        outcome = await shell.run("accounts", *words)
        assert (outcome.status, told in outcome.output + outcome.errors) == (status, True), outcome


async def test_the_standing_is_computed_from_the_contacts_of_the_account_alone(shell: Shell, pool: Pool) -> None:
    await shell.run("accounts", "add", "shop-eu")
    recently, long_ago = datetime.now(UTC) - timedelta(days=3), datetime.now(UTC) - timedelta(days=90)
    for account, status, first, last, since in (
        ("shop-eu", "active", 1, 196, recently),
        ("shop-eu", "complained", 197, 197, recently),
        ("shop-eu", "blocklisted", 198, 200, recently),
        ("shop-eu", "complained", 201, 300, long_ago),
        ("other", "complained", 1, 100, recently),
    ):
        await pool.execute(
            "INSERT INTO contacts (account, channel, address, status, status_since, latest_at, first_seen_at)"
            " SELECT $1, 'email', n || '@example.org', $2, $5, $5, $5 FROM generate_series($3::int, $4::int) n",
            *(account, status, first, last, since),
        )
    shown = json.loads((await shell.run("accounts", "show", "shop-eu", "--json")).output)
    assert shown["standing"] | {"sentence": ""} == {
        "standing": "bad",
        "contacts": 200,
        "complaint_rate": 0.005,
        "bounce_rate": 0.015,
        "sentence": "",
    }
    assert "200 contacts" in shown["standing"]["sentence"]


@pytest.mark.parametrize(
    ("contacts", "complained", "blocklisted", "standing"),
    [
        (99, 99, 0, Standing.UNKNOWN),
        (10_000, 9, 499, Standing.GOOD),
        (10_000, 10, 0, Standing.AT_RISK),
        (10_000, 0, 500, Standing.AT_RISK),
        (10_000, 30, 0, Standing.BAD),
        (10_000, 0, 1_000, Standing.BAD),
    ],
)
def test_complaints_and_bounces_decide_the_standing(
    contacts: int, complained: int, blocklisted: int, standing: Standing
) -> None:
    counts = AccountCounts(contacts=contacts, complained=complained, blocklisted=blocklisted)
    assert standing_of(counts).standing is standing
