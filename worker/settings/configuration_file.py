"""The TOML file: which one is read, and its tables."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.errors import ImpossibleSetting

CONFIG_VARIABLE = "BOUNCEKEEPER_CONFIG"
FOLDER_VARIABLE = "BOUNCEKEEPER_DATA_DIRECTORY"
DEFAULT_DATA_DIRECTORY = ".data"
CONFIG_NAME = "bouncekeeper.toml"


def find_config_file(
    *, flag: str | None, environment: Mapping[str, str], data_directory: str | None = None
) -> Path | None:
    """The file of the flag or the variable, else the first of `config_places` that exists.

    Raises ImpossibleSetting if a folder cannot be read.
    """
    if named := flag or environment.get(CONFIG_VARIABLE):
        return Path(named).expanduser()
    try:
        return next((path for path in config_places(environment, data_directory) if path.is_file()), None)
    except OSError as error:
        raise ImpossibleSetting(
            f"the configuration file {error.filename} cannot be accessed ({error.strerror}): run this as its owner, "
            f"or name another with --config or {CONFIG_VARIABLE}"
        ) from error


def config_places(environment: Mapping[str, str], data_directory: str | None = None) -> list[Path]:
    """The default places of the file: the current folder, then the data folder, where `up` makes one."""
    in_data = data_folder(environment=environment, flag=data_directory) / CONFIG_NAME
    # If --data-directory names a folder, its own configuration counts; else the current folder comes first.
    return [in_data] if data_directory is not None else [Path(CONFIG_NAME), in_data]


def data_folder(*, environment: Mapping[str, str], flag: str | None) -> Path:
    """The data folder, before a configuration file is read."""
    return Path(flag or environment.get(FOLDER_VARIABLE) or DEFAULT_DATA_DIRECTORY).expanduser()


def read_config_file(path: Path) -> dict[str, Any]:
    """The file's tables. Raises ImpossibleSetting if it cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except PermissionError as error:
        raise ImpossibleSetting(
            f"user {os.geteuid()} may not read the configuration file {path}: let this user read it (`chmod a+r`)"
        ) from error
    except OSError as error:
        raise ImpossibleSetting(
            f"the configuration file {path} cannot be read ({error.strerror}): "
            f"name another with --config or {CONFIG_VARIABLE}"
        ) from error
    except UnicodeDecodeError as error:
        raise ImpossibleSetting(f"the configuration file {path} is not UTF-8 text: save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ImpossibleSetting(f"the configuration file {path} is not TOML: {error}; correct it there") from error
