"""The `[sources.NAME]` tables, read and written: one for each webhook URL.

Keys that are not fields of schemas.source.Source go into its `options`, which its provider declares and checks.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.source import Secret, Source
from worker.process.spelling import did_you_mean
from worker.settings.declarations import ENVIRONMENT_PREFIX
from worker.settings.source_options import (
    SECRETS_FILES,
    list_fields,
    read_options,
    secret_fields,
    table_fields,
    take_secrets,
)
from worker.settings.values import Mistake, text_list

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
DEFAULT_ACCOUNT = "default"
# The environment may also set these, as BOUNCEKEEPER_SOURCES_<NAME>_<FIELD>, and the secrets among the options.
_TEXT_FIELDS = ("provider", "account", "account_from", "campaign_from", "authentication")
_SECRETS_FIELDS = ("secrets", f"secrets{SECRETS_FILES}")
_LIST_FIELDS = (*_SECRETS_FIELDS, "allowed_addresses")
_FLAG_FIELDS = ("bulk", "makes_accounts")
SOURCE_FIELDS = (*_TEXT_FIELDS, *_LIST_FIELDS, *_FLAG_FIELDS)
_FLAG_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


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

    `certificate_file` is the file that a table of files names for each of its keys: pinned certificates.
    """
    usual = Source(name=source.name, provider="")
    values: dict[str, Any] = {
        field: getattr(source, field)
        for field in (
            "provider",
            "account",
            "account_from",
            "campaign_from",
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
    tables = {name: values.pop(name) for name in table_fields() if name in values}
    lines = [f"[sources.{source.name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    for name, table in tables.items():
        lines += [f"[sources.{source.name}.{name}]", *(f"{_toml(key)} = {_toml(certificate_file)}" for key in table)]
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
    _override(values, name, environment)
    texts = {field: _take_text(values, field, where, mistakes) for field in _TEXT_FIELDS}
    if not texts["provider"]:
        mistakes.append(f'{where}.provider is missing: name the ESP, such as provider = "sendgrid"')
    return Source(
        name=name,
        provider=texts["provider"],
        account=texts["account"] or DEFAULT_ACCOUNT,
        account_from=texts["account_from"],
        campaign_from=texts["campaign_from"],
        authentication=texts["authentication"],
        secrets=take_secrets(values, base_directory, where, mistakes, field="secrets"),
        allowed_addresses=_take_networks(values, where, mistakes),
        bulk=_take_flag(values, "bulk", where, mistakes),
        makes_accounts=_take_flag(values, "makes_accounts", where, mistakes, default=True),
        options=read_options(values, base_directory, where, mistakes),
    )


def _override(values: dict[str, Any], name: str, environment: Mapping[str, str]) -> None:
    """Puts the variables of this source in the place of what its table says."""
    lists = {*_LIST_FIELDS, *list_fields()}
    twins = {**secret_fields(), **dict(zip(_SECRETS_FIELDS, reversed(_SECRETS_FIELDS), strict=True))}
    for field in dict.fromkeys((*SOURCE_FIELDS, *twins)):
        if (text := environment.get(source_environment_name(name, field))) is not None:
            values[field] = _split(text) if field in lists else text
            if field in twins:  # the variable replaces both the secret and the file that holds it
                values.pop(twins[field], None)


def _take_text(values: dict[str, Any], field: str, where: str, mistakes: list[str]) -> str:
    value = values.pop(field, "")
    if not isinstance(value, str):
        mistakes.append(f"{where}.{field} is {value!r}: it must be a text, in quotes")
        return ""
    return value.strip()


def _take_networks(values: dict[str, Any], where: str, mistakes: list[str]) -> tuple[str, ...]:
    try:
        return tuple(text_list(values.pop("allowed_addresses", []), f"{where}.allowed_addresses"))
    except Mistake as mistake:
        mistakes.append(mistake.text)
        return ()


def _take_flag(values: dict[str, Any], field: str, where: str, mistakes: list[str], *, default: bool = False) -> bool:
    value = values.pop(field, default)
    flag = value if isinstance(value, bool) else _FLAG_WORDS.get(str(value).strip().lower())
    if flag is None:
        mistakes.append(f"{where}.{field} is {value!r}: write true or false")
    return bool(flag)


def _check_with_provider(source: Source, mistakes: list[str]) -> None:
    from worker.providers.account_rule import check_account_rule  # noqa: PLC0415 - costs time that --help has not
    from worker.providers.campaign_rule import check_campaign_rule  # noqa: PLC0415 - as above
    from worker.providers.registry import PROVIDERS  # noqa: PLC0415 - as above

    provider = PROVIDERS.get(source.provider)
    if provider is None:
        mistakes.append(
            f"sources.{source.name}.provider is {source.provider!r}, which is unknown: "
            f"{did_you_mean(source.provider, PROVIDERS)}"
        )
        return
    complaints = provider.check_source(source)
    complaints += check_account_rule(source.account_from, provider.account_paths)
    complaints += check_campaign_rule(source.campaign_from)
    mistakes += [f"sources.{source.name}: {complaint}" for complaint in complaints]


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
