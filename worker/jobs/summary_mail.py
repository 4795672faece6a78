"""One mail to one recipient over SMTP, of which the caller learns whether the server may have accepted it.

The server may have accepted a mail as soon as its last bytes may have gone out. Before that, and after an answer that
refuses it (RFC 5321, 4.2.1), it certainly has not.
"""

import asyncio
import contextlib
import hashlib
import re
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from enum import Enum, auto

import aiosmtplib
from aiosmtplib.protocol import normalize_message_line_endings
from msgspec import Struct

from worker.policy.summary_text import SummaryText
from worker.settings.tree import SummarySettings
from worker.store.daily_summaries import StoredSummary

_GO_AHEAD = 354  # to DATA: the content may come
_PERMANENT = range(500, 600)
_TEMPORARY = range(400, 500)
_ACCEPTED = range(200, 300)
_OF_THE_LOGIN = {530, 534, 535, 538}  # RFC 4954: the settings are wrong, not the mail
_ACCEPTING_TAKES = 4  # times as long as all before
_QUIT_SECONDS = 1.0
_MOST_ANSWER_CHARACTERS = 300


class Outcome(Enum):
    """What became of an attempt."""

    ACCEPTED = auto()
    LATER = auto()  # certainly not accepted, and perhaps another time
    REFUSED = auto()  # certainly not accepted, and not another time either
    UNSURE = auto()  # perhaps accepted
    OVERTAKEN = auto()  # somebody else has the mail: nothing was sent


class Attempt(Struct, frozen=True, kw_only=True):
    """How it ended, and the server's words or what was in the way."""

    outcome: Outcome
    answer: str = ""


class _RefusedOfOurselves(Exception):  # noqa: N818 - named after what happened
    """The server cannot take this mail, whoever asks."""


def compose(text: SummaryText, summary: StoredSummary, *, sender: str, recipient: str, now: datetime) -> EmailMessage:
    """The mail. All mails of one summary have one Message-ID, so that who gets two of them sees one."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = text.subject
    mail["Date"] = now
    mail["Message-ID"] = message_id(summary, sender=sender)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's out-of-office is to answer
    mail.set_content(text.plain)
    mail.add_alternative(text.html, subtype="html")
    return mail


def message_id(summary: StoredSummary, *, sender: str) -> str:
    """One for each account and date; that of another installation with an account of the same name differs."""
    made_of = f"{summary.account}\n{summary.local_date.isoformat()}\n{summary.made_at.isoformat()}"
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:32]
    return f"<summary.{summary.local_date.isoformat()}.{digest}@{sender.rpartition('@')[2]}>"


async def attempt(
    settings: SummarySettings, mail: EmailMessage, recipient: str, *, before_content: Callable[[], Awaitable[bool]]
) -> Attempt:
    """Offers the mail to the server once.

    `before_content` is called when the server is ready for the content; it notes that the mail may be accepted from
    now on, and answers False if another process does the same. What it raises leaves this function; nothing was sent.
    """
    client = _client(settings)
    try:
        try:
            async with asyncio.timeout(settings.timeout_seconds):
                await client.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            # Whatever it answers here, it says nothing of the mail.
            return Attempt(outcome=Outcome.LATER, answer=_words(error))
        try:
            async with asyncio.timeout(settings.timeout_seconds):
                content = await _offer(client, settings.sender, mail, recipient)
        except _RefusedOfOurselves as error:
            return Attempt(outcome=Outcome.REFUSED, answer=_words(error))
        except aiosmtplib.SMTPResponseException as error:
            return _refusal(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            return Attempt(outcome=Outcome.LATER, answer=_words(error))
        if not await before_content():
            return Attempt(outcome=Outcome.OVERTAKEN)
        return await _hand_over(client, content, seconds=settings.timeout_seconds * _ACCEPTING_TAKES)
    finally:
        await _leave(client)


async def greet(settings: SummarySettings) -> str:
    """What the server calls itself, after connecting, TLS and login as they are set. Nothing is sent.

    Raises MailServerUnfit, whose text is the server's words or what was in the way.
    """
    client = _client(settings)
    try:
        async with asyncio.timeout(settings.timeout_seconds):
            await client.connect()
            answer = await client.ehlo()
    except aiosmtplib.SMTPAuthenticationError as error:
        raise MailServerUnfit(_words(error), remedy="correct summary.smtp_user and its password") from error
    except (ssl.SSLError, aiosmtplib.SMTPConnectError, OSError, TimeoutError, ValueError) as error:
        raise MailServerUnfit(_words(error), remedy=_remedy(error)) from error
    except aiosmtplib.SMTPException as error:
        remedy = "compare summary.smtp_tls, smtp_port and smtp_user with what the server offers"
        raise MailServerUnfit(_words(error), remedy=remedy) from error
    finally:
        await _leave(client)
    return _short(answer.message.partition("\n")[0])


class MailServerUnfit(Exception):  # noqa: N818 - named after what it tells
    """The server cannot be used as it is configured."""

    def __init__(self, detail: str, *, remedy: str) -> None:
        """`detail` is what happened, `remedy` what to do."""
        super().__init__(detail)
        self.remedy = remedy


def _remedy(error: BaseException) -> str:
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return "name the server as its certificate does, and let this machine trust who has signed it"
    if any(isinstance(one, ssl.SSLError) for one in causes):
        return "compare summary.smtp_tls with what the server offers at this port: tls at 465, starttls at 587"
    return "start the server, or correct summary.smtp_host and smtp_port"


def _client(settings: SummarySettings) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        username=settings.smtp_user or None,
        password=None if settings.smtp_password is None else settings.smtp_password.reveal(),
        local_hostname=settings.sender.rpartition("@")[2],
        timeout=settings.timeout_seconds,
    )


async def _leave(client: aiosmtplib.SMTP) -> None:
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        await client.quit(timeout=_QUIT_SECONDS)
    client.close()


async def _offer(client: aiosmtplib.SMTP, sender: str, mail: EmailMessage, recipient: str) -> bytes:
    """The server waits for the content, which this gives. Raises _RefusedOfOurselves, SMTPException."""
    is_ascii = recipient.isascii()
    if not is_ascii and not client.supports_extension("smtputf8"):
        raise _RefusedOfOurselves("the server takes no addresses outside ASCII (RFC 6531)")
    options, encoding = ([], "ascii") if is_ascii else (["SMTPUTF8"], "utf-8")
    await client.mail(sender, options=options, encoding=encoding)
    await client.rcpt(recipient, encoding=encoding)
    answer = await client.execute_command(b"DATA")
    if answer.code != _GO_AHEAD:
        raise aiosmtplib.SMTPDataError(answer.code, answer.message)
    content = normalize_message_line_endings(mail.as_bytes(policy=SMTP if is_ascii else SMTPUTF8))
    return re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"


async def _hand_over(client: aiosmtplib.SMTP, content: bytes, *, seconds: float) -> Attempt:
    """Sends the content. The library's own `data` does not tell a cut before it from one after it."""
    protocol = client.protocol
    if protocol is None:
        return Attempt(outcome=Outcome.LATER, answer="the connection was lost before the content")
    try:
        protocol.write(content)
    except aiosmtplib.SMTPServerDisconnected as error:  # raised before anything is written
        return Attempt(outcome=Outcome.LATER, answer=_words(error))
    try:
        answer = await protocol.read_response(timeout=seconds)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        return Attempt(outcome=Outcome.UNSURE, answer=_words(error))
    if answer.code in _ACCEPTED:
        return Attempt(outcome=Outcome.ACCEPTED, answer=_short(f"{answer.code} {answer.message}"))
    if answer.code in _TEMPORARY or answer.code in _PERMANENT:
        return _refusal(answer.code, answer.message)
    return Attempt(outcome=Outcome.UNSURE, answer=_short(f"{answer.code} {answer.message}"))


def _refusal(code: int, message: str) -> Attempt:
    final = code in _PERMANENT and code not in _OF_THE_LOGIN
    return Attempt(outcome=Outcome.REFUSED if final else Outcome.LATER, answer=_short(f"{code} {message}"))


def _words(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _short(f"{error.code} {error.message}")
    text = str(error) or type(error).__name__
    cause = error.__cause__ or error.__context__
    # The library says where it connected to, and leaves out what a failed handshake was about.
    return _short(f"{text} {str(cause) or type(cause).__name__}" if text.endswith(":") and cause else text)


def _short(text: str) -> str:
    """On one line, and as Postgres can store it."""
    return " ".join(text.replace("\x00", " ").split())[:_MOST_ANSWER_CHARACTERS]
