"""`lift` and `block` from a shell: what is decided, skipped and said, and who it was."""

import asyncio
import getpass
import json
from pathlib import Path

import pytest

from tests.commands.shell import Shell
from tests.waiting import until
from worker.store.pool import WriterPool


async def status(pool: WriterPool, address: str) -> tuple[str, str] | None:
    row = await pool.fetchrow("SELECT status, blocks FROM contacts WHERE address = $1", address)
    return None if row is None else (row["status"], row["blocks"])


async def test_a_person_blocks_and_lifts_and_the_history_has_the_name_and_the_reason(
    shell: Shell, pool: WriterPool
) -> None:
    blocked = await shell.run(
        "block", "jane@example.org", "--reason", "a trap", "--account", "shop-eu", "--forbids", "marketing"
    )
    assert (blocked.status, blocked.output) == (0, "blocked: 1\n")
    assert await status(pool, "jane@example.org") == ("blocklisted", "marketing")
    [line] = [json.loads(line) for line in blocked.errors.splitlines() if "decision.made" in line]
    assert (line["kind"], line["actor"]) == ("listed", getpass.getuser())
    assert "jane" not in blocked.errors

    lifted = await shell.run("lift", "jane@example.org", "--reason", "it was none", "--account", "shop-eu")

    assert (lifted.status, lifted.output) == (0, "lifted: 1\n")
    assert await status(pool, "jane@example.org") == ("new", "none")
    lines = await pool.fetch("SELECT actor, note FROM status_changes ORDER BY id")
    assert [tuple(line) for line in lines] == [(getpass.getuser(), "a trap"), (getpass.getuser(), "it was none")]


@pytest.mark.slow
async def test_addresses_of_a_file_are_counted_and_the_skipped_are_reported(
    shell: Shell, pool: WriterPool, tmp_path: Path
) -> None:
    addresses = tmp_path / "addresses.txt"
    addresses.write_text("jane@example.org\n\nJANE@example.org\nnone\n")
    asked = ("--file", str(addresses), "--reason", "a list of traps", "--account", "shop-eu")

    rehearsed = await shell.run("block", *asked, "--dry-run")
    assert await status(pool, "jane@example.org") is None
    blocked = await shell.run("block", *asked)

    assert rehearsed.output.startswith("would be blocked: 1, skipped: 1, given twice: 1\n")
    assert (blocked.status, blocked.output.splitlines()) == (
        1,
        [
            "blocked: 1, skipped: 1, given twice: 1",
            "skipped\twhy\tinstead",
            "none\tThis is not an e-mail address.\tCorrect it.",
        ],
    )


async def test_a_command_is_repeated_under_its_key_and_decides_once(shell: Shell, pool: WriterPool) -> None:
    asked = ("block", "jane@example.org", "--reason", "a trap", "--account", "shop-eu", "--json")

    first = json.loads((await shell.run(*asked)).output)
    again = json.loads((await shell.run(*asked, "--idempotency-key", first["idempotency_key"])).output)

    assert again == first | {"repeated": True}
    assert await pool.fetchval("SELECT count(*) FROM entries") == 1


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("lift", "jane@example.org"), 2),
        (("lift", "--reason", "x"), 2),
        (("lift", "jane@example.org", "--reason", "x", "--account", "nosuch"), 1),
        (("block", "jane@example.org", "--reason", "x", "--until", "soon"), 2),
        (("block", "jane@example.org", "--reason", "x", "--until", "2020-01-01", "--account", "shop-eu"), 2),
    ],
)
async def test_what_cannot_be_decided_has_its_exit_code(shell: Shell, words: tuple[str, ...], exit_code: int) -> None:
    assert (await shell.run(*words)).status == exit_code


@pytest.mark.slow
async def test_killed_in_the_middle_and_repeated_under_its_key_a_large_act_is_in_effect_once(
    shell: Shell, pool: WriterPool, tmp_path: Path
) -> None:
    addresses = tmp_path / "addresses.txt"
    addresses.write_text("".join(f"user{number}@example.org\n" for number in range(10_000)))
    asked = ("block", "--file", str(addresses), "--reason", "traps", "--account", "shop-eu", "--idempotency-key", "k1")

    process = await shell.start(*asked)
    reading = asyncio.create_task(process.communicate())
    await until(lambda: pool.fetchval("SELECT EXISTS (SELECT FROM entries)"), "the first decisions", seconds=60)
    process.kill()
    await reading
    done = await pool.fetchval("SELECT count(*) FROM entries")
    assert 0 < done < 10_000

    again = json.loads((await shell.run(*asked, "--json")).output)

    assert (again["repeated"], again["made"], again["skipped"]) == (True, 10_000, 0)
    for table in ("contacts", "entries", "status_changes"):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 10_000  # noqa: S608 - named above
    assert await pool.fetchval("SELECT count(*) FROM acts WHERE finished_at IS NOT NULL") == 1
