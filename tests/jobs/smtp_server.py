"""A real SMTP server on loopback, which fails where a test wants it to, and keeps what it has accepted."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

CUT = "cut"  # instead of an answer: the connection is closed
HANG = "hang"  # instead of an answer: none comes until `go_on` is set


class SmtpServer:
    """`at` maps MAIL, RCPT, DATA (the command) and END (of the content) to what is answered there."""

    def __init__(
        self,
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        from_first_byte: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        """With `tls` it offers STARTTLS, or speaks it `from_first_byte`; with `login` it wants these."""
        self.port = port
        self._tls, self._from_first_byte, self._login = tls, from_first_byte, login
        self.logins = 0  # that were taken
        self.at: dict[str, str] = {}
        self.came: list[str] = []  # the commands, and END
        self.accepted: list[EmailMessage] = []
        self.received: list[EmailMessage] = []  # whole, and whatever was answered
        self.hanging = asyncio.Event()
        self.go_on = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()

    async def start(self) -> None:
        options: dict[str, Any] = {"hostname": "mx.test", "enable_SMTPUTF8": False}
        if self._tls is not None and not self._from_first_byte:
            options |= {"tls_context": self._tls, "require_starttls": True}
        if self._login is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True}
            options["auth_require_tls"] = not self._from_first_byte  # of which aiosmtpd does not know
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Session(self, **options),
            "127.0.0.1",
            self.port,
            ssl=self._tls if self._from_first_byte else None,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.go_on.set()
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*(session.end() for session in self._sessions))
            self._server = None

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        del server, session, envelope, mechanism
        fits = self._login == (given.login.decode(), given.password.decode())
        self.logins += fits
        return AuthResult(success=fits, handled=False)

    async def answer(self, place: str, transport: asyncio.BaseTransport) -> str | None:
        self.came.append(place)
        said = self.at.get(place)
        if said == HANG:
            self.hanging.set()
            await self.go_on.wait()
            return None
        if said == CUT:
            transport.close()
            return "421 cut"
        return said

    async def handle_MAIL(  # noqa: N802 - as aiosmtpd calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del session
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._said("MAIL", server) or "250 OK"

    async def handle_RCPT(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del session
        del options
        said = await self._said("RCPT", server)
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        del session
        mail = message_from_bytes(cast("bytes", envelope.content), policy=default)
        self.received.append(mail)
        said = await self._said("END", server)
        if said is None:
            self.accepted.append(mail)
        return said or "250 OK queued"

    async def _said(self, place: str, server: SMTP) -> str | None:
        transport = server.transport
        assert transport is not None
        return await self.answer(place, transport)


class _Session(SMTP):
    """Answers DATA itself as the test wants: aiosmtpd asks nobody before its 354."""

    def __init__(self, ours: SmtpServer, **options: Any) -> None:
        super().__init__(ours, **options)
        self._ours = ours
        self._transports: list[asyncio.BaseTransport] = []  # the bare one, then the one of STARTTLS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._ours._sessions.add(self)
        self._transports.append(transport)
        super().connection_made(transport)

    async def end(self) -> None:
        """After a handshake that failed nobody tells aiosmtpd that the connection is lost: its task is ended here."""
        for transport in self._transports:
            cast("asyncio.Transport", transport).abort()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            await asyncio.wait([self._handler_coroutine])

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - as aiosmtpd calls it
        transport = self.transport
        assert transport is not None
        said = await self._ours.answer("DATA", transport)
        if said is not None:
            await self.push(said)
            return
        await super().smtp_DATA(arg)


@contextlib.asynccontextmanager
async def smtp_server(**options: Any) -> AsyncIterator[SmtpServer]:
    server = SmtpServer(**options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
