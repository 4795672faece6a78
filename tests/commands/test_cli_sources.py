"""`sources try` and `sources test` as an operator types them."""

import json
from pathlib import Path

import pytest

from tests.commands.test_cli import bouncekeeper
from worker.commands.support.exit_code import ExitCode
from worker.samples.described import DESCRIPTION

BOUNCE = {
    "RecordType": "Bounce",
    "Type": "HardBounce",
    "Email": "Jane@Example.org",
    "BouncedAt": "2026-03-01T10:00:00Z",
    "ID": 3,
    "MessageID": "m1",
    "Metadata": {"customer": "shop-7", "mailing": "spring"},
}
CONFIGURATION = """
[sources.shop]
provider = "postmark"
secrets = ["me:a-long-password"]
account_from = "metadata.customer"
campaign_from = "metadata.mailing"
"""


def written(folder: Path, name: str, content: str) -> str:
    (folder / name).write_text(content)
    return str(folder / name)


def test_trying_a_payload_shows_what_would_be_made_of_it(tmp_path: Path) -> None:
    written(tmp_path, "bouncekeeper.toml", CONFIGURATION)
    payload = written(tmp_path, "payload.json", json.dumps(BOUNCE))
    told = bouncekeeper("sources", "try", "--source", "shop", payload, folder=tmp_path)
    assert told.returncode == ExitCode.OK, told.stderr
    assert "jane@example.org: hard_bounce (mailbox_does_not_exist, blame: recipient)" in told.stdout
    shown = bouncekeeper("sources", "try", "--source", "shop", "--json", payload, folder=tmp_path)
    (event,) = json.loads(shown.stdout)["events"]
    assert event["account"] == "shop-7"
    assert event["campaign"] == "spring"
    assert event["status"] == "blocklisted"
    assert event["vendor_event"] == "Bounce/HardBounce"


def test_a_provider_can_be_tried_before_anything_is_configured(tmp_path: Path) -> None:
    payload = written(tmp_path, "payload.json", json.dumps(BOUNCE))
    told = bouncekeeper("sources", "try", "--provider", "postmark", payload, folder=tmp_path)
    assert told.returncode == ExitCode.OK, told.stderr
    description = written(tmp_path, "pigeon.toml", DESCRIPTION)
    letters = written(tmp_path, "letters.json", '{"letters": [{"type": "reported", "to": "jane@example.org"}]}')
    flags = ("--provider", "described", "--description", description)
    told = bouncekeeper("sources", "try", *flags, letters, folder=tmp_path)
    assert told.returncode == ExitCode.OK, told.stderr
    assert "jane@example.org: complaint (abuse_report" in told.stdout


@pytest.mark.slow
def test_what_was_not_understood_ends_with_1(tmp_path: Path) -> None:
    unknown = written(tmp_path, "unknown.json", json.dumps(BOUNCE | {"RecordType": "Invented"}))
    told = bouncekeeper("sources", "try", "--provider", "postmark", unknown, folder=tmp_path)
    assert told.returncode == ExitCode.NO
    assert "UNKNOWN" in told.stdout
    broken = written(tmp_path, "broken.json", '{"RecordType": ')
    told = bouncekeeper("sources", "try", "--provider", "postmark", broken, folder=tmp_path)
    assert told.returncode == ExitCode.NO
    assert "set aside" in told.stdout


@pytest.mark.slow
def test_trying_what_does_not_exist_says_so(tmp_path: Path) -> None:
    payload = written(tmp_path, "payload.json", "{}")
    for flags, told in (
        (("--source", "other", payload), "there is no source 'other'"),
        (("--provider", "postmrk", payload), "is not known"),
        (("--provider", "postmark", str(tmp_path / "nowhere")), "cannot be read"),
        (("--provider", "postmark", "--header", "nonsense", payload), "has no colon"),
    ):
        done = bouncekeeper("sources", "try", *flags, folder=tmp_path)
        assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
        assert told in done.stderr
