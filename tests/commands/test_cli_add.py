"""`add` from a shell: contacts come in one by one and as files, once, and what was skipped is told."""

import asyncio
import getpass
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.commands.shell import Shell
from tests.commands.test_cli_check_files import MEASURED
from tests.commands.warm_start import REPOSITORY
from tests.waiting import until
from worker.store.pool import WriterPool

ACCOUNT = ("--account", "shop-eu")
STATUSES = "SELECT address, status FROM contacts ORDER BY address"
PEOPLE = "SELECT person, field, address FROM people p JOIN contacts c ON c.id = p.contact_id ORDER BY 1, 2"
TAGS = "SELECT address, tag FROM contact_tags t JOIN contacts c ON c.id = t.contact_id ORDER BY 1, 2"


async def rows(pool: WriterPool, statement: str) -> list[tuple[str, ...]]:
    return [tuple(row) for row in await pool.fetch(statement)]


async def test_one_contact_comes_in_and_the_log_says_who_has_added_it(shell: Shell, pool: WriterPool) -> None:
    said = ("--permission", "stated", "--tag", "shop", "--tag", "vip", "--person", "4711", "--field", "email_1")
    done = await shell.run("add", "jane@example.org", *said, "--reason", "at the till", *ACCOUNT)
    assert (done.status, done.output) == (0, "added: 1\n")
    assert await rows(pool, STATUSES) == [("jane@example.org", "new")]
    assert await rows(pool, PEOPLE) == [("4711", "email_1", "jane@example.org")]
    assert await rows(pool, TAGS) == [("jane@example.org", "shop"), ("jane@example.org", "vip")]
    [line] = [json.loads(line) for line in done.errors.splitlines() if "decision.made" in line]
    assert (line["kind"], line["actor"]) == ("added", getpass.getuser())
    assert "jane" not in done.errors


async def test_the_columns_of_a_file_are_read(shell: Shell, pool: WriterPool, tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    file.write_text(
        "Email;Person;Field;Tags;Permission\n"
        'jane@example.org;1;email_1;"shop; vip";stated\n'
        "joe@example.org;1;email_2;;\n"
        "jane@example.org;2\n"
        "none;;;;\n"
        "jack@example.org;;;;perhaps\n"
    )
    done = await shell.run("add", str(file), "--tag", "import", "--json", *ACCOUNT)
    total = json.loads(done.output)
    assert done.status == 1
    counted = [total[name] for name in ("contacts", "added", "known", "skipped", "duplicates")]
    assert counted == [5, 2, 0, 2, 1]
    assert sorted((skip["address"], skip["reason"]) for skip in total["skipped_contacts"]) == [
        ("jack@example.org", "faulty_row"),
        ("none", "invalid_address"),
    ]
    assert await rows(pool, STATUSES) == [("jane@example.org", "new"), ("joe@example.org", "non_marketable")]
    assert await rows(pool, PEOPLE) == [
        ("1", "email_1", "jane@example.org"),
        ("1", "email_2", "joe@example.org"),
        ("2", "", "jane@example.org"),
    ]
    assert await rows(pool, TAGS) == [
        ("jane@example.org", "import"),
        ("jane@example.org", "shop"),
        ("jane@example.org", "vip"),
        ("joe@example.org", "import"),
    ]


async def test_the_explanation_names_tags_and_siblings_and_that_nobody_has_mailed(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    file.write_text("email,person,field,tags\njane@example.org,1,email_1,shop\njane@example.net,1,email_2,\n")
    await shell.run("add", str(file), *ACCOUNT)
    told = (await shell.run("explain", "jane@example.org", *ACCOUNT)).output.splitlines()
    assert "  never mailed: no ESP has reported a message to it" in told
    assert "  tags: shop" in told
    assert "  email_2 of 1: jane@example.net, non_marketable" in told


async def test_a_dry_run_and_a_repeat_change_nothing(shell: Shell, pool: WriterPool, tmp_path: Path) -> None:
    file = tmp_path / "contacts.txt"
    file.write_text("".join(f"person{number}@example.org\n" for number in range(2_500)))
    asked = ("add", str(file), "--json", *ACCOUNT)
    rehearsed = json.loads((await shell.run(*asked, "--dry-run")).output)
    assert (rehearsed["added"], await rows(pool, STATUSES)) == (2_500, [])
    first = json.loads((await shell.run(*asked)).output)
    again = json.loads((await shell.run(*asked, "--idempotency-key", first["idempotency_key"])).output)
    assert again == first | {"repeated": True}
    other = json.loads((await shell.run(*asked)).output)
    assert (other["added"], other["known"]) == (0, 2_500)
    assert await pool.fetchval("SELECT count(*) FROM entries") == 2_500


@pytest.mark.slow
async def test_a_killed_command_goes_on_under_its_key(shell: Shell, pool: WriterPool, tmp_path: Path) -> None:
    file = tmp_path / "contacts.txt"
    file.write_text("".join(f"person{number}@example.org\n" for number in range(6_000)))
    asked = ("add", str(file), "--json", "--idempotency-key", "k", *ACCOUNT)
    process = await shell.start(*asked)

    async def is_under_way() -> bool:
        return bool(await pool.fetchval("SELECT count(*) >= 500 FROM contacts"))

    await until(is_under_way, "the first contacts to come in")
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    there = int(await pool.fetchval("SELECT count(*) FROM contacts"))
    total = json.loads((await shell.run(*asked)).output)
    assert there < 6_000
    assert (total["added"], total["known"]) == (6_000, 0)
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 6_000
    assert await pool.fetchval("SELECT count(*) FROM entries") == 6_000


async def test_the_setting_says_what_is_known_of_the_permission(
    database_dsn: str, pool: WriterPool, tmp_path: Path
) -> None:
    shell = Shell(
        folder=tmp_path, dsn=database_dsn, configuration='[api]\nadded_permissions = ["command=none_needed"]\n'
    )
    await shell.run("add", "jane@example.org", "--account", "default")
    assert await rows(pool, STATUSES) == [("jane@example.org", "new")]


@pytest.mark.slow
async def test_a_large_file_takes_no_more_memory_than_a_small_one(shell: Shell, tmp_path: Path) -> None:
    del shell  # its configuration is in the folder
    most = []
    for count in (6_000, 40_000):
        file = tmp_path / f"{count}.csv"
        lines = (f"recipient-{number:07}@{count}.example.org,{number},shop;vip\n" for number in range(count))
        file.write_text("email,person,tags\n" + "".join(lines))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MEASURED, sys.executable, "-m", "worker", "add", str(file), *ACCOUNT),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=PIPE,
        )
        output, _ = await process.communicate()
        told, mebibytes = output.decode().split("\n")[:2]
        assert told == f"added: {count}"
        most.append(int(mebibytes))
    assert most[1] < most[0] + 12, most
