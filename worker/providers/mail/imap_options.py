"""The options of a source of provider `mail` whose mail is fetched from an IMAP mailbox."""

from typing import Any, Literal, cast, get_args

from msgspec import Struct

from schemas.host import is_loopback
from schemas.source import Secret, Source
from worker.providers.authentication.source_options import Form, Option, checked_elsewhere

Tls = Literal["tls", "starttls", "none"]

_PORTS: dict[Tls, int] = {"tls": 993, "starttls": 143, "none": 143}
_LAST_PORT = 65_535
_MOVE = "move:"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _secret(value: object) -> Secret | None:
    return value if isinstance(value, Secret) else Secret(value) if isinstance(value, str) else None


HOST = checked_elsewhere("imap_host", "", _text)
PORT = checked_elsewhere("imap_port", None, lambda value: value if isinstance(value, int) else None)
USER = checked_elsewhere("imap_user", "", _text)
PASSWORD = checked_elsewhere("imap_password", Secret(""), _secret, form=Form.SECRET)
FOLDER = checked_elsewhere("imap_folder", "INBOX", _text)
TLS: Option[Tls] = checked_elsewhere("imap_tls", "tls", lambda value: value if value in get_args(Tls) else None)
VERIFY_DKIM = checked_elsewhere("imap_verify_dkim", True, lambda value: value)  # noqa: FBT003 - the default
AFTER_FETCH = checked_elsewhere("after_fetch", "flag", _text)
_TEXTS = (HOST, USER, FOLDER, TLS, AFTER_FETCH)
# check_imap_options reports their mistakes.
IMAP_OPTIONS: tuple[Option[Any], ...] = (HOST, PORT, USER, PASSWORD, FOLDER, TLS, VERIFY_DKIM, AFTER_FETCH)


class ImapMailbox(Struct, frozen=True, kw_only=True):
    """A mailbox to fetch mail from, and what to do with queued mail there."""

    host: str
    port: int
    user: str
    password: Secret
    folder: str = "INBOX"
    tls: Tls = "tls"
    verify_dkim: bool = True
    after_fetch: Literal["flag", "delete", "move"] = "flag"
    move_to: str = ""  # the folder, with after_fetch = "move"

    @property
    def place(self) -> str:
        """Where mail is fetched from, for people: `INBOX at imap.example.org:993`."""
        return f"{self.folder} at {self.host}:{self.port}"


def has_mailbox(source: Source) -> bool:
    """True if mail is fetched for this source."""
    return HOST.name in source.options


def can_be_posted_to(source: Source) -> bool:
    """False for a source that has a mailbox and no secret: its mail is fetched, and every POST is refused."""
    return bool(source.secrets) or source.authentication == "none" or not has_mailbox(source)


def imap_mailbox(source: Source) -> ImapMailbox | None:
    """The mailbox of the source; None if it has none, or if `check_imap_options` reports a mistake."""
    if not has_mailbox(source) or check_imap_options(source):
        return None
    tls = TLS.of(source)
    after_fetch, _, folder = AFTER_FETCH.of(source).partition(":")
    return ImapMailbox(
        host=HOST.of(source),
        port=PORT.of(source) or _PORTS[tls],
        user=USER.of(source),
        password=PASSWORD.of(source),
        folder=FOLDER.of(source),
        tls=tls,
        verify_dkim=VERIFY_DKIM.of(source),
        after_fetch=cast("Literal['flag', 'delete', 'move']", after_fetch),
        move_to=folder.strip(),
    )


def check_imap_options(source: Source) -> list[str]:
    """The mistakes in the options of the mailbox, each with its remedy."""
    options = source.options
    names = [option.name for option in IMAP_OPTIONS if option.name in options]
    if not names:
        return []
    if not has_mailbox(source):
        return [f"imap_host is missing, but {names[0]} is set: name the IMAP server, or take the others out"]
    problems = [
        f"{option.name} = {options[option.name]!r}: it must be a text, in quotes, and not empty"
        for option in _TEXTS
        if option.name in options and not (isinstance(options[option.name], str) and options[option.name].strip())
    ]
    if problems:
        return problems
    if "imap_user" not in options:
        problems.append("imap_user is missing: the name that the mailbox is opened with")
    if not _is_password(options.get("imap_password")):
        problems.append("imap_password is missing: write it, or name a file that holds it as imap_password_file")
    return problems + _check_connection(options) + _check_after_fetch(options)


def _is_password(value: object) -> bool:
    return bool(value.reveal()) if isinstance(value, Secret) else isinstance(value, str) and bool(value)


def _check_connection(options: dict[str, Any]) -> list[str]:
    problems = []
    tls, port = options.get("imap_tls", "tls"), options.get("imap_port", _PORTS["tls"])
    if tls not in get_args(Tls):
        problems.append(f'imap_tls = {tls!r}: use "tls", "starttls", or on this machine "none"')
    elif tls == "none" and not is_loopback(options["imap_host"]):
        problems.append(
            f'imap_tls = "none" would send the password in clear to {options["imap_host"]}: use "tls" or "starttls"; '
            '"none" is for a server on this machine'
        )
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= _LAST_PORT:
        problems.append(f"imap_port = {port!r}: give a port, a whole number from 1 to {_LAST_PORT}")
    if not isinstance(options.get("imap_verify_dkim", True), bool):
        problems.append("imap_verify_dkim must be true or false, without quotes")
    return problems


def _check_after_fetch(options: dict[str, Any]) -> list[str]:
    after_fetch = str(options.get("after_fetch", "flag"))
    if after_fetch in {"flag", "delete"}:
        return []
    folder = after_fetch.removeprefix(_MOVE).strip()
    if not after_fetch.startswith(_MOVE) or not folder:
        return [f'after_fetch = "{after_fetch}": use "flag", "delete" or "move:FOLDER"']
    if folder == options.get("imap_folder", "INBOX"):
        return ["after_fetch moves mail into the folder that it is fetched from: name another one"]
    return []
