"""The demo has a folder of its own, whichever way the data folder is named."""

from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest

from worker.commands.catalogue import COMMANDS
from worker.commands.support.demo_folder import use_demo_folder
from worker.commands.support.instance import QUEUE_IN_POSTGRES
from worker.commands.support.setting_flags import settings_of
from worker.commands.support.startup_notice import flags_to_find


@pytest.mark.parametrize("words", [("up", "--demo"), ("stack", "--demo"), ("demo",)], ids=" ".join)
@pytest.mark.parametrize("named_by", ["flag", "variable"])
def test_all_who_use_the_demo_keep_its_data_in_one_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], named_by: str
) -> None:
    flags = ["--data-directory", str(tmp_path)] if named_by == "flag" else []
    if named_by == "variable":
        monkeypatch.setenv("BOUNCEKEEPER_DATA_DIRECTORY", str(tmp_path))
    parser = ArgumentParser()
    import_module(f"worker.commands.{COMMANDS[words[0]].module}").COMMANDS[words[0]].configure(parser)
    arguments = parser.parse_args([*words[1:], *flags])
    folder = use_demo_folder(arguments)
    assert folder == tmp_path / "demo"
    assert arguments.config == str(folder / "bouncekeeper.toml")
    assert settings_of(arguments, starts_postgres=True, fallbacks=QUEUE_IN_POSTGRES).data_directory == str(folder)


def test_other_commands_are_told_of_the_folder_if_a_variable_names_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "demo" / "bouncekeeper.toml"
    named = ["--config", str(file)]
    assert flags_to_find(file, named_folder=str(file.parent)) == named
    monkeypatch.setenv("BOUNCEKEEPER_DATA_DIRECTORY", str(tmp_path))
    assert flags_to_find(file, named_folder=str(file.parent)) == [*named, "--data-directory", str(file.parent)]
