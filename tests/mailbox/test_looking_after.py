"""What an operator asks about a source that is fetched from a mailbox: `doctor`, `sources list`, `sources test`."""

import asyncio
import json
from pathlib import Path
from typing import Any

import dns.rcode
import pytest

from tests.commands.test_cli import bouncekeeper
from tests.mailbox.imap_server import PASSWORD, USER, ImapServer
from tests.mailbox.test_command import BOUNCE, configuration, started
from tests.mailbox.test_dkim_check import dns_server, use_resolver
from worker.commands.support.doctor_sources import look_at_sources
from worker.commands.support.exit_code import ExitCode
from worker.commands.support.finding import Finding, Level
from worker.local_services.process import free_port
from worker.settings.configuration import load_settings

pytestmark = pytest.mark.slow


def found(config: Path) -> dict[str, Finding]:
    settings = load_settings(config_file=config, environment={}, overrides={"mailbox.dns_timeout_seconds": "0.5"})
    return {finding.what: finding for finding in asyncio.run(look_at_sources(settings))}


def test_the_doctor_logs_in_and_counts_what_waits(imap_server: ImapServer, tmp_path: Path) -> None:
    config = configuration(tmp_path, "postgresql://me@localhost/mine", imap_server.port)
    imap_server.put(BOUNCE, BOUNCE)
    findings = found(config)
    assert {finding.level for finding in findings.values()} == {Level.WELL}
    assert findings["mailbox of bounces"].detail == f"INBOX at 127.0.0.1:{imap_server.port}, mails that wait: 2"
    assert findings["source bounces"].detail == "mail, fetched from a mailbox"
    assert findings["reports to bounces"].detail == "are believed for tokens of 1 key"
    assert "dns" not in findings
    assert imap_server.found("UNFLAGGED UNSEEN") == 2


def test_mail_that_nobody_fetches_is_worth_a_note(imap_server: ImapServer, tmp_path: Path) -> None:
    with imap_server.look() as connection:
        connection.append("INBOX", "", '"04-Mar-2026 11:00:00 +0000"', BOUNCE)
    finding = found(configuration(tmp_path, "postgresql://me@localhost/mine", imap_server.port))["mailbox of bounces"]
    assert finding.level is Level.NOTE
    assert "mails that wait: 1, the first since 2026-03-04 11:00 UTC" in finding.detail
    assert "mailbox" in finding.remedy


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"imap_user": "somebody@example.org"}, "refuses the login"),
        ({"imap_folder": "Reports"}, "there is no such folder"),
        ({"after_fetch": "move:Done"}, "there is no folder 'Done'"),
    ],
)
def test_a_mailbox_that_cannot_be_used_is_wrong(
    options: dict[str, str], told: str, imap_server: ImapServer, tmp_path: Path
) -> None:
    config = configuration(tmp_path, "postgresql://me@localhost/mine", imap_server.port, **options)
    finding = found(config)["mailbox of bounces"]
    assert finding.level is Level.WRONG
    assert told in finding.detail
    assert PASSWORD not in finding.detail


def test_a_server_that_is_away_is_wrong(tmp_path: Path) -> None:
    finding = found(configuration(tmp_path, "postgresql://me@localhost/mine", free_port()))["mailbox of bounces"]
    assert (finding.level, "cannot be reached" in finding.detail) == (Level.WRONG, True)


@pytest.mark.parametrize(
    ("rcode", "level"), [(dns.rcode.NOERROR, Level.WELL), (dns.rcode.NXDOMAIN, Level.WELL), (None, Level.WRONG)]
)
def test_where_signatures_are_verified_the_dns_must_answer(
    rcode: dns.rcode.Rcode | None,
    level: Level,
    imap_server: ImapServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verifying: dict[str, Any] = {"imap_verify_dkim": True}
    config = configuration(tmp_path, "postgresql://me@localhost/mine", imap_server.port, **verifying)
    with dns_server(rcode) as port:
        use_resolver(monkeypatch, port)
        findings = found(config)
    assert findings["dns"].level is level
    assert "or signatures of" in findings["reports to bounces"].detail


def test_the_list_shows_the_mailbox_and_never_its_password(tmp_path: Path) -> None:
    config = configuration(tmp_path, "postgresql://me@localhost/mine", 1143)
    done = bouncekeeper("sources", "list", "--json", "--config", str(config), folder=tmp_path)
    (source,) = json.loads(done.stdout)["sources"]
    assert source["mailbox"] == "INBOX at 127.0.0.1:1143"
    assert source["url"] is None
    assert source["authentication"] == "fetched: nobody can post"
    told = bouncekeeper("sources", "list", "--config", str(config), folder=tmp_path).stdout
    assert "INBOX at 127.0.0.1:1143" in told
    for shown in (told, done.stdout):
        assert PASSWORD not in shown
        assert USER not in shown


async def test_a_sample_for_a_mailbox_goes_the_way_of_fetched_mail(
    imap_server: ImapServer, database_dsn: str, tmp_path: Path
) -> None:
    config = configuration(tmp_path, database_dsn, imap_server.port)
    with config.open("a") as file:  # a second source, which believes signatures alone
        kept = [line for line in config.read_text().splitlines() if line.startswith("imap_") and "verify" not in line]
        file.write("\n".join(["[sources.signed]", 'provider = "mail"', *kept]) + "\n")
    receiver, api = free_port(), free_port()
    ports = ("--receiver-port", str(receiver), "--api-port", str(api))
    async with started(config, *ports, "--json", command="up") as process:
        assert process.stdout is not None
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        assert ready["sources"] == {}
        done = await asyncio.to_thread(
            bouncekeeper, "sources", "test", "--config", str(config), *ports[:2], "--json", folder=tmp_path
        )
    assert done.returncode == ExitCode.OK, done.stdout + done.stderr
    steps, signed = (
        {step["step"]: step["outcome"] for step in source["steps"]} for source in json.loads(done.stdout)["sources"]
    )
    assert steps["forged webhook"] == "refused (401)"
    assert steps["sample"].startswith("queued directly, because nobody can post here")
    assert steps["event"].endswith("hard_bounce (mailbox_does_not_exist)")
    assert "is blocklisted" in steps["status"]
    assert "has no token_secrets" in signed["sample"]
