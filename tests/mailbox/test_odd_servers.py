"""IMAP servers that do what no well-behaved one does: lines told by a script, byte for byte."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from schemas.lane import SHARED_LANE, Lane
from schemas.source import Secret, Source
from worker.errors import ImpossibleSetting, MailboxUnavailable
from worker.mailbox.imap_session import ImapSession
from worker.mailbox.mailbox_fetcher import Limits, MailboxFetcher
from worker.providers.mail.imap_options import ImapMailbox

PASSWORD = "a-password-of-the-mailbox"
# What is answered before the tagged line, or the tagged line itself where it begins with "!".
Answer = Callable[[str], list[str]]
MAIL = "From: mx@example.net\r\n\r\nhello\r\n"
_ORDINARY = {
    "CAPABILITY": ("* CAPABILITY IMAP4rev1 IDLE",),
    "SELECT": ("* 2 EXISTS", "* OK [UIDVALIDITY 7] Ok", "* OK [UIDNEXT 1700000003] Ok"),
    "STATUS": ("* STATUS INBOX (MESSAGES 2 UIDVALIDITY 7 UIDNEXT 1700000003)",),
    "UID SEARCH": ("* SEARCH 1700000001 1700000002",),
}


def ordinary(command: str) -> list[str]:
    """What a server says to a command that asks for nothing peculiar: two mails lie in its folder."""
    for begin, told in _ORDINARY.items():
        if command.startswith(begin):
            return list(told)
    if command.startswith("UID FETCH") and "SIZE" in command:
        return [f"* {n} FETCH (UID {1700000000 + n} RFC822.SIZE 30)" for n in (1, 2)]
    if uid := re.match(r"UID FETCH (\d+)", command):
        return [f"* 1 FETCH (UID {uid[1]} BODY[] {{{len(MAIL)}}}\r\n{MAIL})"]
    return []


class Server:
    """What it heard, and the port that it listens on."""

    def __init__(self, answer: Answer) -> None:
        self.heard: list[str] = []
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def mailbox(self, **fields: object) -> ImapMailbox:
        port = self._listening.getsockname()[1]
        given = {"user": "EXAMPLE\\bounces", "verify_dkim": False, **fields}
        return ImapMailbox(host="127.0.0.1", port=port, tls="none", password=Secret(PASSWORD), **given)  # type: ignore[arg-type]  # tests name real fields

    def end(self) -> None:
        for open_socket in (self._connection, self._listening):
            if open_socket is not None:
                with contextlib.suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
                open_socket.close()
        self._thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self._connection, _ = self._listening.accept()
            self._connection.sendall(b"* OK ready\r\n")
            for line in self._connection.makefile("r", newline="\r\n"):
                tag, _, command = line.strip().partition(" ")
                self.heard.append(command or tag)
                told = self._answer(command) or ordinary(command)
                last = told.pop()[1:] if told and told[-1].startswith("!") else "OK done"
                if last:
                    told.append(f"{tag} {last}")
                self._connection.sendall("".join(f"{told_line}\r\n" for told_line in told).encode())


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    server = Server(answer)
    try:
        yield server
    finally:
        server.end()


class KeptInMemory:
    """A queue; what a server refuses is no question of whose."""

    def __init__(self) -> None:
        self.parcels = 0

    async def put(self, parcel: bytes, lane: Lane = SHARED_LANE) -> None:
        del parcel, lane
        self.parcels += 1

    def available(self) -> bool:
        return True

    async def close(self) -> None:
        return


def fetcher_of(server: Server, queue: KeptInMemory, **fields: object) -> MailboxFetcher:
    limits = Limits(timeout_seconds=5, max_message_bytes=10_000)
    source = Source(name="mail", provider="mail")
    return MailboxFetcher(source, server.mailbox(**fields), writer=queue, look_up=lambda _: None, limits=limits)


async def test_a_mail_that_the_server_cannot_hand_over_holds_up_no_other() -> None:
    """Exchange says NO to each FETCH of a mail that it cannot convert."""

    def answer(command: str) -> list[str]:
        refused = command.startswith("UID FETCH 1700000001 (UID BODY")
        return ["!NO The requested message could not be converted to an RFC-822 compatible format."] if refused else []

    with serving(answer) as server:
        queue = KeptInMemory()
        fetcher = fetcher_of(server, queue)
        tally = await fetcher.take_all()
        await fetcher.close()
        assert (tally.queued, tally.passed_over, queue.parcels) == (1, 1, 1)
        assert [line for line in server.heard if "STORE" in line] == [
            r"UID STORE 1700000002 +FLAGS.SILENT (\Flagged \Seen)"
        ]


async def test_a_server_that_is_busy_passes_no_mail_over() -> None:
    def answer(command: str) -> list[str]:
        return ["!NO [UNAVAILABLE] later"] if "BODY.PEEK" in command else []

    with serving(answer) as server:
        fetcher = fetcher_of(server, KeptInMemory())
        with pytest.raises(MailboxUnavailable, match="refuses to fetch a mail"):
            await fetcher.take_all()
        await fetcher.close()


async def test_a_full_folder_holds_up_no_mail_that_comes_later_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.mailbox.mailbox_fetcher.PARCEL_MAX_MAILS", 1)

    def answer(command: str) -> list[str]:
        return ["!NO [OVERQUOTA] no room"] if command.startswith("UID COPY 1700000001") else []

    with serving(answer) as server:
        queue = KeptInMemory()
        fetcher = fetcher_of(server, queue, after_fetch="move", move_to="Done")
        for _ in range(2):
            with pytest.raises(MailboxUnavailable, match="OVERQUOTA"):
                await fetcher.take_all()
        await fetcher.close()
        assert queue.parcels == 3, "what is queued and not moved is not queued again; the other mail is"


def test_uids_with_millions_between_them_are_asked_for_at_once() -> None:
    with serving(lambda _: []) as server:
        session = ImapSession.open(server.mailbox(), timeout_seconds=5)
        assert session.waiting_uids() == [1_700_000_001, 1_700_000_002]
        session.refresh()
        session.close()
        assert [line for line in server.heard if "SEARCH" in line] == ["UID SEARCH UID 1:* UNDELETED UNFLAGGED"]


def test_a_huge_folder_is_asked_for_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.mailbox.imap_session._MAILS_PER_SEARCH", 1)
    with serving(lambda _: []) as server:
        session = ImapSession.open(server.mailbox(), timeout_seconds=5)
        assert session.waiting_uids() == [1_700_000_001, 1_700_000_002]
        session.close()
        assert [line.split()[2] for line in server.heard if "SEARCH" in line] == ["1:1", "2:*"]


def test_news_before_the_server_idles_end_the_wait() -> None:
    def answer(command: str) -> list[str]:
        return ["* 3 EXISTS", "+ idling", "!"] if command == "IDLE" else []

    with serving(answer) as server:
        session = ImapSession.open(server.mailbox(), timeout_seconds=1)
        began = time.monotonic()
        with pytest.raises(MailboxUnavailable, match="timed out"):  # the script has no tag for DONE
            session.wait_for_mail(60, lambda: False)
        assert time.monotonic() - began < 30
        assert "DONE" in server.heard
        session.close()


def test_a_server_that_refuses_to_idle_is_reported() -> None:
    with serving(lambda command: ["!NO not now"] if command == "IDLE" else []) as server:
        session = ImapSession.open(server.mailbox(), timeout_seconds=5)
        with pytest.raises(MailboxUnavailable, match="offers IDLE but refuses it"):
            session.wait_for_mail(60, lambda: False)
        session.close()


def test_a_folder_made_anew_is_opened_again_and_one_that_told_no_validity_is_not() -> None:
    def made_anew(command: str) -> list[str]:
        return ["* STATUS INBOX (MESSAGES 2 UIDVALIDITY 8)"] if command.startswith("STATUS") else []

    with serving(made_anew) as server:
        session = ImapSession.open(server.mailbox(), timeout_seconds=5)
        with pytest.raises(MailboxUnavailable, match="recreated"):
            session.refresh()
        session.close()
    with serving(lambda command: ["* 2 EXISTS"] if command.startswith("SELECT") else []) as server:
        session = ImapSession.open(server.mailbox(), timeout_seconds=5)
        session.refresh()
        assert session.uid_validity == 7
        session.close()


def test_a_user_with_a_domain_is_quoted_and_a_server_that_repeats_the_password_is_not_quoted() -> None:
    def answer(command: str) -> list[str]:
        return [f"!BAD cannot parse {command}"] if command.startswith("LOGIN") else []

    with serving(answer) as server, pytest.raises(ImpossibleSetting, match="cannot parse") as raised:
        ImapSession.open(server.mailbox(), timeout_seconds=5)
    assert server.heard[1] == f'LOGIN "EXAMPLE\\\\bounces" "{PASSWORD}"'
    assert PASSWORD not in str(raised.value)
