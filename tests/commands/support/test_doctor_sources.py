"""What `doctor` says of sources that it needs nobody else for."""

import asyncio
from pathlib import Path

import pytest

from worker.commands.support.doctor_sources import look_at_sources
from worker.commands.support.finding import Finding, Level
from worker.samples.described import DESCRIPTION
from worker.settings.configuration import load_settings

MAIL = '[sources.reports]\nprovider = "mail"\nsecrets = ["mta:a-long-password"]\n'


def found(folder: Path, sources: str) -> list[Finding]:
    (folder / "bouncekeeper.toml").write_text(
        f'[postgres]\nurl = "postgresql://me@localhost/mine"\n[queue]\nadapter = "postgres"\n{sources}'
    )
    settings = load_settings(config_file=folder / "bouncekeeper.toml", environment={}, overrides={})
    return asyncio.run(look_at_sources(settings))


def test_a_description_is_reported_with_what_it_lacks(tmp_path: Path) -> None:
    source = '[sources.pigeon]\nprovider = "described"\nsecrets = ["a-secret"]\ndescription = "pigeon.toml"\n'
    (tmp_path / "pigeon.toml").write_text(DESCRIPTION)
    first, described = found(tmp_path, source)
    assert first.detail == "described, 1 secret"
    assert (described.what, described.level) == ("description of pigeon", Level.WELL)
    assert described.detail.startswith("Pigeon Post, events: ")
    head = DESCRIPTION.partition("[events]")[0].replace('occurred_at = "at"\n', "")
    (tmp_path / "pigeon.toml").write_text(head + '[events]\narrived = "delivered"\n')
    _, described, blocks_nobody, timeless = found(tmp_path, source)
    assert described.detail == "Pigeon Post, events: 1"
    assert "it can block nobody" in blocks_nobody.detail
    assert "tells no time of an event" in timeless.detail
    assert {blocks_nobody.level, timeless.level} == {Level.NOTE}


@pytest.mark.parametrize(
    ("options", "level", "told"),
    [
        ('token_secrets = ["a-key-of-thirty-two-characters-!"]', Level.WELL, "are believed for tokens of 1 key"),
        ('authentication_results_from = ["mx.example.com"]', Level.NOTE, "change nothing"),
        ('accept_reports = "all"', Level.NOTE, "all are believed, whoever wrote them"),
        (
            """
            token_secrets = ["a-key-of-thirty-two-characters-!", "the-one-of-last-year"]
            authentication_results_from = ["mx.example.com"]
            known_reporters = ["fbl.example.net"]
            """,
            Level.WELL,
            "are believed for tokens of 2 keys, or signatures of 1 known reporters",
        ),
    ],
)
def test_a_source_of_mail_is_reported_with_what_it_believes(
    options: str, level: Level, told: str, tmp_path: Path
) -> None:
    _, reports = found(tmp_path, MAIL + options + "\n")
    assert (reports.what, reports.level) == ("reports to reports", level)
    assert told in reports.detail
    assert level is Level.WELL or reports.remedy


def test_an_open_source_and_no_source_at_all_are_notes(tmp_path: Path) -> None:
    (open_source,) = found(tmp_path, '[sources.shop]\nprovider = "postmark"\nauthentication = "none"\n')
    assert (open_source.level, open_source.detail) == (Level.NOTE, "is open: anybody may post")
    (nothing,) = found(tmp_path, "")
    assert (nothing.what, nothing.level) == ("sources", Level.NOTE)
