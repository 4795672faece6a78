"""`remove` and `person` from a shell."""

import getpass
import json

from tests.commands.shell import Shell
from tests.commands.test_cli_add import ACCOUNT, PEOPLE, TAGS, rows
from worker.store.pool import WriterPool


async def told(shell: Shell) -> None:
    """Two contacts of a person, with tags."""
    for address, field in (("jane@example.org", "email_1"), ("jane@example.net", "email_2")):
        whose = ("--person", "4711", "--field", field)
        await shell.run("add", address, "--permission", "stated", "--tag", "shop", "--tag", "vip", *whose, *ACCOUNT)


async def test_a_person_is_shown_with_the_statuses_of_all_addresses(shell: Shell) -> None:
    await told(shell)
    await shell.run("block", "jane@example.net", "--reason", "a test", *ACCOUNT)
    done = await shell.run("person", "4711", *ACCOUNT)
    lines = [line.split("\t")[:5] for line in done.output.splitlines()]
    assert (done.status, lines) == (
        0,
        [
            ["field", "address", "channel", "status", "forbids"],
            ["email_1", "jane@example.org", "email", "new", "nothing"],
            ["email_2", "jane@example.net", "email", "blocklisted", "marketing, one_to_one, transactional"],
        ],
    )
    person = json.loads((await shell.run("person", " 4711 ", *ACCOUNT, "--json")).output)
    assert [one["address"] for one in person["addresses"]] == ["jane@example.org", "jane@example.net"]


async def test_a_person_of_whom_nobody_told_is_told_so(shell: Shell) -> None:
    await told(shell)
    for name in ("0815", " ", "x" * 300, "a\tb"):
        done = await shell.run("person", name, *ACCOUNT)
        assert (done.status, "there is no such person in account shop-eu" in done.output) == (1, True)
    elsewhere = await shell.run("person", "4711", "--account", "nosuch")
    assert (elsewhere.status, "Traceback" in elsewhere.errors) == (1, False)


async def test_a_tag_and_a_person_are_taken_away_and_the_log_says_by_whom(shell: Shell, pool: WriterPool) -> None:
    await told(shell)
    rehearsed = await shell.run("remove", "jane@example.org", "--tag", "shop", "--dry-run", *ACCOUNT)
    assert rehearsed.output == "jane@example.org: would be removed: tag shop\n"
    words = ("--tag", "shop", "--person", "4711", "--field", "email_1", "--reason", "moved")
    done = await shell.run("remove", "JANE@example.org", "jane@example.net", "nobody@example.org", *words, *ACCOUNT)
    assert (done.status, done.output.splitlines()) == (
        1,
        [
            "jane@example.org: removed: tag shop, person 4711 (email_1)",
            "jane@example.net: removed: tag shop",
            "nobody@example.org: not known",
        ],
    )
    assert await rows(pool, TAGS) == [("jane@example.net", "vip"), ("jane@example.org", "vip")]
    assert await rows(pool, PEOPLE) == [("4711", "email_2", "jane@example.net")]
    lines = [json.loads(line) for line in done.errors.splitlines() if "belongings.removed" in line]
    assert [(line["actor"], line["tags"], line["people"]) for line in lines] == [
        (getpass.getuser(), 1, 1),
        (getpass.getuser(), 1, 0),
    ]
    again = await shell.run("remove", "jane@example.org", "--tag", "shop", *ACCOUNT)
    assert (again.status, again.output) == (0, "jane@example.org: nothing of it was there\n")


async def test_nothing_named_is_a_wrong_command_line(shell: Shell) -> None:
    jane = "jane@example.org"
    for words in ((jane,), (jane, "--field", "email_1"), ("--tag", "shop"), (jane, "--tag", " ")):
        done = await shell.run("remove", *words, *ACCOUNT)
        assert (done.status, done.output) == (2, ""), words
