"""The TOML file: which one is read, and what stands in it."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.errors import ImpossibleSetting

CONFIG_VARIABLE = "BOUNCEKEEPER_CONFIG"
CONFIG_NAME = "bouncekeeper.toml"


def find_config_file(*, flag: str | None, environment: Mapping[str, str], data_directory: str = ".data") -> Path | None:
    """The file that was named, else `bouncekeeper.toml` here, else the one that `up` made in the data folder."""
    if named := flag or environment.get(CONFIG_VARIABLE):
        return Path(named).expanduser()
    folder = Path(environment.get("BOUNCEKEEPER_DATA_DIRECTORY") or data_directory).expanduser()
    return next((path for path in (Path(CONFIG_NAME), folder / CONFIG_NAME) if path.is_file()), None)


def read_config_file(path: Path) -> dict[str, Any]:
    """The file's tables. Raises ImpossibleSetting when it cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ImpossibleSetting(
            f"the configuration file {path} cannot be read ({error.strerror}): "
            f"name another with --config or {CONFIG_VARIABLE}"
        ) from error
    except UnicodeDecodeError as error:
        raise ImpossibleSetting(f"the configuration file {path} is not UTF-8 text: save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ImpossibleSetting(f"the configuration file {path} is no TOML: {error}; correct it there") from error
