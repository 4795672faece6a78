"""The addresses that a command is given: as words, or in a file with one a line."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
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
        if not arguments.addresses:
            raise WrongUsage(f"{_name(arguments.file)} holds no address: write one a line")
        tell_without_address([_name(arguments.file)])
    return [*arguments.addresses, *in_file]


def tell_without_address(names: Iterable[str]) -> None:
    """Says of each of these files, on stderr, that no address is in it."""
    for name in names:
        sys.stderr.write(f"bouncekeeper: {name} holds no address\n")


def _in_file(name: str) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if name == _STANDARD_INPUT else Path(name).read_bytes()
    except OSError as error:
        raise ImpossibleSetting(f"{name} cannot be read: {error.strerror}") from error
    # Bytes that are not UTF-8 become signs that no address has: that line is refused, and no other.
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _name(file: str) -> str:
    return "standard input" if file == _STANDARD_INPUT else file
