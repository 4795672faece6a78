"""Secret files that this user cannot read, which another user may be able to read."""

from pathlib import Path

import pytest

from worker.errors import ImpossibleSetting
from worker.settings.configuration import load_settings
from worker.settings.values import UnreadableFile

URLS = '[postgres]\nurl = "postgresql://me@localhost/mine"\n[queue]\nadapter = "postgres"\n'


def test_secret_files_that_cannot_be_read_may_be_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "bouncekeeper.toml"
    file.write_text(
        f'{URLS}[api]\ntokens_files = ["nowhere"]\n[endpoints.crm]\nurl = "https://crm.example.org/hooks"\n'
        'secrets_files = ["nowhere"]\n[sources.a]\nprovider = "sendgrid"\nsecrets_files = ["nowhere"]\n'
        '[sources.b]\nprovider = "sendgrid"\nauthentication = "none"\n'
    )
    unreadable: list[UnreadableFile] = []
    settings = load_settings(config_file=file, environment={}, overrides={}, unreadable_files=unreadable)
    assert [(one.section, one.partition(" ")[0]) for one in unreadable] == [
        ("api", "api.tokens"),
        ("sources", "sources.a.secrets_files"),
        ("endpoints", "endpoints.crm.secrets_files"),
    ]
    assert [source.name for source in settings.sources] == ["b"]
    assert settings.endpoints == ()
    with pytest.raises(RuntimeError, match=r"api\.tokens was not read"):
        settings.api.tokens[0].reveal()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_a_file_without_a_secret_is_a_mistake_for_everybody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    file = tmp_path / "bouncekeeper.toml"
    file.write_text(f'{URLS}[api]\ntokens_files = ["token"]\n')
    unreadable: list[UnreadableFile] = []
    with pytest.raises(ImpossibleSetting, match=r"api\.tokens"):
        load_settings(config_file=file, environment={}, overrides={}, unreadable_files=unreadable)
    assert unreadable == []
