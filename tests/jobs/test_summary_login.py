"""The daily summary over TLS and with a login, as real servers want it; and what `doctor` says of such a server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.source import Secret
from tests.jobs.smtp_server import SmtpServer, smtp_server
from tests.jobs.summaries import EIGHT, RECIPIENT, an_account, blocked, settings_for, states
from tests.loopback_certificate import server_context
from worker.commands.support.doctor_summary import look_at_summary
from worker.commands.support.finding import Finding, Level
from worker.jobs.summary_sender import SummarySender
from worker.local_services.process import free_port
from worker.settings.tree import SummarySettings
from worker.store.pool import WriterPool

LOGIN = ("bouncekeeper", "a long password")

# Of the server's library: it does not know that TLS is there from the first byte, and warns of itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),
    pytest.mark.filterwarnings("ignore:Session.login_data is deprecated"),
]


@pytest.fixture(params=["starttls", "tls"])
def tls(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Options of a server with TLS of this sort, whose certificate is trusted here."""
    context, trusted = server_context(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return {"tls": context, "from_first_byte": request.param == "tls", "login": LOGIN}


def settings_of(server: SmtpServer, options: dict[str, Any], *, password: str = LOGIN[1]) -> SummarySettings:
    how = "tls" if options["from_first_byte"] else "starttls"
    return replace(settings_for(server.port), smtp_tls=how, smtp_user=LOGIN[0], smtp_password=Secret(password))


async def send(pool: WriterPool, settings: SummarySettings) -> None:
    await SummarySender(pool, settings, clock=lambda: EIGHT).work_off(asyncio.Event())


async def test_with_tls_and_the_right_password_the_mail_is_sent(pool: WriterPool, tls: dict[str, Any]) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    async with smtp_server(**tls) as server:
        await send(pool, settings_of(server, tls))
        assert [mail["To"] for mail in server.accepted] == [RECIPIENT]
        assert server.logins == 1
    assert await states(pool) == [("accepted", 1)]


async def test_with_a_wrong_password_nothing_is_sent_and_it_is_tried_again(
    pool: WriterPool, tls: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    async with smtp_server(**tls) as server:
        await send(pool, settings_of(server, tls, password="another"))
        assert (server.received, server.logins) == ([], 0)
    assert await states(pool) == [("waiting", 1)]
    errors = capsys.readouterr().err
    assert '"event":"summary.postponed"' in errors
    assert "535" in errors
    assert "another" not in errors


async def test_a_certificate_that_nobody_trusts_gets_neither_password_nor_mail(
    pool: WriterPool, tls: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    await an_account(pool)
    await blocked(pool, "gone@example.org")
    async with smtp_server(**tls) as server:
        settings = settings_of(server, tls)
        await send(pool, settings)
        assert (server.received, server.logins) == ([], 0)
        (finding,) = await look_at_summary(settings)
    assert await states(pool) == [("waiting", 1)]
    assert finding.level is Level.WRONG
    assert "certificate" in finding.detail.lower()
    assert "name the server as its certificate does" in finding.remedy


async def found(server: SmtpServer, settings: SummarySettings) -> Finding:
    (finding,) = await look_at_summary(settings)
    assert server.came == []  # no mail was begun
    return finding


async def test_doctor_logs_in_and_sends_nothing(tls: dict[str, Any]) -> None:
    async with smtp_server(**tls) as server:
        finding = await found(server, settings_of(server, tls))
        assert server.logins == 1
    assert finding.level is Level.WELL
    assert f"127.0.0.1:{server.port}" in finding.detail
    assert finding.detail.endswith("answers as mx.test, and takes the login of bouncekeeper")


async def test_doctor_tells_a_wrong_password_from_a_wrong_server(tls: dict[str, Any]) -> None:
    async with smtp_server(**tls) as server:
        finding = await found(server, settings_of(server, tls, password="another"))
    assert finding.level is Level.WRONG
    assert "535" in finding.detail
    assert finding.remedy == "correct summary.smtp_user and its password"
    assert "another" not in finding.detail


async def test_doctor_tells_a_server_without_the_tls_that_is_set(smtp: SmtpServer) -> None:
    for how in ("starttls", "tls"):
        finding = await found(smtp, replace(settings_for(smtp.port), smtp_tls=how))
        assert finding.level is Level.WRONG
        assert "smtp_tls" in finding.remedy, finding


async def test_doctor_tells_a_server_that_is_away() -> None:
    (finding,) = await look_at_summary(settings_for(free_port()))
    assert finding.level is Level.WRONG
    assert finding.remedy == "start the server, or correct summary.smtp_host and smtp_port"


async def test_doctor_asks_no_server_if_none_is_configured() -> None:
    assert await look_at_summary(SummarySettings()) == []
    assert await look_at_summary(replace(settings_for(25), enabled=False)) == []


async def test_doctor_does_not_wait_for_a_server_that_says_nothing() -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(5):
            (finding,) = await look_at_summary(replace(settings_for(port), timeout_seconds=0.3))
    assert finding.level is Level.WRONG
