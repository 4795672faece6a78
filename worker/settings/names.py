"""Reports unknown names of settings, because most of them are typos."""

import re
from collections.abc import Mapping
from typing import Any

from worker.process.spelling import did_you_mean
from worker.settings.configuration_file import CONFIG_VARIABLE
from worker.settings.declarations import ENVIRONMENT_PREFIX, section_types, setting_declarations
from worker.settings.endpoints import ENDPOINT_FIELDS, endpoint_environment_name
from worker.settings.source_options import secret_fields
from worker.settings.sources import SOURCE_FIELDS, source_environment_name

# Variables of the program's own tests and drills are not settings.
_FOREIGN_PREFIXES = ("BOUNCEKEEPER_TEST_", "BOUNCEKEEPER_BENCH_", "BOUNCEKEEPER_DRILL_")
_SOURCES_PREFIX = f"{ENVIRONMENT_PREFIX}SOURCES_"
_READ_ELSEWHERE = frozenset({"policy", "sources", "endpoints", "classification"})
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d+_TCP")


def unknown_in_file(tables: Mapping[str, Any], origin: str) -> list[str]:
    """The unknown keys of the file, each with a similar known one."""
    sections = section_types()
    top_level = {declaration.name for declaration in setting_declarations() if not declaration.section}
    mistakes = []
    for key, table in tables.items():
        if key in sections:
            if not isinstance(table, Mapping):
                mistakes.append(f"{key} in {origin} must be a table: write `[{key}]`, then its settings below it")
                continue
            known = _names_in_file(key)
            mistakes += [
                f"{key}.{name} in {origin} is unknown: {did_you_mean(name, known)}"
                for name in table
                if name not in known
            ]
        elif key not in top_level | _READ_ELSEWHERE:
            known = {*sections, *top_level, *_READ_ELSEWHERE}
            mistakes.append(f"{key} in {origin} is unknown: {did_you_mean(key, known)}")
    return mistakes


def _names_in_file(section: str) -> set[str]:
    declarations = [declaration for declaration in setting_declarations() if declaration.section == section]
    secret_files = {declaration.file_path.rpartition(".")[2] for declaration in declarations if declaration.secret}
    return {declaration.name for declaration in declarations} | secret_files


def unknown_in_environment(environment: Mapping[str, str], tables: Mapping[str, Any]) -> list[str]:
    """The unknown variables with our prefix, each with a similar known one."""
    known = {CONFIG_VARIABLE}
    for declaration in setting_declarations():
        known.add(declaration.environment_name)
        if declaration.secret:
            known.add(declaration.file_environment_name)
    sources = tables.get("sources", {})
    names_of_sources = list(sources) if isinstance(sources, Mapping) else []
    known |= {source_environment_name(name, field) for name in names_of_sources for field in SOURCE_FIELDS}
    if any(name.startswith(_SOURCES_PREFIX) and name not in known for name in environment):  # maybe options
        known |= {source_environment_name(name, field) for name in names_of_sources for field in secret_fields()}
    endpoints = tables.get("endpoints", {})
    for name in endpoints if isinstance(endpoints, Mapping) else ():
        known |= {endpoint_environment_name(name, field) for field in ENDPOINT_FIELDS}
    return [
        f"the variable {name} is unknown: {_variable_remedy(name, known)}"
        for name in sorted(environment)
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known and not name.startswith(_FOREIGN_PREFIXES)
    ]


def _variable_remedy(name: str, known: set[str]) -> str:
    if _SERVICE_LINK.search(name):
        return "it is a service link of Kubernetes; set `enableServiceLinks: false` in the pod"
    if name.startswith(_SOURCES_PREFIX):
        return "add its source to the configuration file, as `[sources.NAME]`"
    if name.startswith(f"{ENVIRONMENT_PREFIX}ENDPOINTS_"):
        return "add its endpoint to the configuration file, as `[endpoints.NAME]`"
    close = did_you_mean(name, known)
    return close if close.startswith("did") else "docs/configuration.md lists all variables"


def unknown_overrides(overrides: Mapping[str, str]) -> list[str]:
    """The overrides with an unknown name."""
    known = {
        name
        for declaration in setting_declarations()
        for name in (declaration.path, *([declaration.file_path] if declaration.secret else []))
    }
    return [f"the setting {name} is unknown: {did_you_mean(name, known)}" for name in overrides if name not in known]
