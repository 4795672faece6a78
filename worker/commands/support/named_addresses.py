"""The addresses that a command is given: as words, or in a file with one a line."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from worker.errors import ImpossibleSetting, WrongUsage

_STANDARD_INPUT = "-"


def add_address_arguments(parser: ArgumentParser) -> None:
    """The words, and the file."""
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS", help="whose address; several may be named")
    parser.add_argument("--file", metavar="FILE", help="a file with one address a line; - reads them from stdin")


def named_addresses(arguments: Namespace) -> list[str]:
    """All of them, at least one. Raises WrongUsage, and ImpossibleSetting for a file that cannot be read."""
    if not arguments.addresses and arguments.file is None:
        raise WrongUsage("no address is given: name some, or a file of them with --file")
    in_file = [] if arguments.file is None else _in_file(arguments.file)
    if arguments.file is not None and not in_file:
        raise holds_no_address("standard input" if arguments.file == _STANDARD_INPUT else arguments.file)
    return [*arguments.addresses, *in_file]


def holds_no_address(name: str) -> WrongUsage:
    """To be raised about a file, whatever else is given beside it.

    Scripts take exit code 0 for a list that was looked at, and an empty one is nearly always an export that failed.
    """
    return WrongUsage(f"{name} holds no address: write one a line")


def _in_file(name: str) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if name == _STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        raise ImpossibleSetting(f"{name} cannot be read: {error.strerror}") from error
    # Bytes that are not UTF-8 become signs that no address has: that line is refused, and no other.
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]
