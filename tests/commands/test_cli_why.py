"""`why` from a shell: five words, one sentence, and what ends it."""

import json

from schemas.vocabulary import System
from tests.commands.shell import Shell


async def test_a_person_is_told_why_a_contact_must_not_be_mailed(shell: Shell) -> None:
    await shell.run("block", "jane@example.org", "--reason", "a trap", "--account", "shop-eu")

    told = await shell.run("why", "Jane@Example.org", "--account", "shop-eu", "--names", "kartra")

    short, why, lifts, name = told.output.splitlines()
    assert told.status == 1
    assert short == "No: blocklisted"
    assert why.startswith("Blocklisted by ")
    assert why.endswith('("a trap").')
    assert "an operator" in lifts
    assert name == "blocklisted is called 'Blocklisted' in kartra."


async def test_a_script_gets_the_same_as_json(shell: Shell) -> None:
    await shell.run("block", "jane@example.org", "--reason", "a trap", "--account", "shop-eu")
    told = json.loads((await shell.run("why", "jane@example.org", "--account", "shop-eu", "--json")).output)
    assert (told["known"], told["short"], told["status"]) == (True, "No: blocklisted", "blocklisted")
    assert told["forbids"] == ["marketing", "one_to_one", "transactional"]


async def test_check_has_a_column_for_the_names_of_another_system(shell: Shell) -> None:
    await shell.run("block", "jane@example.org", "--reason", "a trap", "--account", "shop-eu")
    told = await shell.run("check", "jane@example.org", "--account", "shop-eu", "--names", "keap")
    heading, row = told.output.splitlines()
    assert (heading.split("\t")[-1], row.split("\t")[-1]) == ("in keap", "Hard bounce")


async def test_a_contact_that_is_not_known_is_reported_as_unknown(shell: Shell) -> None:
    told = await shell.run("why", "nobody@example.org", "--account", "shop-eu")
    assert (told.status, told.output) == (
        1,
        "nobody@example.org is not known: nobody ever reported anything about it\n",
    )


async def test_help_names_every_system(shell: Shell) -> None:
    told = await shell.run("why", "--help")
    assert f"--names {{{','.join(System)}}}" in told.output
