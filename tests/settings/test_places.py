"""Beside a running `up` or `stack` a command finds what that one uses; when it has ended, where its queue was."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from worker.errors import ImpossibleSetting
from worker.local_services.instance import Instance, find_instance
from worker.settings.configuration import load_settings
from worker.settings.tree import Settings

POSTGRES = "postgresql://me@db.example.org/mine"
BROKER = "amqp://me:geheim@127.0.0.1:40001/"
OF_STACK = {
    "receiver.host": "127.0.0.1",
    "receiver.port": "9025",
    "api.host": "127.0.0.1",
    "api.port": "9026",
    "queue.adapter": "rabbitmq",
    "queue.url": BROKER,
    "queue.url_file": "",
}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "bouncekeeper.toml"
    path.write_text(f'data_directory = "."\n[postgres]\nurl = "{POSTGRES}"\n[receiver]\nport = 8125\n')
    return path


@pytest.fixture
def stack(config_file: Path) -> Iterator[Instance]:
    """The instance of the file's folder, running."""
    instance = Instance(config_file.parent, command="stack", config_file=config_file, settings=OF_STACK)
    assert instance.hold() is None
    yield instance
    instance.release()


def load(
    config_file: Path,
    *,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    joins_instance: bool = True,
    fallbacks: Mapping[str, str] | None = None,
) -> Settings:
    return load_settings(
        config_file=config_file,
        environment=environment or {},
        overrides=overrides or {},
        joins_instance=joins_instance,
        fallbacks=fallbacks,
    )


def test_what_runs_goes_before_what_the_file_says(config_file: Path, stack: Instance) -> None:
    del stack
    with config_file.open("a") as file:
        file.write('[queue]\nadapter = "postgres"\n')
    settings = load(config_file)
    assert settings.queue.adapter == "rabbitmq"
    assert settings.queue.url is not None
    assert settings.queue.url.reveal() == BROKER
    assert (settings.receiver.port, settings.api.port) == (9025, 9026)
    assert settings.postgres.url.reveal() == POSTGRES


def test_a_flag_and_a_variable_go_before_what_runs(config_file: Path, stack: Instance) -> None:
    del stack
    settings = load(
        config_file, environment={"BOUNCEKEEPER_RECEIVER_PORT": "7025"}, overrides={"queue.adapter": "postgres"}
    )
    assert settings.receiver.port == 7025
    assert (settings.queue.adapter, settings.queue.url) == ("postgres", None)


def test_a_command_with_another_file_has_nothing_to_do_with_it(
    config_file: Path, stack: Instance, tmp_path: Path
) -> None:
    del stack
    other = tmp_path / "other.toml"
    other.write_text(config_file.read_text() + '[queue]\nadapter = "postgres"\n')
    settings = load(other)
    assert (settings.queue.adapter, settings.receiver.port) == ("postgres", 8125)


def test_when_it_has_ended_only_its_queue_is_remembered_and_only_where_no_other_is_written(
    config_file: Path, stack: Instance
) -> None:
    stack.release()
    settings = load(config_file)
    assert settings.queue.url is not None
    assert settings.queue.url.reveal() == BROKER
    assert settings.receiver.port == 8125
    with config_file.open("a") as file:
        file.write('[queue]\nadapter = "postgres"\n')
    assert load(config_file).queue.adapter == "postgres"


def test_who_starts_everything_by_himself_chooses_where_nobody_has(config_file: Path, stack: Instance) -> None:
    stack.release()
    fallbacks = {"queue.adapter": "postgres"}
    assert load(config_file, joins_instance=False, fallbacks=fallbacks).queue.adapter == "postgres"
    with config_file.open("a") as file:
        file.write('[queue]\nurl = "amqp://of.ours.example.org/"\n')
    assert load(config_file, joins_instance=False, fallbacks=fallbacks).queue.adapter == "rabbitmq"


def test_without_any_instance_a_missing_queue_is_a_mistake(config_file: Path) -> None:
    with pytest.raises(ImpossibleSetting, match=r"queue\.url is missing"):
        load(config_file)


def test_the_second_instance_of_a_folder_is_told_of_the_first(config_file: Path, stack: Instance) -> None:
    second = Instance(config_file.parent, command="up", config_file=config_file, settings={})
    first = second.hold()
    assert first is not None
    assert (first.command, first.settings, first.runs) == ("stack", OF_STACK, True)
    stack.release()
    assert second.hold() is None
    second.release()
    ended = find_instance(config_file.parent)
    assert ended is not None
    assert (ended.command, ended.runs) == ("up", False)
