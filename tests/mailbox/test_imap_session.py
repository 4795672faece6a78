"""The connection itself: encrypted unless the server is on this machine, and with a certificate that holds."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.loopback_certificate import make_certificate
from tests.mailbox.imap_server import ImapServer, running_imap_server
from tests.mailbox.relay import relaying
from worker.errors import ImpossibleSetting, MailboxUnavailable
from worker.local_services.process import free_port
from worker.mailbox.imap_session import ImapSession
from worker.mailbox.imap_syntax import internal_date, quoted_folder, uid_set


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[ImapServer, Path, Path]]:
    """A server that offers STARTTLS, its certificate and key."""
    certificate, key = make_certificate(tmp_path)
    with running_imap_server(certificate=certificate, key=key) as server:
        yield server, certificate, key


def test_starttls_encrypts_before_the_password_is_sent(
    tls_server: tuple[ImapServer, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, certificate, _ = tls_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    session = ImapSession.open(server.mailbox(tls="starttls"), timeout_seconds=10)
    assert session.has_idle
    session.close()


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_certificate_that_nobody_known_vouches_for_is_refused(
    tls_server: tuple[ImapServer, Path, Path], tls: str
) -> None:
    server, certificate, key = tls_server
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with relaying(server.port, tls=context) as relay:
        mailbox = server.mailbox(tls="tls", port=relay.port) if tls == "tls" else server.mailbox(tls="starttls")
        with pytest.raises(ImpossibleSetting, match=r"certificate of the IMAP server .* is not valid"):
            await asyncio.to_thread(ImapSession.open, mailbox, timeout_seconds=10)


async def test_tls_from_the_first_byte(
    tls_server: tuple[ImapServer, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, certificate, key = tls_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.put(b"From: a@b\r\n\r\nhello\r\n")
    async with relaying(server.port, tls=context) as relay:

        def look() -> list[bytes | None]:
            session = ImapSession.open(server.mailbox(tls="tls", port=relay.port), timeout_seconds=10)
            session.wait_for_mail(0.1, lambda: False)
            found = [session.fetch(mail.uid) for mail in session.waiting()]
            session.close()
            return found

        assert await asyncio.to_thread(look) == [b"From: a@b\r\n\r\nhello\r\n"]


def test_a_server_without_starttls_never_gets_the_password(imap_server: ImapServer) -> None:
    with pytest.raises(MailboxUnavailable, match="imap_tls"):
        ImapSession.open(imap_server.mailbox(tls="starttls"), timeout_seconds=10)


def test_nobody_listening_is_told_with_what_to_check() -> None:
    server = ImapServer(free_port(), None)  # type: ignore[arg-type]  # there is none
    with pytest.raises(MailboxUnavailable, match="check imap_host, imap_port and imap_tls"):
        ImapSession.open(server.mailbox(), timeout_seconds=10)


async def test_a_server_that_says_nothing_is_given_up(imap_server: ImapServer) -> None:
    async with relaying(imap_server.port, hold_at=b"CAPABILITY") as relay:
        with pytest.raises(MailboxUnavailable, match="timed out"):
            await asyncio.to_thread(ImapSession.open, imap_server.mailbox(port=relay.port), timeout_seconds=0.5)


def test_a_mail_that_has_gone_meanwhile_is_not_fetched(imap_server: ImapServer) -> None:
    imap_server.put(b"From: a@b\r\n\r\nhello\r\n")
    session = ImapSession.open(imap_server.mailbox(after_fetch="delete"), timeout_seconds=10)
    (mail,) = session.waiting()
    session.settle([mail.uid])
    assert session.fetch(mail.uid) is None
    session.settle([mail.uid])
    session.close()


def test_folders_are_written_as_imap_wants_them() -> None:
    assert quoted_folder("INBOX") == '"INBOX"'
    assert quoted_folder('a "b" \\c') == '"a \\"b\\" \\\\c"'
    assert quoted_folder("A & B") == '"A &- B"'
    assert quoted_folder("~peter/mail/台北/日本語") == '"~peter/mail/&U,BTFw-/&ZeVnLIqe-"'  # RFC 3501, 5.1.3


def test_uids_are_written_in_spans() -> None:
    assert uid_set([1, 2, 3, 5, 7, 8]) == "1:3,5,7:8"
    assert uid_set([]) == ""


def test_times_of_arrival_are_read_in_every_zone_and_locale() -> None:
    assert internal_date("17-Jul-1996 02:44:25 -0700") == datetime(1996, 7, 17, 9, 44, 25, tzinfo=UTC)
    assert internal_date(" 1-Mar-2026 00:00:00 +0130") == datetime(2026, 2, 28, 22, 30, tzinfo=UTC)
    for text in ("", "17-Juli-1996 02:44:25 -0700", "32-Jan-2026 00:00:00 +0000", "01-Jan-0001 00:00:00 +2300"):
        assert internal_date(text) is None
