"""Every setting by name, with its variable and its flag, derived from worker.settings.tree."""

from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from schemas.source import Secret
from worker.settings.tree import Settings

ENVIRONMENT_PREFIX = "BOUNCEKEEPER_"
_READ_ELSEWHERE = frozenset({"policy", "sources", "source_accounts", "endpoints", "classification"})


class SettingDeclaration(Struct, frozen=True, kw_only=True):
    """One setting: `receiver.port`, `BOUNCEKEEPER_RECEIVER_PORT`, `--receiver-port`."""

    section: str  # "" at the top level
    name: str
    annotation: Any  # with its limits, as msgspec.convert takes it
    plain_type: Any  # without them
    default: Any
    required: bool
    says: str

    @property
    def path(self) -> str:
        """The name in the TOML file."""
        return f"{self.section}.{self.name}" if self.section else self.name

    @property
    def environment_name(self) -> str:
        """The name of its environment variable."""
        return ENVIRONMENT_PREFIX + self.path.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """Its flag. That of a secret names a file, because every user can read a command line."""
        return "--" + (self.file_path if self.secret else self.path).replace(".", "-").replace("_", "-")

    @property
    def secret(self) -> bool:
        """True if the value must never be shown."""
        return self.plain_type is Secret or self.plain_type == tuple[Secret, ...]

    @property
    def several(self) -> bool:
        """True for a list."""
        return get_origin(self.plain_type) is tuple

    @property
    def file_path(self) -> str:
        """The TOML name of the file with the secret (for a list: one file for each)."""
        return f"{self.path}_files" if self.several else f"{self.path}_file"

    @property
    def file_environment_name(self) -> str:
        """The variable that names the file with the secret."""
        return ENVIRONMENT_PREFIX + self.file_path.replace(".", "_").upper()

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values, or () if any value is."""
        return get_args(self.plain_type) if get_origin(self.plain_type) is Literal else ()

    @property
    def limits(self) -> tuple[str, ...]:
        """The smallest and largest value, in words."""
        words = []
        for meta in _metas(self.annotation):
            if meta.ge is not None:
                words.append(f"at least {meta.ge}")
            if meta.gt is not None:
                words.append(f"more than {meta.gt}")
            if meta.le is not None:
                words.append(f"at most {meta.le}")
        return tuple(words)

    @property
    def kind(self) -> str:
        """The type of the value, in words."""
        if self.choices:
            return " or ".join(self.choices)
        if self.several:
            return "list of secrets" if self.secret else "list of texts"
        return {int: "whole number", float: "number", bool: "true or false", Secret: "secret"}.get(
            self.plain_type, "text"
        )


@cache
def setting_declarations() -> tuple[SettingDeclaration, ...]:
    """All settings outside `[policy]` and `[sources]`, in the order of the tree."""
    declarations = []
    for field in msgspec.structs.fields(Settings):
        if field.name in _READ_ELSEWHERE:
            continue
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            declarations += [_declare(field.name, inner) for inner in msgspec.structs.fields(field.type)]
        else:
            declarations.append(_declare("", field))
    return tuple(declarations)


@cache
def section_types() -> dict[str, type[Struct]]:
    """The Struct of each `[section]`."""
    return {
        field.name: field.type
        for field in msgspec.structs.fields(Settings)
        if field.name not in _READ_ELSEWHERE and isinstance(field.type, type) and issubclass(field.type, Struct)
    }


def _declare(section: str, field: msgspec.structs.FieldInfo) -> SettingDeclaration:
    return SettingDeclaration(
        section=section,
        name=field.name,
        annotation=field.type,
        plain_type=_plain(field.type),
        default=None if field.default is NODEFAULT else field.default,
        required=field.required,
        says=next((meta.description for meta in _metas(field.type) if meta.description), ""),
    )


def _metas(annotation: Any) -> list[Meta]:
    if get_origin(annotation) is not Annotated:
        return []
    return [meta for meta in get_args(annotation)[1:] if isinstance(meta, Meta)]


def _plain(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (UnionType, Union):
        (annotation,) = (part for part in get_args(annotation) if part is not type(None))
    return annotation
