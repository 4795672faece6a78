"""One connection to an IMAP mailbox, by the standard library's client. Everything here blocks: call it in a thread.

RFC 3501, with UIDPLUS (RFC 4315), MOVE (RFC 6851) and IDLE (RFC 2177) if the server supports them. UIDs are valid as
long as the session's `uid_validity` is that of the mailbox.
"""

import contextlib
import imaplib
import re
import select
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from ssl import SSLSocket
from typing import Any, Self

from msgspec import Struct

from worker.errors import ImpossibleSetting, MailboxUnavailable
from worker.mailbox.imap_syntax import internal_date, quoted_folder, uid_set
from worker.providers.mail.imap_options import ImapMailbox

_MAILS_PER_SEARCH = 50_000  # the answer to a SEARCH is one line, and the client limits the length of lines
_MAILS_PER_QUESTION = 500
_IDLE_SLICE_SECONDS = 0.5
_ITEM = re.compile(rb"UID (\d+)|RFC822\.SIZE (\d+)|INTERNALDATE \"([^\"]+)\"")
_LATER_CODES = (b"[UNAVAILABLE]", b"[INUSE]", b"[LIMIT]", b"[SERVERBUG]", b"[CONTACTADMIN]")  # RFC 5530


class WaitingMail(Struct, frozen=True, kw_only=True):
    """A mail that waits in the mailbox, before its bytes are fetched."""

    uid: int
    size_bytes: int
    delivered_at: datetime | None  # when the server put it into a mailbox


class MailRefused(Exception):  # noqa: N818 - named after what happened
    """The server does not deliver this mail, but may deliver others."""


class ImapSession:
    """An open mailbox. Raises MailboxUnavailable from every method once the connection is gone."""

    def __init__(self, connection: imaplib.IMAP4, mailbox: ImapMailbox) -> None:
        self._connection = connection
        self._mailbox = mailbox
        self._capabilities: frozenset[str] = frozenset()
        self.uid_validity = 0
        self.mails = 0  # in the folder when last asked, including mails already queued

    @classmethod
    def open(cls, mailbox: ImapMailbox, *, timeout_seconds: float, read_only: bool = False) -> Self:
        """A session that is connected, logged in and in its folder.

        Raises MailboxUnavailable, and ImpossibleSetting if only a person can help: an invalid certificate, a wrong
        password, a missing folder.
        """
        connection = _connect(mailbox, timeout_seconds)
        session = cls(connection, mailbox)
        try:
            session._log_in()
            session._choose_folders(read_only=read_only)
        except BaseException:
            session.close()
            raise
        return session

    @property
    def has_idle(self) -> bool:
        """True if the server reports new mail by itself."""
        return "IDLE" in self._capabilities

    def waiting(self) -> Iterator[WaitingMail]:
        """The mails to fetch, oldest first. Asks the server in pieces during the iteration."""
        uids = self.waiting_uids()
        for start in range(0, len(uids), _MAILS_PER_QUESTION):
            yield from self._describe(uids[start : start + _MAILS_PER_QUESTION])

    def waiting_uids(self) -> list[int]:
        """The UIDs of the mails to fetch."""
        criteria = "UNDELETED UNFLAGGED" if self._mailbox.after_fetch == "flag" else "UNDELETED"
        if self.mails <= _MAILS_PER_SEARCH:
            return sorted({int(uid) for uid in self._search("UID 1:*", criteria)})  # works in an empty folder too
        # By sequence number, not by UID: some servers make UIDs from the time, with millions between two mails.
        uids: list[bytes] = []
        for first in range(1, self.mails + 1, _MAILS_PER_SEARCH):
            last = "*" if first + _MAILS_PER_SEARCH > self.mails else str(first + _MAILS_PER_SEARCH - 1)
            uids += self._search(f"{first}:{last}", criteria)
        return sorted({int(uid) for uid in uids})

    def fetch(self, uid: int) -> bytes | None:
        """The mail's bytes, or None if the mail has gone. Changes nothing on the server.

        Raises MailRefused if the server cannot deliver this mail, as Exchange if its conversion fails.
        """
        try:
            status, data = self._uid("FETCH", str(uid), "(UID BODY.PEEK[])")
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._lost(error) from error
        if status != "OK":
            words = _words(data)
            if any(code.decode() in words.upper() for code in _LATER_CODES):
                raise MailboxUnavailable(
                    f"{self._where}: the server refuses to fetch a mail: {words}: this is tried again"
                )
            raise MailRefused(words[:200])
        return next((part[1] for part in data if isinstance(part, tuple)), None)

    def settle(self, uids: Sequence[int]) -> None:
        """Flags, moves or deletes queued mails, as `after_fetch` says. Ignores mails that have gone."""
        chosen = uid_set(uids)
        match self._mailbox.after_fetch:
            case "flag":
                self._ask("flag mail", lambda: self._uid("STORE", chosen, "+FLAGS.SILENT", r"(\Flagged \Seen)"))
            case "delete":
                self._delete(chosen)
            case "move":
                folder = quoted_folder(self._mailbox.move_to)
                if "MOVE" in self._capabilities:
                    self._ask("move mail", lambda: self._uid("MOVE", chosen, folder))
                else:
                    self._ask("copy mail", lambda: self._uid("COPY", chosen, folder))
                    self._delete(chosen)

    def wait_for_mail(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Returns when the server sends anything, after so many seconds, or once `stopped` is true."""
        connection: Any = self._connection  # imaplib supports IDLE since Python 3.14; this does the same
        try:
            tag = connection._new_tag()  # noqa: SLF001 - as above
            connection.send(tag + b" IDLE\r\n")
            remaining = seconds
            while not (line := connection.readline()).startswith(b"+"):
                if not line.startswith(b"* ") or line.upper().startswith(b"* BYE"):
                    raise MailboxUnavailable(f"{self._where}: the server offers IDLE but refuses it")
                remaining = 0.0  # the server has reported news before it began to idle
            while remaining > 0 and not stopped() and not _readable(connection.sock, _IDLE_SLICE_SECONDS):
                remaining -= _IDLE_SLICE_SECONDS
            connection.send(b"DONE\r\n")
            while line := connection.readline():
                if line.startswith(tag):
                    return
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._lost(error) from error
        raise MailboxUnavailable(f"{self._where}: the server ended the connection")

    def refresh(self) -> None:
        """Asks for news, so that `waiting` sees new mail. Raises MailboxUnavailable."""
        folder = quoted_folder(self._mailbox.folder)
        self._ask("ask for news", self._connection.noop)
        answer = self._ask("ask for news", lambda: self._connection.status(folder, "(MESSAGES UIDVALIDITY)"))
        line = b" ".join(part for part in answer if isinstance(part, bytes))
        mails = _number(rb"MESSAGES (\d+)", line)
        self.mails = self.mails if mails is None else mails
        validity = _number(rb"UIDVALIDITY (\d+)", line) or self.uid_validity
        self.uid_validity = self.uid_validity or validity  # some servers do not send it at first
        if validity != self.uid_validity:
            raise MailboxUnavailable(f"{self._where}: the folder was recreated; it is opened again")

    def close(self) -> None:
        """Ends the connection, if it still exists."""
        try:
            self._connection.logout()
        except (OSError, imaplib.IMAP4.error):
            _cut(self._connection)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _where(self) -> str:
        return f"the folder {self._mailbox.folder} at {self._mailbox.host}:{self._mailbox.port}"

    def _lost(self, error: Exception) -> MailboxUnavailable:
        return MailboxUnavailable(f"{self._where}: {error or type(error).__name__}: this is tried again")

    def _uid(self, command: str, *arguments: str) -> tuple[str, list[Any]]:
        return self._connection.uid(command, *arguments)

    def _ask(self, what: str, question: Callable[[], tuple[str, list[Any]]]) -> list[Any]:
        try:
            status, data = question()
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._lost(error) from error
        if status != "OK":
            raise MailboxUnavailable(
                f"{self._where}: the server refuses to {what}: {_words(data)}: this is tried again"
            )
        return data

    def _log_in(self) -> None:
        connection, mailbox = self._connection, self._mailbox
        password = mailbox.password.reveal()
        try:
            if "AUTH=PLAIN" in connection.capabilities:
                connection.authenticate("PLAIN", lambda _: f"\0{mailbox.user}\0{password}".encode())
            else:
                connection.login(_quoted(mailbox.user), password)  # which quotes the password itself
            status, capabilities = connection.capability()
        except (OSError, imaplib.IMAP4.abort) as error:
            raise self._lost(error) from error
        except (imaplib.IMAP4.error, UnicodeEncodeError) as error:
            words = str(error).replace(password, "…") if password else str(error)  # some servers repeat the command
            if any(code.decode() in words.upper() for code in _LATER_CODES):
                raise self._lost(error) from error
            raise ImpossibleSetting(
                f"{self._where}: the server refuses the login ({words[:200]}): check imap_user and imap_password; "
                "many providers require an app password for IMAP"
            ) from error
        if status == "OK":
            self._capabilities = frozenset(_words(capabilities).upper().split())

    def _choose_folders(self, *, read_only: bool) -> None:
        mailbox = self._mailbox
        try:
            status, data = self._connection.select(quoted_folder(mailbox.folder), readonly=read_only)
            if status != "OK":
                raise ImpossibleSetting(
                    f"{self._where}: there is no such folder ({_words(data)}): correct imap_folder, or create it"
                )
            self.mails = int(data[0] or 0)
            self.uid_validity = self._response_number("UIDVALIDITY")
            if mailbox.move_to:
                status, data = self._connection.status(quoted_folder(mailbox.move_to), "(UIDNEXT)")
                if status != "OK":
                    raise ImpossibleSetting(
                        f"{self._where}: there is no folder {mailbox.move_to!r} to move mail to ({_words(data)}): "
                        "create it, or correct after_fetch"
                    )
        except imaplib.IMAP4.readonly as error:
            raise ImpossibleSetting(
                f"{self._where}: the folder is read-only, so mails cannot be flagged, moved or deleted: give imap_user "
                "the right to write there"
            ) from error
        except (OSError, imaplib.IMAP4.error) as error:
            raise self._lost(error) from error

    def _search(self, span: str, criteria: str) -> list[bytes]:
        data = self._ask("search mail", lambda: self._uid("SEARCH", *span.split(" "), criteria))
        return b" ".join(line for line in data if line).split()

    def _response_number(self, name: str) -> int:
        _, data = self._connection.response(name)
        return int(data[-1]) if data and isinstance(data[-1], bytes) and data[-1].isdigit() else 0

    def _describe(self, uids: Sequence[int]) -> Iterator[WaitingMail]:
        data = self._ask("describe mail", lambda: self._uid("FETCH", uid_set(uids), "(UID RFC822.SIZE INTERNALDATE)"))
        for line in data:
            items: dict[str, bytes] = {}
            for uid, size, date in _ITEM.findall(line if isinstance(line, bytes) else b""):
                items |= {"uid": uid} if uid else {"size": size} if size else {"date": date}
            if "uid" in items:
                yield WaitingMail(
                    uid=int(items["uid"]),
                    size_bytes=int(items.get("size", b"0")),
                    delivered_at=internal_date(items.get("date", b"").decode("ascii", "replace")),
                )

    def _delete(self, chosen: str) -> None:
        self._ask("delete mail", lambda: self._uid("STORE", chosen, "+FLAGS.SILENT", r"(\Deleted \Seen)"))
        # Without UIDPLUS, EXPUNGE would remove all deleted mail of the folder, even other people's: ours stays marked.
        if "UIDPLUS" in self._capabilities:
            self._ask("expunge mail", lambda: self._uid("EXPUNGE", chosen))


def _connect(mailbox: ImapMailbox, timeout_seconds: float) -> imaplib.IMAP4:
    where = f"{mailbox.host}:{mailbox.port}"
    try:
        if mailbox.tls == "tls":
            return imaplib.IMAP4_SSL(
                mailbox.host, mailbox.port, ssl_context=ssl.create_default_context(), timeout=timeout_seconds
            )
        connection = imaplib.IMAP4(mailbox.host, mailbox.port, timeout=timeout_seconds)
        if mailbox.tls == "starttls":
            try:
                connection.starttls(ssl.create_default_context())
            except BaseException:
                _cut(connection)
                raise
    except ssl.SSLCertVerificationError as error:
        raise ImpossibleSetting(
            f"the certificate of the IMAP server {where} is not valid ({error.verify_message}): use the name in the "
            "certificate, or add its issuer to this machine's trusted ones (SSL_CERT_FILE)"
        ) from error
    except (OSError, imaplib.IMAP4.error) as error:
        raise MailboxUnavailable(
            f"the IMAP server {where} cannot be reached ({error or type(error).__name__}): check imap_host, "
            "imap_port and imap_tls; this is tried again"
        ) from error
    return connection


def _cut(connection: imaplib.IMAP4) -> None:
    with contextlib.suppress(OSError):  # TLS owns the socket, or it is already closed
        connection.shutdown()


def _readable(sock: Any, seconds: float) -> bool:
    if isinstance(sock, SSLSocket) and sock.pending():
        return True
    return bool(select.select([sock], [], [], seconds)[0])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _number(pattern: bytes, line: bytes) -> int | None:
    match = re.search(pattern, line)
    return int(match[1]) if match else None


def _words(data: Sequence[Any]) -> str:
    return " ".join(part.decode("utf-8", "replace") for part in data if isinstance(part, bytes))[:2_000]
