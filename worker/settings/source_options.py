"""The options of sources as they are written in TOML and in the environment. Each provider declares its own.

The environment can set only the secrets among them, as BOUNCEKEEPER_SOURCES_<SOURCE>_<OPTION>. The providers are
imported only when a source is read, so that other commands start faster.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.source import Secret
from worker.settings.values import Mistake, read_secret_file, text_list

if TYPE_CHECKING:
    from worker.providers.authentication.source_options import Form

SECRETS_FILES = "_files"  # behind the name of a list of secrets
SECRET_FILE = "_file"  # noqa: S105 - no secret: behind the name of a single secret


@cache
def option_forms() -> "Mapping[str, Form]":
    """How each option of any provider is written, by its name."""
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - see above

    return {option.name: option.form for provider in PROVIDERS.values() for option in provider.all_options()}


def secret_fields() -> dict[str, str]:
    """The fields that hold secrets or name their files, each with the other field that may be set in its place."""
    from worker.providers.authentication.source_options import Form  # noqa: PLC0415 - see above

    endings = {Form.SECRETS: SECRETS_FILES, Form.SECRET: SECRET_FILE}
    pairs = [(name, name + endings[form]) for name, form in option_forms().items() if form in endings]
    return dict(pairs) | {file: name for name, file in pairs}


def list_fields() -> tuple[str, ...]:
    """The fields that hold several texts, in the environment with commas between them."""
    from worker.providers.authentication.source_options import Form  # noqa: PLC0415 - see above

    names = [name for name, form in option_forms().items() if form is Form.SECRETS]
    return tuple(field for name in names for field in (name, name + SECRETS_FILES))


def table_fields() -> tuple[str, ...]:
    """The options that are tables of their own."""
    from worker.providers.authentication.source_options import Form  # noqa: PLC0415 - see above

    return tuple(name for name, form in option_forms().items() if form is Form.TABLE_OF_FILES)


def read_options(values: Mapping[str, Any], base_directory: Path, where: str, mistakes: list[str]) -> dict[str, Any]:
    """The options as providers read them: secrets as Secret, and files replaced by their text. Adds to `mistakes`."""
    from worker.providers.authentication.source_options import Form  # noqa: PLC0415 - see above

    options = dict(values)
    for name, form in option_forms().items():
        if form is Form.SECRETS:
            if secrets := take_secrets(options, base_directory, where, mistakes, field=name):
                options[name] = secrets
        elif form is Form.SECRET:
            if (secret := _take_secret(options, base_directory, where, mistakes, field=name)) is not None:
                options[name] = secret
        elif options.get(name) is None:
            continue
        elif form is Form.FILE:
            options[name] = _read_file(options[name], base_directory, f"{where}.{name}", mistakes)
        elif form is Form.TABLE_OF_FILES:
            options[name] = _read_files(options[name], base_directory, f"{where}.{name}", mistakes)
    return options


def take_secrets(
    values: dict[str, Any], base_directory: Path, where: str, mistakes: list[str], *, field: str
) -> tuple[Secret, ...]:
    """Removes the list of secrets, and that of their files, from `values`; gives the secrets. Adds to `mistakes`."""
    inline, files = values.pop(field, []), values.pop(field + SECRETS_FILES, [])
    secrets: list[Secret] = []
    try:
        texts = [text.strip() for text in text_list(inline, f"{where}.{field}")]
        if not all(texts):
            mistakes.append(f"{where}.{field} holds an empty text: fill it in, or remove it")
        if any("…" in text for text in texts):  # otherwise every reader of the documentation could post
            mistakes.append(f"{where}.{field} holds the … of an example: write the whole secret")
        secrets += [Secret(text) for text in texts if text]
        secrets += [
            read_secret_file(name, base_directory, f"{where}.{field}{SECRETS_FILES}")
            for name in text_list(files, f"{where}.{field}{SECRETS_FILES}")
        ]
    except Mistake as mistake:
        mistakes.append(mistake.text)
    return tuple(secrets)


def _take_secret(
    values: dict[str, Any], base_directory: Path, where: str, mistakes: list[str], *, field: str
) -> Secret | None:
    file_field = field + SECRET_FILE
    inline, file = values.pop(field, None), values.pop(file_field, None)
    if inline is not None and file is not None:
        mistakes.append(f"{where}: {field} and {file_field} are both set; keep one of them")
    mistakes += [
        f"{where}.{name} must be a text, in quotes, and not empty"
        for name, value in ((field, inline), (file_field, file))
        if value is not None and not (isinstance(value, str) and value)
    ]
    if isinstance(inline, str) and inline:
        return Secret(inline)
    if not isinstance(file, str) or not file:
        return None
    try:
        return read_secret_file(file, base_directory, f"{where}.{file_field}")
    except Mistake as mistake:
        mistakes.append(mistake.text)
        return None


def _read_file(name: Any, base_directory: Path, where: str, mistakes: list[str]) -> Any:
    if not isinstance(name, str):
        mistakes.append(f"{where} must be the name of a file, in quotes")
        return name
    path = base_directory / Path(name).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        mistakes.append(f"{where}: {path} cannot be read ({error}): name a file that can be read")
        return name


def _read_files(table: Any, base_directory: Path, where: str, mistakes: list[str]) -> Any:
    if not isinstance(table, Mapping) or not all(isinstance(name, str) for name in table.values()):
        mistakes.append(f"{where} must be a table in which each value is the name of a file")
        return table
    texts = {}
    for key, name in table.items():
        try:
            texts[key] = read_secret_file(name, base_directory, where).reveal()
        except Mistake as mistake:
            mistakes.append(mistake.text)
    return texts
