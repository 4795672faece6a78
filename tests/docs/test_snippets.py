"""No snippet is there that nothing tries: each language has its own test, and an unknown one fails."""

import base64
import configparser
import json
import os
import re
import tomllib
from pathlib import Path

import asyncpg
import prometheus_client
import pytest
import yaml

from tests.docs.log_examples import faults_of
from tests.docs.pages import Snippet, snippets
from worker.commands.catalogue import COMMANDS
from worker.process import metrics
from worker.providers.described.description import compile_description
from worker.samples.registry import SAMPLE_SENDERS
from worker.samples.sendgrid import SendGridSamples
from worker.settings.configuration import ALL_SECTIONS, load_settings

TRIED = {
    "sh": "tests/docs/test_shell_snippets.py runs it",
    "text": "the output of the snippet before it, compared with what is printed; or a picture",
    "toml": "loaded as a configuration",
    "json": "read, and held against the declared log events when it is log lines",
    "sql": "run on a migrated database",
    "yaml": "read; names of metrics exist",
    "conf": "the settings exist in Postgres",
    "ini": "read; the command line in it exists",
    "javascript": "tests/providers/vendors/test_haraka.py runs it in Node",
    "lua": "tests/docs/test_hook_scripts.py reads it: its shape, its URL and its secret",
    "hsl": "tests/docs/test_hook_scripts.py reads it, and compares its fields with those that are read",
    "python": "test_adding_a_provider.py builds what the page builds; test_consuming.py and test_unsubscribe.py run it",
}
A_PICTURE = "a picture"


def place(snippet: Snippet) -> str:
    return snippet.place


def test_every_snippet_is_in_a_language_that_is_tried() -> None:
    untried = [f"{snippet.place}: {snippet.language}" for snippet in snippets() if snippet.language not in TRIED]
    assert not untried, "nothing tries a block in this language, or one without a language"


def test_every_snippet_says_of_itself_what_is_known() -> None:
    known = re.compile(rf"{A_PICTURE}|stays running|in the end|ends with \d+")
    said = [(snippet.place, word) for snippet in snippets() for word in snippet.directives]
    assert not [(where, word) for where, word in said if not known.fullmatch(word)]


@pytest.mark.parametrize("snippet", snippets("text"), ids=place)
def test_text_is_an_output_or_a_picture(snippet: Snippet) -> None:
    outputs = [other.output for other in snippets("sh") if other.page == snippet.page]
    assert A_PICTURE in snippet.directives or snippet.text in outputs


DESCRIPTIONS = [snippet for snippet in snippets("toml") if re.match(r"# [\w-]+\.toml\n", snippet.text)]


@pytest.mark.parametrize("snippet", DESCRIPTIONS, ids=place)
def test_toml_that_names_its_file_describes_a_vendor(snippet: Snippet) -> None:
    assert compile_description(snippet.text).description.events


@pytest.mark.parametrize("snippet", [one for one in snippets("toml") if one not in DESCRIPTIONS], ids=place)
def test_toml_loads_as_a_configuration(snippet: Snippet, tmp_path: Path) -> None:
    for described in DESCRIPTIONS:
        if described.page == snippet.page:
            (tmp_path / described.text.split()[1]).write_text(described.text)
    written = _with_real_secrets(snippet.text, tmp_path)
    file = tmp_path / "bouncekeeper.toml"
    file.write_text(written)
    shown = set(tomllib.loads(written)) & ALL_SECTIONS
    load_settings(config_file=file, environment={}, overrides={"data_directory": str(tmp_path)}, needs=shown)


def _with_real_secrets(text: str, folder: Path) -> str:
    """Keys that the page cuts short with `…` become whole ones, its host a real one; files that it names are made."""
    text = text.replace("<your host>", "mail.example.org")
    (key,) = (secret.reveal() for secret in SendGridSamples().secrets_for_source())
    text = re.sub(r"MFkw[\w+/]*…", key, text)
    for source in tomllib.loads(text).get("sources", {}).values():
        for short in (secret for secret in source.get("secrets", ()) if "…" in secret):
            (whole, *_) = SAMPLE_SENDERS[source["provider"]]().secrets_for_source()
            text = text.replace(json.dumps(short, ensure_ascii=False), json.dumps(whole.reveal()))
    contents = {"postgres_url": "postgresql://me@localhost/mine", "queue_url": "amqp://localhost/", "sendgrid": key}
    contents["crm"] = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    for path in set(re.findall(r'"(/(?:run/secrets|etc)/[^"]+)"', text)):
        file = folder / Path(path).name
        file.write_text(contents.get(file.stem, "user:a-secret-that-is-long-enough-for-anybody"))
        text = text.replace(f'"{path}"', f'"{file}"')
    return text


@pytest.mark.parametrize("snippet", snippets("json"), ids=place)
def test_json_is_read_and_log_lines_are_as_declared(snippet: Snippet) -> None:
    try:
        documents = [json.loads(snippet.text)]
    except json.JSONDecodeError:
        documents = [json.loads(line) for line in snippet.text.splitlines() if line]
    for line in documents:
        if isinstance(line, dict) and {"event", "level"} <= set(line):
            assert not faults_of(line), snippet.place


@pytest.mark.parametrize("snippet", snippets("sql"), ids=place)
async def test_sql_runs_on_a_migrated_database(snippet: Snippet, database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    try:
        await connection.execute(snippet.text)
    finally:
        await connection.close()


@pytest.mark.parametrize("snippet", snippets("conf"), ids=place)
async def test_settings_of_postgres_exist(snippet: Snippet, postgres_dsn: str) -> None:
    named = re.findall(r"^ *(\w+) *= *\S", snippet.text, re.MULTILINE)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        known = {name for (name,) in await connection.fetch("SELECT name FROM pg_settings")}
    finally:
        await connection.close()
    assert named
    assert set(named) <= known


@pytest.mark.parametrize("snippet", snippets("yaml"), ids=place)
def test_yaml_is_read_and_names_metrics_that_exist(snippet: Snippet) -> None:
    assert yaml.safe_load(snippet.text)
    assert set(re.findall(r"\bbouncekeeper_\w+", snippet.text)) <= exposed_names()


def exposed_names() -> set[str]:
    """Every name under which a metric of ours may be queried."""
    assert metrics.WEBHOOKS
    names: set[str] = set()
    for metric in prometheus_client.REGISTRY.collect():
        names.add(metric.name)
        names |= {f"{metric.name}_{ending}" for ending in ("total", "bucket", "count", "sum")}
    return names


@pytest.mark.parametrize("snippet", snippets("ini"), ids=place)
def test_a_unit_file_starts_a_command_that_exists(snippet: Snippet) -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read_string(snippet.text)
    program, command, *_ = unit["Service"]["ExecStart"].split()
    assert os.path.basename(program) == "bouncekeeper"  # noqa: PTH119 - a path on another machine
    assert command in COMMANDS
