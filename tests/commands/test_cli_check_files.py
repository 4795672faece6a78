"""`check` on files: rows as they are answered, the fall-out at the end, and memory that does not grow."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.commands.shell import Shell
from tests.commands.warm_start import REPOSITORY
from worker.store.pool import WriterPool

KNOWN = """
    INSERT INTO contacts (account, channel, address, first_seen_at, status, blocks, status_since, cause)
    SELECT 'shop-eu', 'email', address, now(), status, blocks, '2026-03-01T12:00Z', cause
      FROM (VALUES ('gone@example.org', 'blocklisted', 'all', 'mailbox_does_not_exist'),
                   ('off@example.org', 'unsubscribed', 'marketing', 'none'),
                   ('no@example.org', 'do_not_contact', 'all', 'none')) AS known (address, status, blocks, cause)
"""
ACCOUNT = ("--account", "shop-eu")
MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def files_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
async def known(pool: WriterPool) -> None:
    """Three contacts who must not be sent marketing mail."""
    await pool.execute(KNOWN)


@pytest.mark.usefixtures("known")
async def test_each_row_of_a_file_is_answered_and_the_fall_out_is_told_beside(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "recipients.txt"
    file.write_text("\ufeffgone@example.org\n\njane@example.org\nOff <OFF@example.org>\nno@example.org\nnobody\n")
    done = await shell.run("check", str(file), *ACCOUNT)
    assert done.status == 1
    assert [line.split("\t")[:3] for line in done.output.splitlines()] == [
        ["address", "send?", "status"],
        ["gone@example.org", "NO", "blocklisted"],
        ["jane@example.org", "yes", "new"],
        ["Off <OFF@example.org>", "NO", "unsubscribed"],
        ["no@example.org", "NO", "do_not_contact"],
        ["nobody", "NO", "not an address"],
    ]
    assert done.errors == (
        "1 may be mailed (marketing), 4 may not: 1 do not contact, 0 declined commercial, 0 complained, 1 blocklisted,"
        " 1 unsubscribed, 1 invalid address\n"
    )


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Name,E-Mail\nGone,gone@example.org\nJane,jane@example.org\n", ()),
        ('Name;"email"\n"Gone;\nby far";gone@example.org\nJane;jane@example.org\n', ()),
        ("1\tgone@example.org\n2\tjane@example.org\n", ()),
        ("email,to\nx,gone@example.org\ny,jane@example.org\n", ("--column", "To")),
        ("email\ngone@example.org\njane@example.org", ()),
    ],
    ids=["by its header", "quoted and with line breaks", "without a header", "named", "one column"],
)
async def test_the_column_of_addresses_is_found(
    shell: Shell, tmp_path: Path, content: str, words: tuple[str, ...]
) -> None:
    file = tmp_path / "recipients.csv"
    file.write_text(content)
    done = await shell.run("check", str(file), "--json", *ACCOUNT, *words)
    rows = [json.loads(line) for line in done.output.splitlines()]
    assert [(row["address"], row["allowed"]) for row in rows] == [
        ("gone@example.org", False),
        ("jane@example.org", True),
    ]
    total = json.loads(done.errors)
    assert (total["allowed"], total["forbidden"], total["forbidden_by_status"]["blocklisted"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "words", "told"),
    [
        ("Name,Town\nJane,Ulm\n", (), "has no column of addresses that we know: name it with --column"),
        ("Name,Town\nJane,Ulm\n", ("--column", "to"), "has no column 'to'; it has name, town"),
        (None, (), "cannot be read: No such file or directory"),
        ('email,name\njane@example.org,"' + "x" * 200_000, (), "is not CSV: field larger than field limit (131072)"),
    ],
)
async def test_a_file_that_cannot_be_read_is_reported_in_one_line(
    shell: Shell, tmp_path: Path, content: str | None, words: tuple[str, ...], told: str
) -> None:
    file = tmp_path / "recipients.csv"
    if content is not None:
        file.write_text(content)
    done = await shell.run("check", str(file), *ACCOUNT, *words)
    assert done.status == 3
    assert done.errors.splitlines()[-1].endswith(f"{file} {told}")


@pytest.mark.usefixtures("known")
async def test_the_answers_do_not_replace_the_list_that_was_asked_about(shell: Shell, tmp_path: Path) -> None:
    file, link = tmp_path / "recipients.csv", tmp_path / "link.tsv"
    file.write_text("email\ngone@example.org\n")
    link.hardlink_to(file)
    for output in (file, link):
        done = await shell.run("check", str(file), "--output", str(output), *ACCOUNT)

        assert (done.status, done.output) == (2, "")
        assert file.read_text() == "email\ngone@example.org\n"


@pytest.mark.usefixtures("known")
async def test_rows_go_to_a_file_that_appears_when_all_are_answered(shell: Shell, tmp_path: Path) -> None:
    file, answered = tmp_path / "recipients.csv", tmp_path / "answered.tsv"
    file.write_text("email\ngone@example.org\n")
    done = await shell.run("check", str(file), "--output", str(answered), *ACCOUNT)
    assert (done.status, done.output) == (1, "")
    assert len(answered.read_text().splitlines()) == 2

    file.write_text('email\njane@example.org\n"' + "x" * 200_000)
    broken = await shell.run("check", str(file), "--output", str(answered), *ACCOUNT)

    assert broken.status == 3
    assert len(answered.read_text().splitlines()) == 2
    assert files_of(tmp_path) == ["answered.tsv", "bouncekeeper.toml", "recipients.csv"]


@pytest.mark.usefixtures("known")
async def test_the_scope_reaches_the_question(shell: Shell, pool: WriterPool) -> None:
    detail = b'{"consent":{"optouts":[{"scope":"news","at":"2026-03-01T12:00:00Z","event_key":"AAAA"}]}}'
    await pool.execute("UPDATE contacts SET facts_detail = $1 WHERE address = 'off@example.org'", detail)
    assert (await shell.run("check", "off@example.org", "--scope", "news", *ACCOUNT)).status == 1
    assert (await shell.run("check", "off@example.org", "--scope", "offers", *ACCOUNT)).status == 0


@pytest.mark.slow
async def test_a_large_file_takes_no_more_memory_than_a_small_one(shell: Shell, tmp_path: Path) -> None:
    del shell  # its configuration is in the folder
    most = []
    for count in (20_000, 200_000):
        file = tmp_path / f"{count}.txt"
        file.write_text("".join(f"recipient-{number:07}@customer.example.org\n" for number in range(count)))
        command = [sys.executable, "-m", "worker", "check", str(file), "--output", str(tmp_path / "out"), *ACCOUNT]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MEASURED, *command),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=PIPE,
        )
        output, _ = await process.communicate()
        most.append(int(output))
        assert len((tmp_path / "out").read_text().splitlines()) == count + 1
    assert most[1] < most[0] + 10, most
