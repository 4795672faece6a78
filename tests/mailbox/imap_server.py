"""A real IMAP server (pymap) for one test, and ways to look into its mailbox from outside."""

import contextlib
import imaplib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from schemas.source import Secret
from tests.waiting import wait_until
from worker.local_services.process import asks_for_death_signal, free_port
from worker.providers.mail.imap_options import ImapMailbox, Tls

USER, PASSWORD = "bounces@example.org", 'pä"ss wörd'
START_TIMEOUT_SECONDS = 20.0
_MAIN = "import sys; from pymap.main import main; sys.exit(main())"


class ImapServer(Struct, frozen=True):
    """A running server with one user."""

    port: int
    process: subprocess.Popen[bytes]

    def mailbox(self, *, port: int = 0, tls: Tls = "none", **other: object) -> ImapMailbox:
        """The user's mailbox, as a source names it."""
        fields = {"host": "127.0.0.1", "user": USER, "password": Secret(PASSWORD), "verify_dkim": False, **other}
        return ImapMailbox(port=port or self.port, tls=tls, **fields)  # type: ignore[arg-type]  # tests name real fields

    @contextlib.contextmanager
    def look(self, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
        """A connection of somebody else's."""
        connection = imaplib.IMAP4("127.0.0.1", self.port)
        try:
            connection.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            connection.select(folder)
            yield connection
        finally:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                connection.logout()

    def put(self, *messages: bytes, folder: str = "INBOX") -> None:
        """Mails arrive."""
        with self.look() as connection:
            for message in messages:
                assert connection.append(folder, "", "", message)[0] == "OK"

    def make_folder(self, name: str) -> None:
        """An empty folder; the name as IMAP writes it."""
        with self.look() as connection:
            assert connection.create(name)[0] == "OK"

    def found(self, criterion: str = "ALL", folder: str = "INBOX") -> int:
        """How many mails answer to a criterion."""
        with self.look(folder) as connection:
            _, (line, *_) = connection.search(None, criterion)
            return len(line.split())

    def stop(self) -> None:
        """Ends it, at once."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running_imap_server(
    *, certificate: Path | None = None, key: Path | None = None, port: int = 0
) -> Iterator[ImapServer]:
    """Serves inside the block; with a certificate it offers STARTTLS."""
    port = port or free_port()
    tls = ["--cert", str(certificate), "--key", str(key)] if certificate else ["--no-tls"]
    command = [sys.executable, "-c", _MAIN, "--host", "127.0.0.1", "--port", str(port), "--no-service", "admin", *tls]
    process = subprocess.Popen(
        [*command, "dict", "--demo-user", USER, "--demo-password", PASSWORD],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        preexec_fn=asks_for_death_signal(signal.SIGTERM),  # noqa: PLW1509 - only a prctl call
    )
    server = ImapServer(port, process)
    try:
        _wait_until_it_answers(server)
        yield server
    finally:
        server.stop()


def _wait_until_it_answers(server: ImapServer) -> None:
    def answers() -> bool:
        assert server.process.poll() is None, "the IMAP server has ended"
        imaplib.IMAP4("127.0.0.1", server.port).logout()
        return True

    wait_until(
        answers, "an answer of the IMAP server", seconds=START_TIMEOUT_SECONDS, not_yet=(OSError, imaplib.IMAP4.error)
    )
