"""`mail-token` as a sender types it, and what becomes of a report on a mail that carries what it printed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.source import Secret
from tests.commands.test_cli import REPOSITORY, bouncekeeper
from worker.commands.support.exit_code import ExitCode
from worker.providers.mail.mail_token import MailToken, make_token, read_token

OLD_KEY, KEY = "the-key-of-last-year", "a-key-of-thirty-two-characters-!"
REPORTS = f"""
[sources.reports]
provider = "mail"
account = "shop"
secrets = ["mta:a-long-password-of-your-own"]
token_secrets = ["{KEY}", "{OLD_KEY}"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bouncekeeper.toml").write_text(REPORTS + 'bounce_domain = "bounce.example.com"\n')
    return tmp_path


def test_it_prints_what_a_mail_carries_ready_to_paste(folder: Path) -> None:
    token = make_token("jane@example.org", secret=KEY)
    sender = f"b+{token}@bounce.example.com"
    done = bouncekeeper("mail-token", "Jane@Example.org", folder=folder)
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stdout.splitlines() == [
        "jane@example.org",
        f"token            {token}",
        f"envelope sender  {sender}",
        f"X-Bouncekeeper-Token: {token}",
        f"CFBL-Address: {sender}; report=arf",
        f"CFBL-Feedback-ID: {token}",
    ]


def test_account_and_message_id_go_along(folder: Path) -> None:
    words = ("--account", "shop-7", "--message-id", "order-4711")
    done = bouncekeeper("mail-token", "jane@example.org", *words, "--json", folder=folder)
    made = json.loads(done.stdout)
    assert read_token(made["token"], [Secret(KEY)]) == MailToken(
        address="jane@example.org", account="shop-7", message_id="order-4711"
    )
    assert made["headers"]["X-Bouncekeeper-Token"] == made["token"]


def test_many_addresses_come_from_standard_input_each_with_an_id_of_its_own(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "worker", "mail-token", "-", "--json"],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY)},
        input="a@example.org\torder-1\n\nnobody\nb@example.org\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.NO, done.stderr
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    told = read_token(first["token"], [Secret(KEY)])
    assert told is not None
    assert (told.address, told.message_id) == ("a@example.org", "order-1")
    assert second == {"address": "nobody", "problem": "this is not an e-mail address"}
    assert third["address"] == "b@example.org"


def test_without_a_bounce_domain_there_are_headers_alone(tmp_path: Path) -> None:
    (tmp_path / "bouncekeeper.toml").write_text(REPORTS + 'report_addresses = ["loops@example.com"]\n')
    made = json.loads(bouncekeeper("mail-token", "jane@example.org", "--json", folder=tmp_path).stdout)
    assert made["envelope_sender"] is None
    assert made["headers"]["CFBL-Address"] == "loops@example.com; report=arf"
    (tmp_path / "bouncekeeper.toml").write_text(REPORTS)
    made = json.loads(bouncekeeper("mail-token", "jane@example.org", "--json", folder=tmp_path).stdout)
    assert set(made["headers"]) == {"X-Bouncekeeper-Token", "CFBL-Feedback-ID"}


def test_an_address_too_long_for_a_local_part_is_told_to_use_a_header(folder: Path) -> None:
    address = f"{'long' * 12}@example.org"
    done = bouncekeeper("mail-token", address, folder=folder)
    assert done.returncode == ExitCode.OK
    assert "envelope sender  none: the address is too long" in done.stdout
    assert f"X-Bouncekeeper-Token: {make_token(address, secret=KEY)}" in done.stdout
    assert "CFBL-Address" not in done.stdout


def test_reading_tells_what_a_token_says_and_which_key_made_it(folder: Path) -> None:
    token = make_token("jane@example.org", secret=OLD_KEY, message_id="order-4711")
    done = bouncekeeper("mail-token", "--read", f"<b+{token.upper()}@bounce.example.com>", "--json", folder=folder)
    assert done.returncode == ExitCode.OK, done.stderr
    assert json.loads(done.stdout) == {
        "genuine": True,
        "source": "reports",
        "key": 2,
        "address": "jane@example.org",
        "account": "shop",
        "message_id": "order-4711",
    }
    told = bouncekeeper("mail-token", "--read", token, folder=folder).stdout
    assert told.startswith("genuine: made with key 2 of 2 of source reports\n")
    assert "account     shop, the one of the source" in told


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (make_token("jane@example.org", secret="somebody-elses-key"), "not genuine: none of the keys of reports"),
        (make_token("jane@example.org", secret=KEY)[:-3], "not genuine: none of the keys of reports"),
        ("jane@example.org", "there is no token in this text"),
    ],
)
def test_reading_says_what_is_not_genuine(text: str, problem: str, folder: Path) -> None:
    done = bouncekeeper("mail-token", "--read", text, folder=folder)
    assert done.returncode == ExitCode.NO
    assert done.stdout.startswith(problem)
    shown = json.loads(bouncekeeper("mail-token", "--read", text, "--json", folder=folder).stdout)
    assert shown["genuine"] is False


def test_a_whole_mail_is_read_from_standard_input(folder: Path) -> None:
    token = make_token("jane@example.org", secret=KEY)
    done = subprocess.run(
        [sys.executable, "-m", "worker", "mail-token", "--read", "-"],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY)},
        input=f"Subject: Gr\xfc\xdfe\r\nX-Bouncekeeper-Token: {token}\r\n\r\nHello\r\n".encode("latin-1"),
        capture_output=True,
        check=False,
    )
    assert done.returncode == ExitCode.OK, done.stderr
    assert b"jane@example.org" in done.stdout


@pytest.mark.slow
def test_what_cannot_be_made_is_reported_with_the_remedy_and_without_a_key(tmp_path: Path) -> None:
    config = tmp_path / "bouncekeeper.toml"
    config.write_text('[sources.shop]\nprovider = "postmark"\nsecrets = ["me:a-long-password"]\n')
    two = REPORTS + REPORTS.replace("[sources.reports]", "[sources.loops]")
    for configuration, words, told in (
        (config.read_text(), (), "no source has token_secrets"),
        (config.read_text(), ("--source", "shop"), "source shop has no token_secrets"),
        (two, (), "several sources have token_secrets: reports, loops"),
        (two, ("--source", "other"), "there is no source 'other'; there are: reports, loops"),
    ):
        config.write_text(configuration)
        done = bouncekeeper("mail-token", "jane@example.org", *words, folder=tmp_path)
        assert done.returncode == ExitCode.IMPOSSIBLE_SETTING
        assert told in done.stderr
        assert KEY not in done.stderr
    assert (
        bouncekeeper("mail-token", "jane@example.org", "--source", "loops", folder=tmp_path).returncode == ExitCode.OK
    )
    assert bouncekeeper("mail-token", folder=tmp_path).returncode == ExitCode.USAGE
    assert bouncekeeper("mail-token", "a@example.org", "--read", "x", folder=tmp_path).returncode == ExitCode.USAGE
