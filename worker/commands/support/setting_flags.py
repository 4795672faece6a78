"""The flags of every command, and those generated from the settings that it uses."""

import os
from argparse import Action, ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from worker.settings.configuration import ALL_SECTIONS, load_settings
from worker.settings.configuration_file import CONFIG_VARIABLE, config_places, find_config_file
from worker.settings.declarations import SettingDeclaration, setting_declarations
from worker.settings.tree import Settings
from worker.settings.values import UnreadableFile

_DESTINATION = "setting:"


class _ShortUsageFormatter(RawDescriptionHelpFormatter):
    """Leaves the settings out of the usage line, where they would hide the few arguments of a command."""

    def add_usage(
        self, usage: str | None, actions: Iterable[Action], groups: Iterable[Any], prefix: str | None = None
    ) -> None:
        """Adds the usage without the settings."""
        super().add_usage(usage, [action for action in actions if _DESTINATION not in action.dest], groups, prefix)


_MOST_ID_DIGITS = 18  # so that it fits into 63 bits
_MOST_SECONDS = 86_400
_SHOWN_CHARACTERS = 40


def add_shared_flags(parser: ArgumentParser) -> None:
    """`--config` and `--json`."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"the TOML file (else {CONFIG_VARIABLE}, ./bouncekeeper.toml, or the data folder's)",
    )
    parser.add_argument("--json", action="store_true", help="prints JSON, for scripts")


def add_setting_flags(parser: ArgumentParser, sections: Collection[str]) -> None:
    """A flag for each setting of these sections, and for the data folder."""
    parser.formatter_class = _ShortUsageFormatter
    group = parser.add_argument_group(
        "settings", "each also has an environment variable and a key in the TOML file; see docs/configuration.md"
    )
    for declaration in setting_declarations():
        if declaration.section and declaration.section not in sections:
            continue
        group.add_argument(
            declaration.flag,
            dest=_DESTINATION + (declaration.file_path if declaration.secret else declaration.path),
            metavar=_metavar(declaration),
            help=_help(declaration),
            **({"nargs": "?", "const": "true"} if declaration.plain_type is bool else {}),  # type: ignore[arg-type]
        )


def count_argument(most: int) -> Callable[[str], int]:
    """Reads a count from 1 to `most` on the command line."""

    def count(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_ID_DIGITS and 1 <= int(text) <= most):
            raise ArgumentTypeError(f"{text[:_SHOWN_CHARACTERS]!r} is not a whole number from 1 to {most}")
        return int(text)

    return count


def seconds_argument(text: str) -> float:
    """A length of time on the command line, in seconds."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _MOST_SECONDS:  # also refuses `nan`
        raise ArgumentTypeError(f"{text[:_SHOWN_CHARACTERS]!r} is not a number of seconds up to {_MOST_SECONDS}")
    return seconds


def id_argument(text: str) -> int:
    """The id of something stored, or 0. Raises ArgumentTypeError for what the database cannot hold."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_ID_DIGITS):
        raise ArgumentTypeError(
            f"{text[:_SHOWN_CHARACTERS]!r} is not an id: it is a whole number, as the list shows it"
        )
    return int(text)


def settings_of(
    arguments: Namespace,
    *,
    needs: Collection[str] = ALL_SECTIONS,
    defaults: Mapping[str, str] | None = None,
    starts_postgres: bool = False,
    starts_broker: bool = False,
    joins_instance: bool = True,
    fallbacks: Mapping[str, str] | None = None,
    unreadable_files: list[UnreadableFile] | None = None,
) -> Settings:
    """The settings from this command line, the environment and the file. Flags win over `defaults`.

    The other arguments are those of load_settings. Raises ImpossibleSetting.
    """
    overrides = overrides_of(arguments)
    environment = dict(os.environ)
    data_directory = overrides.get("data_directory")
    return load_settings(
        config_file=find_config_file(flag=arguments.config, environment=environment, data_directory=data_directory),
        environment=environment,
        overrides={**(defaults or {}), **overrides},
        needs=needs,
        starts_postgres=starts_postgres,
        starts_broker=starts_broker,
        joins_instance=joins_instance,
        fallbacks=fallbacks,
        looked_for=config_places(environment, data_directory),
        unreadable_files=unreadable_files,
    )


def overrides_of(arguments: Namespace) -> dict[str, str]:
    """The settings that have a flag on the command line: `receiver.port` and its text."""
    return {
        destination.removeprefix(_DESTINATION): value
        for destination, value in vars(arguments).items()
        if destination.startswith(_DESTINATION) and value is not None
    }


def override(arguments: Namespace, path: str, text: str) -> None:
    """Makes the arguments those of a command line with this setting's flag."""
    setattr(arguments, _DESTINATION + path, text)


def _metavar(declaration: SettingDeclaration) -> str:
    if declaration.secret:
        return "FILE,…" if declaration.several else "FILE"
    if declaration.choices:
        return "|".join(declaration.choices)
    if declaration.several:
        return "TEXT,…"
    return {int: "N", float: "N", bool: "true|false"}.get(declaration.plain_type, "TEXT")


def _help(declaration: SettingDeclaration) -> str:
    says = declaration.says.rstrip(".").replace("%", "%%")
    if declaration.secret:
        return f"a file with the secret: {says}"
    default = ",".join(declaration.default) if declaration.several else declaration.default
    return says if default in ("", None) else f"{says} (default {default})"
