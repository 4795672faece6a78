"""The actions of a command, as `list` of `bouncekeeper jobs list`: each explains itself with the command's examples."""

from argparse import ArgumentParser


class Actions:
    """Adds actions to a command's parser, of which one must be named. The parser has its description by then."""

    def __init__(self, parser: ArgumentParser) -> None:
        self._prog = parser.prog
        self._examples = [line for line in (parser.description or "").splitlines() if line.startswith("  ")]
        self._parsers = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(self, name: str, says: str) -> ArgumentParser:
        """The parser of an action. `says` is what the command's help has beside its name."""
        lines = [f"{says[0].upper()}{says[1:]}."]
        if examples := [line for line in self._examples if f"{line} ".startswith(f"  {self._prog} {name} ")]:
            lines += ["", "example:" if len(examples) == 1 else "examples:", *examples]
        # argparse fills in what stands behind a percent sign.
        description = "\n".join(lines).replace("%", "%%")
        return self._parsers.add_parser(name, help=says.replace("%", "%%"), description=description, allow_abbrev=False)
