"""The policies that come with the program, as they stand in presets.toml."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

RECOMMENDED = "recommended"
NO_PRESET = "none"  # an empty table to begin with


@cache
def preset_tables() -> dict[str, dict[str, Any]]:
    """Every preset's table by name, the recommended one first. Not to be changed: it is read once."""
    return tomllib.loads(files("worker.policy").joinpath("presets.toml").read_text(encoding="utf-8"))


def preset_names() -> tuple[str, ...]:
    """What `preset = "…"` may name, besides `none`."""
    return tuple(preset_tables())


def preset_about(name: str) -> str:
    """One sentence about what the preset does."""
    return str(preset_tables()[name]["about"])
