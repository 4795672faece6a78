"""The command line `bouncekeeper`. Only the called command's module is imported: `--help` answers at once."""

import importlib
import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence

from worker.commands.catalogue import COMMANDS, FORMER_NAMES, Command
from worker.commands.support.exit_code import EXIT_CODE_HELP, ExitCode
from worker.process.spelling import did_you_mean

_OPENING = """usage: bouncekeeper COMMAND [arguments]

Takes in the bounce and complaint webhooks of every ESP, loses none, and knows whom you may still mail.
"""

_CLOSING = f"""examples:
  bouncekeeper up                                   a first look: everything, in this folder
  bouncekeeper demo                                 what it does with a day of feedback
  bouncekeeper check jane@example.org               exit code 0: mail her; 1: do not
  bouncekeeper explain jane@example.org --json      why, for a script
  bouncekeeper doctor                               before you ask anybody else

`bouncekeeper COMMAND --help` says more about one command. Every command takes --json and --config FILE.
Settings: flag over environment (BOUNCEKEEPER_…) over TOML file over default; see docs/configuration.md.

{EXIT_CODE_HELP}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        _print_help()
        return ExitCode.OK if words else ExitCode.USAGE
    if words[0] in {"-V", "--version"}:
        return _print_version()
    entry = COMMANDS.get(words[0])
    if entry is None:
        named = FORMER_NAMES.get(words[0], words[0])
        hint = did_you_mean(named, COMMANDS, otherwise="`bouncekeeper --help` lists all there are")
        print(f"bouncekeeper: there is no command {words[0]!r}: {hint}", file=sys.stderr)  # noqa: T201 - the terminal
        return ExitCode.USAGE
    return _run(words[0], entry.module, words[1:])


def _run(name: str, module_name: str, words: list[str]) -> int:
    module = importlib.import_module(f"worker.commands.{module_name}")
    command: Command = module.COMMANDS[name]
    parser = ArgumentParser(
        prog=f"bouncekeeper {name}", formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.set_defaults(command=name)
    command.configure(parser)
    if (unreadable := _not_utf8(words)) is not None:
        parser.error(f"{unreadable} holds bytes that are not UTF-8: type it again, in a terminal that is set to UTF-8")
    parsed = parser.parse_args(words)

    from worker.commands.support.failure import tell_failure  # noqa: PLC0415 - after parsing: usage errors need none of it

    try:
        return command.run(parsed)
    except BrokenPipeError:
        # The reader of our output has gone, as with `| head`: nothing is wrong, and nothing can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last frame: a bug is told with its traceback
        return tell_failure(error, as_json=getattr(parsed, "json", False))


def _not_utf8(words: Sequence[str]) -> str | None:
    """Which argument cannot be stored, printed or sent: Python hands its odd bytes on as lone surrogates (PEP 383).

    Named by its place and flag and not by its text, which may be a secret.
    """
    for place, word in enumerate(words, start=1):
        if word.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in word):
            continue
        flag, _, value = word.partition("=")
        if value and flag.startswith("--") and flag.isascii():
            return f"argument {place} ({flag})"
        before = words[place - 2] if place > 1 else ""
        return f"argument {place} (after {before})" if before.startswith("--") else f"argument {place}"
    return None


def _print_help() -> None:
    lines = [_OPENING]
    for group in dict.fromkeys(entry.group for entry in COMMANDS.values()):
        lines.append(f"{group}:")
        lines += [f"  {name:<13} {entry.says}" for name, entry in COMMANDS.items() if entry.group == group]
        lines.append("")
    print("\n".join([*lines, _CLOSING]))  # noqa: T201 - the terminal is what this is for


def _print_version() -> int:
    from importlib.metadata import version  # noqa: PLC0415 - slow, and needed only here

    print(version("bouncekeeper"))  # noqa: T201 - the terminal is what this is for
    return ExitCode.OK
