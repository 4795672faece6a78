"""All places where a setting may be set, and which of them counts."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct

from worker.settings.declarations import SettingDeclaration, setting_declarations
from worker.settings.values import Mistake, RawValue


class Places(Struct, frozen=True, kw_only=True):
    """The settings of each place; the first place that has a setting wins."""

    overrides: Mapping[str, str]  # `receiver.port` and the text of its flag
    environment: Mapping[str, str]
    instance: Mapping[str, str] = {}  # like overrides, from the `up` or `stack` that runs with the same file
    tables: Mapping[str, Any]  # of the TOML file
    file_name: str
    base_directory: Path  # the folder of relative file names in the TOML file
    fallbacks: Mapping[str, str] = {}  # like overrides; they win only over the default

    def with_instance(self, settings: Mapping[str, str]) -> Self:
        """These, with the settings of the running instance. If a flag or variable sets the queue, that queue stays."""
        if self._set_names() & _queue_names():
            settings = {path: text for path, text in settings.items() if not path.startswith("queue.")}
        return msgspec.structs.replace(self, instance=settings)

    def with_fallbacks(self, settings: Mapping[str, str]) -> Self:
        """These, with a queue if no place names one."""
        table = self.tables.get("queue", {})
        in_table = {f"queue.{name}" for name in table} if isinstance(table, Mapping) else set()
        if (self._set_names() | in_table) & _queue_names():
            return self
        queue = {path: text for path, text in settings.items() if path in _queue_names()}
        return msgspec.structs.replace(self, fallbacks=queue)

    def _set_names(self) -> set[str]:
        """The names of all flags and variables that are set; an empty one counts as not set."""
        return {name for place in (self.overrides, self.environment) for name, text in place.items() if text}

    def find(self, declaration: SettingDeclaration) -> RawValue | None:
        """The value that counts, from the first place that has one. Raises Mistake when one place says it twice."""
        table = self.tables.get(declaration.section, {}) if declaration.section else self.tables
        if not isinstance(table, Mapping):
            table = {}
        as_flag = (declaration.path, declaration.file_path)
        as_variable = (declaration.environment_name, declaration.file_environment_name)
        in_table = (declaration.name, declaration.file_path.rpartition(".")[2])
        places: tuple[tuple[str, Mapping[str, Any], tuple[str, str]], ...] = (
            (declaration.flag, self.overrides, as_flag),
            ("", self.environment, as_variable),
            ("the running instance", self.instance, as_flag),
            (self.file_name, table, in_table),
            ("the last instance", self.fallbacks, as_flag),
        )
        for origin, place, (name, name_of_file) in places:
            is_text = place is not table
            direct, from_file = place.get(name), place.get(name_of_file) if declaration.secret else None
            if is_text:  # an empty variable counts as not set
                direct, from_file = direct or None, from_file or None
            if direct is not None and from_file is not None:
                raise Mistake(f"{declaration.path}: {name} and {name_of_file} are both set; keep one of them")
            value = direct if direct is not None else from_file
            if value is not None:
                return RawValue(
                    value=value,
                    origin=origin or (name if direct is not None else name_of_file),
                    is_text=is_text,
                    from_file=direct is None,
                    base_directory=Path() if is_text else self.base_directory,
                )
        return None


@cache
def _queue_names() -> frozenset[str]:
    """The names of the overrides and variables that choose the queue."""
    settings = [one for one in setting_declarations() if one.path in {"queue.adapter", "queue.url"}]
    return frozenset(
        name for one in settings for name in (one.path, one.file_path, one.environment_name, one.file_environment_name)
    )
