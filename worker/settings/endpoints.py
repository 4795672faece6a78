"""The `[endpoints.NAME]` tables: applications that receive status changes by signed webhooks."""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from schemas.endpoint import Endpoint
from schemas.host import is_loopback
from schemas.source import Secret
from schemas.vocabulary import Status
from worker.process.spelling import did_you_mean
from worker.settings.declarations import ENVIRONMENT_PREFIX
from worker.settings.values import Mistake, read_secret_file, text_list

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")
_SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of a secret
_LEAST_KEY_BYTES = 24  # of the specification: 24 to 64
_TWINS = {"secrets": "secrets_files", "secrets_files": "secrets"}
ENDPOINT_FIELDS = ("url", "secrets", "secrets_files", "statuses")
_KNOWN = {*ENDPOINT_FIELDS, "allow_http"}


def endpoint_environment_name(endpoint: str, field: str) -> str:
    """The variable that overrides one field of one endpoint."""
    return f"{ENVIRONMENT_PREFIX}ENDPOINTS_{endpoint}_{field}".upper().replace("-", "_")


def read_endpoints(
    tables: Any, environment: Mapping[str, str], base_directory: Path, mistakes: list[str]
) -> tuple[Endpoint, ...]:
    """The endpoints without mistakes. Adds the mistakes of the others to `mistakes`."""
    if not isinstance(tables, Mapping):
        mistakes.append("endpoints must be tables: write `[endpoints.NAME]`, then `url = …` below it")
        return ()
    read = [_read_endpoint(name, table, environment, base_directory, mistakes) for name, table in tables.items()]
    return tuple(endpoint for endpoint in read if endpoint is not None)


def _read_endpoint(
    name: str, table: Any, environment: Mapping[str, str], base_directory: Path, mistakes: list[str]
) -> Endpoint | None:
    where = f"endpoints.{name}"
    if not isinstance(table, Mapping):
        mistakes.append(f"{where} must be a table: write `[{where}]`, then `url = …` below it")
        return None
    before = len(mistakes)
    if not _NAME.match(name):
        mistakes.append(f"{where} is not a name for an endpoint: use letters, digits, - and _, at most 64")
    values = dict(table)
    for field in ENDPOINT_FIELDS:
        if (text := environment.get(endpoint_environment_name(name, field))) is not None:
            values[field] = text if field == "url" else [part.strip() for part in text.split(",") if part.strip()]
            values.pop(_TWINS.get(field, ""), None)  # the variable replaces both forms
    mistakes += [f"{where}.{key} is unknown: {did_you_mean(key, _KNOWN)}" for key in values if key not in _KNOWN]
    allow_http = values.get("allow_http", False)
    if not isinstance(allow_http, bool):
        mistakes.append(f"{where}.allow_http must be true or false")
    url = values.get("url", "")
    if remedy := _url_remedy(url, allow_http=allow_http is True):
        mistakes.append(f"{where}.url {remedy}")
    secrets = _read_secrets(values, base_directory, where, mistakes)
    statuses = _read_statuses(values, where, mistakes)
    if len(mistakes) > before:
        return None
    return Endpoint(name=name, url=url, secrets=secrets, statuses=statuses)


def _url_remedy(url: object, *, allow_http: bool) -> str:
    """What is wrong with an endpoint's URL; "" if nothing. Never shows the URL, which may hold a token."""
    if not isinstance(url, str) or not url:
        return "is missing: set the URL of the application's webhooks, such as https://crm.example.org/hooks"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL: write https://host/path"
    if parts.scheme not in {"http", "https"} or not host or parts.fragment:
        return "is not a URL of a web server: write https://host/path"
    if parts.username or parts.password:
        return "holds a user or a password, but webhooks are signed instead: remove it"
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        return (
            "is not https, so others on the network could read the addresses: use https, or set allow_http = true if"
            " the network is yours alone"
        )
    return ""


def _read_secrets(values: dict[str, Any], base_directory: Path, where: str, mistakes: list[str]) -> tuple[Secret, ...]:
    secrets: list[Secret] = []
    try:
        secrets += [Secret(text.strip()) for text in text_list(values.get("secrets", []), f"{where}.secrets")]
        secrets += [
            read_secret_file(file, base_directory, f"{where}.secrets_files")
            for file in text_list(values.get("secrets_files", []), f"{where}.secrets_files")
        ]
    except Mistake as mistake:
        mistakes.append(mistake.text)
        return ()
    make = "make one with `echo whsec_$(openssl rand -base64 32)`"
    if not secrets:
        mistakes.append(f"{where}.secrets (or secrets_files) is missing: {make}, and give it to the application too")
    elif not all(_is_signing_secret(secret.reveal()) for secret in secrets):
        mistakes.append(f"{where}.secrets holds a text that is not whsec_ and base64 of 24 bytes or more: {make}")
    return tuple(secrets)


def _is_signing_secret(text: str) -> bool:
    if not text.startswith(_SECRET_PREFIX):
        return False
    encoded = text.removeprefix(_SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(key) >= _LEAST_KEY_BYTES


def _read_statuses(values: dict[str, Any], where: str, mistakes: list[str]) -> tuple[str, ...]:
    known = [status.value for status in Status]
    try:
        statuses = tuple(text_list(values.get("statuses", []), f"{where}.statuses"))
    except Mistake as mistake:
        mistakes.append(mistake.text)
        return ()
    mistakes += [
        f"{where}.statuses holds {status!r}, which is not a status: {did_you_mean(status, known)}"
        for status in statuses
        if status not in known
    ]
    return statuses
