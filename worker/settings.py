"""The configuration, read once: flag over environment over TOML file over default.

Whatever is wrong is told all at once, each mistake with its remedy, and no secret is ever repeated.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from schemas.endpoint import Endpoint
from schemas.source import Secret, Source
from worker.errors import ImpossibleSetting
from worker.policy.rule import Policy
from worker.providers.classification.operator_rules import OperatorRule
from worker.settings_checks import contradictions
from worker.settings_declarations import SettingDeclaration, section_types, setting_declarations
from worker.settings_endpoints import read_endpoints
from worker.settings_file import read_config_file
from worker.settings_names import unknown_in_environment, unknown_in_file, unknown_overrides
from worker.settings_sources import read_sources, source_accounts
from worker.settings_tree import Settings
from worker.settings_values import Mistake, RawValue, read_value

ALL_SECTIONS = frozenset({*section_types(), "sources", "endpoints"})
_UNREADABLE = object()  # stands where a mistake was told already


class _Written(Struct, frozen=True, kw_only=True):
    """All that was written anywhere."""

    tables: Mapping[str, Any]
    file_name: str
    base_directory: Path
    environment: Mapping[str, str]
    overrides: Mapping[str, str]


def load_settings(
    *,
    config_file: Path | None,
    environment: Mapping[str, str],
    overrides: Mapping[str, str],
    needs: Collection[str] = ALL_SECTIONS,
    starts_postgres: bool = False,
) -> Settings:
    """The settings, whole and consistent.

    `overrides` maps `receiver.port` (or `postgres.url_file`) to the text of its flag. Relative file names in the
    TOML file are relative to its folder, all others to the current one. What a command does not need is neither
    missed nor compared: `migrate` works without a broker's URL, and without the sources' secrets. For whom
    starts_postgres is true, the URL is empty where none was given. Raises ImpossibleSetting with every mistake.
    """
    tables = read_config_file(config_file) if config_file is not None else {}
    base_directory = config_file.parent if config_file is not None else Path()
    written = _Written(
        tables=tables,
        file_name=str(config_file),
        base_directory=base_directory,
        environment=environment,
        overrides=overrides,
    )
    mistakes = [
        *unknown_in_file(tables, str(config_file)),
        *unknown_in_environment(environment, tables),
        *unknown_overrides(overrides),
    ]
    values: dict[str, Any] = {}
    for declaration in setting_declarations():
        try:
            raw = _find(declaration, written)
            if raw is not None:
                values[declaration.path] = read_value(declaration, raw)
                if declaration.path == "data_directory":
                    values[declaration.path] = str(raw.base_directory / Path(raw.value).expanduser())
            elif not declaration.required:
                values[declaration.path] = declaration.default
        except Mistake as mistake:
            mistakes.append(str(mistake))
            values.setdefault(declaration.path, _UNREADABLE)
    mistakes += contradictions(
        {path: value for path, value in values.items() if value is not _UNREADABLE and path.partition(".")[0] in needs}
    )
    if "postgres.url" not in values:
        _use_embedded_postgres(values, mistakes, starts_postgres=starts_postgres or "postgres" not in needs)
    policy = _read_policy(tables.get("policy", {}), mistakes)
    sources: tuple[Source, ...] = ()
    if "sources" in needs:
        sources = read_sources(tables.get("sources", {}), environment, base_directory, mistakes)
    endpoints: tuple[Endpoint, ...] = ()
    if "endpoints" in needs and "endpoints" in tables:
        endpoints = read_endpoints(tables["endpoints"], environment, base_directory, mistakes)
    classification = _read_classification(tables.get("classification", {}), mistakes)
    if mistakes or policy is None:
        raise ImpossibleSetting(_tell(mistakes))
    accounts = source_accounts(tables.get("sources", {}), environment)
    return _build(
        values,
        policy=policy,
        sources=sources,
        source_accounts=accounts,
        endpoints=endpoints,
        classification=classification,
    )


def embedded_postgres_url(data_directory: Path) -> Secret | None:
    """How to reach the Postgres that `up` keeps in the data folder, or None when it has never been started."""
    folder = data_directory / "postgres"
    try:
        password = (folder / "password").read_text().strip()
        port = int((folder / "port").read_text())
    except (OSError, ValueError):
        return None
    return Secret(f"postgresql://postgres:{quote(password, safe='')}@127.0.0.1:{port}/bouncekeeper")


def _use_embedded_postgres(values: dict[str, Any], mistakes: list[str], *, starts_postgres: bool) -> None:
    folder = values["data_directory"]
    if folder is _UNREADABLE:
        return
    if starts_postgres:
        values["postgres.url"] = Secret("")
    elif (url := embedded_postgres_url(Path(folder).expanduser())) is not None:
        values["postgres.url"] = url
    else:
        mistakes.append(
            "postgres.url is missing: write postgresql://user:password@host:5432/database there (or name a file "
            f"that holds it, postgres.url_file), or let `bouncekeeper up` make a Postgres in {folder}"
        )


def _find(declaration: SettingDeclaration, written: _Written) -> RawValue | None:
    """The value that counts, from the nearest place that has one. Raises Mistake when one place says it twice."""
    table = written.tables.get(declaration.section, {}) if declaration.section else written.tables
    if not isinstance(table, Mapping):
        table = {}
    file_name = declaration.file_path.rpartition(".")[2]
    variables = (declaration.environment_name, declaration.file_environment_name)
    places: tuple[tuple[Mapping[str, Any], tuple[str, str], bool, Path], ...] = (
        (written.overrides, (declaration.path, declaration.file_path), True, Path()),
        (written.environment, variables, True, Path()),
        (table, (declaration.name, file_name), False, written.base_directory),
    )
    for place, (name, name_of_file), is_text, folder in places:
        direct, from_file = place.get(name), place.get(name_of_file) if declaration.secret else None
        if is_text:  # an empty variable is one that was not set
            direct, from_file = direct or None, from_file or None
        if direct is not None and from_file is not None:
            raise Mistake(f"{declaration.path}: {name} and {name_of_file} are both set; keep one of them")
        value = direct if direct is not None else from_file
        if value is not None:
            found_under = name if direct is not None else name_of_file
            return RawValue(
                value=value,
                origin=_origin(declaration, place, found_under, written),
                is_text=is_text,
                from_file=direct is None,
                base_directory=folder,
            )
    return None


def _origin(declaration: SettingDeclaration, place: Mapping[str, Any], found_under: str, written: _Written) -> str:
    if place is written.overrides:
        return declaration.flag
    return found_under if place is written.environment else written.file_name


def _read_policy(table: Any, mistakes: list[str]) -> Policy | None:
    from worker.policy.policy_file import load_policy  # noqa: PLC0415 - parses TOML of its own

    if not isinstance(table, Mapping):
        mistakes.append("policy must be a table: write `[policy]`, then its settings below it")
        return None
    try:
        return load_policy(table)
    except ImpossibleSetting as error:
        mistakes += error.mistakes
        return None


def _read_classification(table: Any, mistakes: list[str]) -> tuple[OperatorRule, ...]:
    if table == {}:
        return ()
    from worker.settings_classification import read_operator_rules  # noqa: PLC0415 - few have any: read only for them

    return read_operator_rules(table, mistakes)


def _tell(mistakes: list[str]) -> str:
    if len(mistakes) == 1:
        return f"the configuration has a mistake: {mistakes[0]}"
    return "\n  - ".join([f"the configuration has {len(mistakes)} mistakes:", *mistakes])


def _build(values: Mapping[str, Any], **handled_apart: Any) -> Settings:
    top_level: dict[str, Any] = {path: value for path, value in values.items() if "." not in path}
    for section, struct in section_types().items():
        prefix = f"{section}."
        top_level[section] = struct(
            **{path.removeprefix(prefix): value for path, value in values.items() if path.startswith(prefix)}
        )
    return Settings(**top_level, **handled_apart)
