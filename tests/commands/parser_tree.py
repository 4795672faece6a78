"""Every command and action as argparse knows them: what a test asks of each of them."""

from argparse import Action, ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Iterator
from importlib import import_module

from msgspec import Struct

from worker.commands.catalogue import COMMANDS


class Entry(Struct, frozen=True, kw_only=True):
    """One parser: `words` are those that lead to it, as ("jobs", "list")."""

    words: tuple[str, ...]
    parser: ArgumentParser

    @property
    def arguments(self) -> list[Action]:
        """The arguments of its own, in their order."""
        return [one for one in self.parser._actions if not isinstance(one, _SubParsersAction)]


def all_parsers() -> list[Entry]:
    """Those of all commands, each before its actions."""
    return [entry for name in COMMANDS for entry in _of(name)]


def _of(name: str) -> Iterator[Entry]:
    parser = ArgumentParser(prog=f"bouncekeeper {name}", formatter_class=RawDescriptionHelpFormatter)
    import_module(f"worker.commands.{COMMANDS[name].module}").COMMANDS[name].configure(parser)
    yield Entry(words=(name,), parser=parser)
    for several in parser._actions:
        if isinstance(several, _SubParsersAction):
            for action, below in several.choices.items():
                yield Entry(words=(name, action), parser=below)
