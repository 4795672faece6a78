"""The `[sources.NAME]` tables, read and written: one for each webhook URL.

Keys that are not fields of schemas.source.Source go into its `options`, which only the provider knows and checks.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.source import Secret, Source
from worker.process.spelling import did_you_mean
from worker.settings.declarations import ENVIRONMENT_PREFIX
from worker.settings.values import Mistake, read_secret_file, text_list

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
DEFAULT_ACCOUNT = "default"
# The environment may also set these, as BOUNCEKEEPER_SOURCES_<NAME>_<FIELD>.
_TEXT_FIELDS = ("provider", "account", "account_from", "authentication")
_LIST_FIELDS = ("secrets", "secrets_files", "allowed_addresses", "token_secrets", "token_secrets_files")
_PASSWORD_FIELDS = ("imap_password", "imap_password_file")  # options: only sources of mail know them
_FLAG_FIELDS = ("bulk", "makes_accounts")
SOURCE_FIELDS = (*_TEXT_FIELDS, *_LIST_FIELDS, *_PASSWORD_FIELDS, *_FLAG_FIELDS)
_FLAG_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_SECRET_TWINS = {
    "secrets": "secrets_files",
    "secrets_files": "secrets",
    "token_secrets": "token_secrets_files",
    "token_secrets_files": "token_secrets",
    "imap_password": "imap_password_file",
    "imap_password_file": "imap_password",
}


def source_environment_name(source: str, field: str) -> str:
    """The variable that overrides one field of one source."""
    return f"{ENVIRONMENT_PREFIX}SOURCES_{source}_{field}".upper().replace("-", "_")


def read_sources(
    tables: Any, environment: Mapping[str, str], base_directory: Path, mistakes: list[str]
) -> tuple[Source, ...]:
    """The sources without mistakes. Adds the mistakes of the others to `mistakes`."""
    if not isinstance(tables, Mapping):
        mistakes.append("sources must be tables: write `[sources.NAME]`, then `provider = …` below it")
        return ()
    sources = []
    for name, table in tables.items():
        before = len(mistakes)
        source = _read_source(name, table, environment, base_directory, mistakes)
        if source is not None and len(mistakes) == before:
            _check_with_provider(source, mistakes)
            sources.append(source)
    return tuple(sources)


def source_accounts(tables: Any, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The accounts that the sources name, in order; `default` if there is no source yet.

    Needs no secrets of the sources. read_sources reports mistakes in the tables.
    """
    if not isinstance(tables, Mapping) or not tables:
        return (DEFAULT_ACCOUNT,)
    named = [
        environment.get(source_environment_name(name, "account"), table.get("account", ""))
        for name, table in tables.items()
        if isinstance(table, Mapping)
    ]
    return tuple(sorted({account.strip() or DEFAULT_ACCOUNT for account in named if isinstance(account, str)}))


def write_source(source: Source, *, certificate_file: str = "") -> str:
    """The TOML table from which `read_sources` makes this source, with its secrets in clear.

    `certificate_file` is the file with the source's pinned certificates.
    """
    usual = Source(name=source.name, provider="")
    values: dict[str, Any] = {
        field: getattr(source, field)
        for field in (
            "provider",
            "account",
            "account_from",
            "authentication",
            "allowed_addresses",
            "bulk",
            "makes_accounts",
        )
        if getattr(source, field) != getattr(usual, field)
    }
    if source.secrets:
        values["secrets"] = [secret.reveal() for secret in source.secrets]
    values |= {name: _in_clear(option) for name, option in source.options.items()}
    pinned = values.pop("pinned_certificates", {})
    lines = [f"[sources.{source.name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    if pinned:
        lines += [f"[sources.{source.name}.pinned_certificates]"]
        lines += [f"{_toml(url)} = {_toml(certificate_file)}" for url in pinned]
    return "\n".join(lines) + "\n"


def _in_clear(option: Any) -> Any:
    if isinstance(option, tuple):
        return [part.reveal() if isinstance(part, Secret) else part for part in option]
    return option


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # texts, numbers and lists look the same in JSON and TOML


def _read_source(
    name: str, table: Any, environment: Mapping[str, str], base_directory: Path, mistakes: list[str]
) -> Source | None:
    where = f"sources.{name}"
    if not isinstance(table, Mapping):
        mistakes.append(f"{where} must be a table: write `[{where}]`, then `provider = …` below it")
        return None
    if not _NAME.match(name):
        mistakes.append(
            f"{where} is not a name for a source, because it is part of a URL: use letters, digits, - and _, at most 64"
        )
    values = dict(table)
    for field in SOURCE_FIELDS:
        if (text := environment.get(source_environment_name(name, field))) is not None:
            values[field] = _split(text) if field in _LIST_FIELDS else text
            if field in _SECRET_TWINS:  # the variable replaces both forms
                values.pop(_SECRET_TWINS[field], None)

    texts = {field: _take_text(values, field, where, mistakes) for field in _TEXT_FIELDS}
    if not texts["provider"]:
        mistakes.append(f'{where}.provider is missing: name the ESP, such as provider = "sendgrid"')
    if token_secrets := _take_secrets(values, base_directory, where, mistakes, field="token_secrets"):
        values["token_secrets"] = token_secrets  # an option: only sources of mail know it
    if password := _take_password(values, base_directory, where, mistakes):
        values["imap_password"] = password
    return Source(
        name=name,
        provider=texts["provider"],
        account=texts["account"] or DEFAULT_ACCOUNT,
        account_from=texts["account_from"],
        authentication=texts["authentication"],
        secrets=_take_secrets(values, base_directory, where, mistakes),
        allowed_addresses=_take_networks(values, where, mistakes),
        bulk=_take_flag(values, "bulk", where, mistakes),
        makes_accounts=_take_flag(values, "makes_accounts", where, mistakes, default=True),
        options=_read_description(
            _read_certificates(values, base_directory, where, mistakes), base_directory, where, mistakes
        ),
    )


def _take_text(values: dict[str, Any], field: str, where: str, mistakes: list[str]) -> str:
    value = values.pop(field, "")
    if not isinstance(value, str):
        mistakes.append(f"{where}.{field} is {value!r}: it must be a text, in quotes")
        return ""
    return value.strip()


def _take_secrets(
    values: dict[str, Any], base_directory: Path, where: str, mistakes: list[str], *, field: str = "secrets"
) -> tuple[Secret, ...]:
    inline, files = values.pop(field, []), values.pop(f"{field}_files", [])
    secrets: list[Secret] = []
    try:
        texts = [text.strip() for text in text_list(inline, f"{where}.{field}")]
        if not all(texts):
            mistakes.append(f"{where}.{field} holds an empty text: fill it in, or remove it")
        if any("…" in text for text in texts):  # otherwise every reader of the documentation could post
            mistakes.append(f"{where}.{field} holds the … of an example: write the whole secret")
        secrets += [Secret(text) for text in texts if text]
        secrets += [
            read_secret_file(name, base_directory, f"{where}.{field}_files")
            for name in text_list(files, f"{where}.{field}_files")
        ]
    except Mistake as mistake:
        mistakes.append(str(mistake))
    return tuple(secrets)


def _take_password(values: dict[str, Any], base_directory: Path, where: str, mistakes: list[str]) -> Secret | None:
    inline, file = (values.pop(field, None) for field in _PASSWORD_FIELDS)
    if inline is not None and file is not None:
        mistakes.append(f"{where}: imap_password and imap_password_file are both set; keep one of them")
    mistakes += [
        f"{where}.{field} must be a text, in quotes, and not empty"
        for field, value in zip(_PASSWORD_FIELDS, (inline, file), strict=True)
        if value is not None and not (isinstance(value, str) and value)
    ]
    if isinstance(inline, str) and inline:
        return Secret(inline)
    if not isinstance(file, str) or not file:
        return None
    try:
        return read_secret_file(file, base_directory, f"{where}.imap_password_file")
    except Mistake as mistake:
        mistakes.append(str(mistake))
        return None


def _take_networks(values: dict[str, Any], where: str, mistakes: list[str]) -> tuple[str, ...]:
    try:
        return tuple(text_list(values.pop("allowed_addresses", []), f"{where}.allowed_addresses"))
    except Mistake as mistake:
        mistakes.append(str(mistake))
        return ()


def _take_flag(values: dict[str, Any], field: str, where: str, mistakes: list[str], *, default: bool = False) -> bool:
    value = values.pop(field, default)
    flag = value if isinstance(value, bool) else _FLAG_WORDS.get(str(value).strip().lower())
    if flag is None:
        mistakes.append(f"{where}.{field} is {value!r}: write true or false")
    return bool(flag)


def _read_certificates(values: dict[str, Any], base_directory: Path, where: str, mistakes: list[str]) -> dict[str, Any]:
    """The options, with the PEM files of `pinned_certificates` (URL -> file) read into PEM text."""
    pinned = values.get("pinned_certificates")
    if pinned is None:
        return values
    if not isinstance(pinned, Mapping) or not all(isinstance(path, str) for path in pinned.values()):
        mistakes.append(f"{where}.pinned_certificates must be a table of URLs and their PEM files")
        return values
    certificates = {}
    for url, path in pinned.items():
        try:
            certificates[url] = read_secret_file(path, base_directory, f"{where}.pinned_certificates").reveal()
        except Mistake as mistake:
            mistakes.append(str(mistake))
    return {**values, "pinned_certificates": certificates}


def _read_description(values: dict[str, Any], base_directory: Path, where: str, mistakes: list[str]) -> dict[str, Any]:
    """The options, with the TOML file that describes the source's vendor read into its text."""
    name = values.get("description")
    if name is None:
        return values
    if not isinstance(name, str):
        mistakes.append(f"{where}.description must be the name of a TOML file, in quotes")
        return values
    path = base_directory / Path(name).expanduser()
    try:
        return {**values, "description": path.read_text(encoding="utf-8")}
    except (OSError, UnicodeError) as error:
        mistakes.append(f"{where}.description: {path} cannot be read ({error}): name a file that can be read")
        return values


def _check_with_provider(source: Source, mistakes: list[str]) -> None:
    from worker.providers.account_rule import check_account_rule  # noqa: PLC0415 - costs time that --help has not
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - as above

    provider = PROVIDERS.get(source.provider)
    if provider is None:
        mistakes.append(
            f"sources.{source.name}.provider is {source.provider!r}, which is unknown: "
            f"{did_you_mean(source.provider, PROVIDERS)}"
        )
        return
    complaints = provider.check_source(source) + check_account_rule(source.account_from, provider.account_paths)
    mistakes += [f"sources.{source.name}: {complaint}" for complaint in complaints]


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
