"""The policies that come with the program, from presets.toml."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

RECOMMENDED = "recommended"
NO_PRESET = "none"  # an empty table to begin with


@cache
def preset_tables() -> dict[str, dict[str, Any]]:
    """Every preset's table by name, the recommended one first. Do not change it: the file is read only once."""
    return tomllib.loads(files("worker.policy").joinpath("presets.toml").read_text(encoding="utf-8"))


def preset_names() -> tuple[str, ...]:
    """The values of `preset = "…"`, except `none`."""
    return tuple(preset_tables())


def preset_about(name: str) -> str:
    """One sentence about what the preset does."""
    return str(preset_tables()[name]["about"])
