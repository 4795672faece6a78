"""Turns a raw value from a file, a variable or a flag into a setting's value, or into a mistake with its remedy.

Never shows the value of a secret.
"""

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from schemas.source import Secret
from worker.settings.declarations import SettingDeclaration


class RawValue(Struct, frozen=True, kw_only=True):
    """A value as it was written, and where."""

    value: Any
    origin: str  # "--receiver-port", "BOUNCEKEEPER_RECEIVER_PORT", "bouncekeeper.toml"
    is_text: bool  # from a flag or variable: numbers are still digits, lists still joined by commas
    from_file: bool = False  # the value names the file (for a list: the files) that holds the secret
    base_directory: Path = Path()  # the folder of a relative file name


class UnreadableFile(str):
    """The mistake of a secret file that this user cannot read: `api.tokens (from …) names the file …`.

    Another user may be able to read it, so it says nothing against the configuration itself.
    """

    __slots__ = ()

    @property
    def section(self) -> str:
        """The section that names the file: `api`, `sources`."""
        return self.partition(".")[0]


class Mistake(Exception):  # noqa: N818 - collected, never raised across the edge of the settings modules
    """One mistake, with its remedy."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text  # of a secret file that cannot be read an UnreadableFile


class UnreadSecret(Secret):
    """A secret in a file that was not read: the command does not need its section, or the user cannot read the file."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__(path)

    def reveal(self) -> str:
        """Raises RuntimeError: the command must name the section among its needs, or look whether it was read."""
        raise RuntimeError(f"{self._text} was not read: the command must name its section among its needs")


def read_value(declaration: SettingDeclaration, raw: RawValue, *, opens_files: bool = True) -> Any:
    """The value in the setting's own type. Raises Mistake.

    Without `opens_files` a secret in a file is an UnreadSecret.
    """
    value = _split(raw.value) if raw.is_text and declaration.several else raw.value
    where = f"{declaration.path} (from {raw.origin})"
    if declaration.secret:
        return _read_secret(declaration, raw, value, where, opens_files=opens_files)
    if raw.is_text and declaration.plain_type is bool and isinstance(value, str):
        value = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower(), value)
    try:
        return msgspec.convert(value, declaration.annotation, strict=not raw.is_text)
    except msgspec.ValidationError:
        raise Mistake(f"{where} is {raw.value!r}: {_expectation(declaration, raw)}") from None


def read_secret_file(name: str, base_directory: Path, where: str) -> Secret:
    """The file's text without the line break at its end. Raises Mistake."""
    path = base_directory / Path(name).expanduser()
    try:
        text = path.read_text(encoding="utf-8").strip()
    except PermissionError:
        raise Mistake(UnreadableFile(f"{where} names the file {path}, which {_who_may_read(path)}")) from None
    except OSError as error:
        problem = f"{where} names the file {path}, which cannot be read: {error.strerror}"
        raise Mistake(UnreadableFile(problem)) from None
    except UnicodeDecodeError:
        # Its message could hold a part of the file.
        raise Mistake(f"{where} names the file {path}, which cannot be read: it is not UTF-8 text") from None
    if not text:
        raise Mistake(f"{where} names the file {path}, which is empty: put the secret into it")
    return Secret(text)


def _who_may_read(path: Path) -> str:
    """`user 10001 may not read …`, with the remedy."""
    may_not = f"user {os.geteuid()} may not read"
    try:
        status = path.stat()
    except OSError:
        return f"{may_not}: let this user enter its folder"
    return (
        f"{may_not}: it belongs to user {status.st_uid}, mode {stat.S_IMODE(status.st_mode):o}. Let this user read it, "
        "for example with `chmod a+r` in a folder that keeps others out; for docker compose, `deploy/make-secrets` "
        "does that"
    )


def unread_secret(declaration: SettingDeclaration) -> UnreadSecret | tuple[UnreadSecret, ...]:
    """The value of a secret whose file cannot be read."""
    secret = UnreadSecret(declaration.path)
    return (secret,) if declaration.several else secret


def text_list(value: Any, where: str) -> list[str]:
    """A list of texts. Raises Mistake, which does not show the value, because it may be a secret."""
    if isinstance(value, str):
        # A single text is refused too, because it would hide from readers that several are possible.
        raise Mistake(f'{where} is one text: write a list, {_name_of(where)} = ["…"]')
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise Mistake(f'{where} must be a list of texts: ["…", "…"]')
    return list(value)


def _name_of(where: str) -> str:
    """`secrets` of `sources.shop.secrets`, `tokens` of `api.tokens (from bouncekeeper.toml)`."""
    return where.partition(" ")[0].rpartition(".")[2]


def _read_secret(declaration: SettingDeclaration, raw: RawValue, value: Any, where: str, *, opens_files: bool) -> Any:
    if declaration.several:
        values = text_list(value, where)
    elif isinstance(value, str):
        values = [value]
    else:
        raise Mistake(f"{where} must be a text, in quotes")
    secrets: tuple[Secret, ...]
    if raw.from_file and not opens_files:
        secrets = tuple(UnreadSecret(declaration.path) for _ in values)
    elif raw.from_file:
        secrets = tuple(read_secret_file(part, raw.base_directory, where) for part in values)
    else:
        if not all(part.strip() for part in values):
            raise Mistake(f"{where} is empty: set a value, or remove it")
        secrets = tuple(Secret(part.strip()) for part in values)
    return secrets if declaration.several else secrets[0]


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _expectation(declaration: SettingDeclaration, raw: RawValue) -> str:
    if isinstance(raw.value, str) and raw.value.startswith("tcp://"):
        return (
            "this is a service link that Kubernetes put into the environment; "
            "set `enableServiceLinks: false` in the pod"
        )
    article = "" if declaration.choices or declaration.plain_type is bool else "a "
    expectation = f"it must be {article}{declaration.kind}"
    if declaration.several:
        expectation += ', such as ["10.0.0.0/8"]' if not raw.is_text else ", joined by commas"
    return ", ".join([expectation, *declaration.limits])
