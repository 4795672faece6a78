"""Reads the configuration once: flag over environment over TOML file over default.

It reports all mistakes at once, each with its remedy, and never shows a secret.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from schemas.endpoint import Endpoint
from schemas.source import Secret, Source
from worker.errors import ImpossibleSetting
from worker.local_services.folder import folder_mistake
from worker.local_services.instance import find_instance
from worker.policy.rule import Policy
from worker.providers.classification.operator_rules import OperatorRule
from worker.settings.configuration_file import CONFIG_VARIABLE, read_config_file
from worker.settings.contradictions import contradictions
from worker.settings.declarations import section_types, setting_declarations
from worker.settings.endpoints import read_endpoints
from worker.settings.names import unknown_in_environment, unknown_in_file, unknown_overrides
from worker.settings.places import Places
from worker.settings.sources import read_sources, source_accounts
from worker.settings.tree import Settings
from worker.settings.values import Mistake, UnreadableFile, UnreadSecret, read_value, unread_secret

ALL_SECTIONS = frozenset({*section_types(), "sources", "endpoints"})
_UNREADABLE = object()  # the value of a setting whose mistake is already reported


def load_settings(
    *,
    config_file: Path | None,
    environment: Mapping[str, str],
    overrides: Mapping[str, str],
    needs: Collection[str] = ALL_SECTIONS,
    starts_postgres: bool = False,
    starts_broker: bool = False,
    joins_instance: bool = False,
    fallbacks: Mapping[str, str] | None = None,
    looked_for: Sequence[Path] = (),
    unreadable_files: list[UnreadableFile] | None = None,
) -> Settings:
    """The settings, complete and consistent.

    `overrides` maps `receiver.port` (or `postgres.url_file`) to the text of its flag. Relative file names in the
    TOML file are relative to its folder, all others to the current one. `needs` are the sections whose secrets a
    command uses: files with the secrets of others are not opened, so another user may own them, and others may be
    incomplete. `migrate` works without a broker's URL and the sources' secrets. Settings that are no secrets are read
    in all sections. With `starts_postgres` and `starts_broker` the URL may be missing: that of Postgres is then empty,
    that of RabbitMQ None, and RabbitMQ is the queue.

    With `joins_instance` the addresses and services of the instance that runs in the data folder with the same file
    win over the file's. `fallbacks` is like `overrides`, but only for settings that are set nowhere. `looked_for` are
    the missing configuration files, for the message.

    Raises ImpossibleSetting with every mistake. With `unreadable_files` a secret file that this user cannot read is no
    mistake, but put there: its setting is then an UnreadSecret, and its source or endpoint is left out.
    """
    tables = read_config_file(config_file) if config_file is not None else {}
    base_directory = config_file.parent if config_file is not None else Path()
    places = Places(
        overrides=overrides,
        environment=environment,
        tables=tables,
        file_name=str(config_file),
        base_directory=base_directory,
    )
    mistakes = [
        *unknown_in_file(tables, str(config_file)),
        *unknown_in_environment(environment, tables),
        *unknown_overrides(overrides),
    ]
    if joins_instance:
        places = _with_instance(places, config_file)
    if fallbacks:
        places = places.with_fallbacks(fallbacks)
    values = _read_values(places, needs, mistakes)
    if starts_broker:
        values["queue.adapter"] = "rabbitmq"
    mistakes += contradictions(_comparable(values, needs, starts_broker=starts_broker))
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
    if unreadable_files is not None:
        unreadable_files += [mistake for mistake in mistakes if isinstance(mistake, UnreadableFile)]
        mistakes = [mistake for mistake in mistakes if not isinstance(mistake, UnreadableFile)]
    if mistakes or policy is None:
        raise ImpossibleSetting(f"{_list_mistakes(mistakes)}\n{_name_file(config_file, looked_for)}")
    accounts = source_accounts(tables.get("sources", {}), environment)
    return _build(
        values,
        policy=policy,
        sources=sources,
        source_accounts=accounts,
        endpoints=endpoints,
        classification=classification,
    )


def _with_instance(places: Places, config_file: Path | None) -> Places:
    """The places, with the settings of the data folder's instance if it uses the same file."""
    try:
        record = find_instance(Path(_data_directory(places)))
    except OSError:
        return places  # code that needs the folder reports the error
    if record is None or config_file is None or record.config_file != str(config_file.resolve()):
        return places
    return places.with_instance(record.settings) if record.runs else places.with_fallbacks(record.settings)


def _data_directory(places: Places) -> str:
    (declaration,) = (one for one in setting_declarations() if one.path == "data_directory")
    raw = places.find(declaration)
    return str(declaration.default if raw is None else raw.base_directory / Path(str(raw.value)).expanduser())


def _read_values(places: Places, needs: Collection[str], mistakes: list[str]) -> dict[str, Any]:
    """Every setting that is set or has a default, by its path; for a mistake `_UNREADABLE`, or an UnreadSecret."""
    values: dict[str, Any] = {}
    for declaration in setting_declarations():
        try:
            raw = places.find(declaration)
            if raw is not None:
                values[declaration.path] = read_value(declaration, raw, opens_files=declaration.section in needs)
                if declaration.path == "data_directory":
                    values[declaration.path] = _data_directory(places)
                elif declaration.path == "unsubscribe.words_file" and raw.value:
                    values[declaration.path] = str(raw.base_directory / Path(str(raw.value)).expanduser())
            elif not declaration.required:
                values[declaration.path] = declaration.default
        except Mistake as mistake:
            mistakes.append(mistake.text)
            values.setdefault(declaration.path, unread_secret(declaration) if declaration.secret else _UNREADABLE)
    return values


def _comparable(values: Mapping[str, Any], needs: Collection[str], *, starts_broker: bool) -> dict[str, Any]:
    """The values that `contradictions` compares: those of the needed sections, without mistakes."""
    left_out = {"queue.url"} if starts_broker and values.get("queue.url") is None else set()
    return {
        path: value
        for path, value in values.items()
        if path.partition(".")[0] in needs and path not in left_out and _was_read(value)
    }


def _was_read(value: Any) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return value is not _UNREADABLE and not any(isinstance(part, UnreadSecret) for part in parts)


def embedded_postgres_url(data_directory: Path) -> Secret | None:
    """The URL of the Postgres that `up` keeps in the data folder, or None if it was never started.

    Raises OSError if its files cannot be read.
    """
    folder = data_directory / "postgres"
    try:
        password = (folder / "password").read_text().strip()
        port = int((folder / "port").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return Secret(f"postgresql://postgres:{quote(password, safe='')}@127.0.0.1:{port}/bouncekeeper")


def _use_embedded_postgres(values: dict[str, Any], mistakes: list[str], *, starts_postgres: bool) -> None:
    folder = values["data_directory"]
    if folder is _UNREADABLE:
        return
    if starts_postgres:
        values["postgres.url"] = Secret("")
        return
    try:
        url = embedded_postgres_url(Path(folder).expanduser())
    except OSError as error:
        mistakes.append(folder_mistake(Path(folder), error))
        return
    if url is not None:
        values["postgres.url"] = url
        return
    mistakes.append(
        "postgres.url is missing: set it to postgresql://user:password@host:5432/database (or set postgres.url_file "
        f"to a file with the URL), or let `bouncekeeper up` make a Postgres in {folder}"
    )


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
    from worker.settings.classification import read_operator_rules  # noqa: PLC0415 - few have any: read only for them

    return read_operator_rules(table, mistakes)


def _list_mistakes(mistakes: list[str]) -> str:
    if len(mistakes) == 1:
        return f"the configuration has a mistake: {mistakes[0]}"
    return "\n  - ".join([f"the configuration has {len(mistakes)} mistakes:", *mistakes])


def _name_file(config_file: Path | None, looked_for: Sequence[Path]) -> str:
    """Names the file that was read, or the missing ones: the operator may have meant another."""
    if config_file is not None:
        return f"The configuration file is {config_file.absolute()}."
    paths = " or ".join(str(path.absolute()) for path in looked_for)
    missing = f": there is no {paths}" if paths else ""
    return f"No configuration file was read{missing}. Name one with --config or {CONFIG_VARIABLE}."


def _build(values: Mapping[str, Any], **other_fields: Any) -> Settings:
    top_level: dict[str, Any] = {path: value for path, value in values.items() if "." not in path}
    for section, struct in section_types().items():
        prefix = f"{section}."
        top_level[section] = struct(
            **{path.removeprefix(prefix): value for path, value in values.items() if path.startswith(prefix)}
        )
    return Settings(**top_level, **other_fields)
