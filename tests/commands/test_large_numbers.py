"""Numbers that the database cannot hold, as an argument of every command: each is refused or not found."""

import asyncio
from argparse import Action
from pathlib import Path

import pytest

from tests.commands.parser_tree import Entry, all_parsers
from tests.commands.shell import Shell
from tests.commands.warm_start import Outcome
from worker.commands.catalogue import COMMANDS
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.setting_flags import id_argument
from worker.settings.declarations import setting_declarations

LARGE = "9" * 20
LARGEST_ID = "9" * 18
# These end by themselves and change nothing but the database.
ENDING = [
    entry
    for entry in all_parsers()
    if COMMANDS[entry.words[0]].group in {"ask", "decide", "look after"}
    and entry.words[0] not in {"postgres", "doctor", "healthcheck"}
]
_AT_ONCE = 2


def _takes_ids(argument: Action) -> bool:
    return argument.type is id_argument


def _words(entry: Entry, text: str) -> list[str]:
    """The call with this text as each argument that may be a number, and what else is needed."""
    words = list(entry.words)
    for one in entry.arguments:
        wanted = one.required or not one.option_strings or one.type is not None
        if not wanted or one.nargs == 0 or one.dest.startswith("setting:"):
            continue
        value = str(next(iter(one.choices))) if one.choices else text
        words += [value] if not one.option_strings else [one.option_strings[0], value]
    return words


def _numeric() -> list[tuple[Entry, Action]]:
    return [
        (entry, one)
        for entry in all_parsers()
        for one in entry.arguments
        if callable(one.type) and getattr(one.type, "__name__", "") in {"count", "seconds_argument", "id_argument"}
    ]


def test_no_number_is_read_by_what_knows_no_bounds() -> None:
    unbounded = [
        (entry.words, one.dest) for entry in all_parsers() for one in entry.arguments if one.type in {int, float}
    ]
    assert unbounded == []
    assert len(_numeric()) >= 12


@pytest.mark.parametrize("text", [LARGE, "9" * 5000, "-1", "nan", "inf", "1e400"])
def test_a_number_out_of_range_is_told_in_a_sentence(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    for entry, argument in _numeric():
        with pytest.raises(SystemExit) as stopped:
            entry.parser.parse_args([*argument.option_strings[:1], text])
        errors = capsys.readouterr().err
        assert stopped.value.code == ExitCode.USAGE, (entry.words, argument.dest)
        assert " is not a" in errors or "expected one argument" in errors or "required" in errors, errors


@pytest.mark.slow
async def test_each_command_with_twenty_digits_for_every_argument_ends_without_a_traceback(shell: Shell) -> None:
    outcomes = await _all(shell, LARGE, ENDING)
    for words, outcome in outcomes:
        assert "Traceback" not in outcome.errors, (words, outcome.errors)
        assert outcome.status in {ExitCode.OK, ExitCode.NO, ExitCode.USAGE, ExitCode.IMPOSSIBLE_SETTING}, words


async def test_the_largest_id_that_is_read_is_found_nowhere(shell: Shell) -> None:
    ending = [entry for entry in ENDING if any(map(_takes_ids, entry.arguments))]
    assert len(ending) >= 9
    for words, outcome in await _all(shell, LARGEST_ID, ending):
        assert "Traceback" not in outcome.errors, (words, outcome.errors)
        expected = {ExitCode.OK, ExitCode.USAGE} if "--limit" in words or words[1] == "list" else {ExitCode.NO}
        assert outcome.status in expected, (words, outcome)


@pytest.mark.slow
async def test_each_setting_that_is_a_number_refuses_twenty_digits_or_takes_them(tmp_path: Path) -> None:
    shell = Shell(folder=tmp_path, dsn="postgresql://nobody@127.0.0.1:1/nothing")
    numbers = [one for one in setting_declarations() if one.plain_type in {int, float}]
    assert len(numbers) > 20
    words = [word for one in numbers for word in (one.flag, LARGE) if one.section == "postgres"]
    outcome = await shell.run("jobs", "list", *words)
    assert "Traceback" not in outcome.errors, outcome.errors
    assert outcome.status == ExitCode.IMPOSSIBLE_SETTING


async def _all(shell: Shell, text: str, entries: list[Entry]) -> list[tuple[list[str], Outcome]]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def run(entry: Entry) -> tuple[list[str], Outcome]:
        words = _words(entry, text)
        async with turns:
            return words, await shell.run(*words)

    return list(await asyncio.gather(*map(run, entries)))
