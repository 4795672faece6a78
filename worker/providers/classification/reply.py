"""A server's reply: who speaks, at which stage of the SMTP dialogue, with which codes and words."""

from enum import StrEnum

from msgspec import Struct


class Speaker(StrEnum):
    """Whose words decide."""

    REMOTE = "remote"  # the receiving server, quoted by the sending one
    SENDING_MTA = "sending_mta"  # the sending server, which quotes no reply


class Stage(StrEnum):
    """The step of the SMTP dialogue that was refused (RFC 5321, 3 and 4.1)."""

    UNKNOWN = "unknown"
    LOOKUP = "lookup"  # before any dialogue: DNS
    CONNECT = "connect"  # TCP, the greeting, STARTTLS
    HELO = "helo"  # EHLO and HELO
    AUTH = "auth"  # our login
    MAIL_FROM = "mail_from"
    RCPT_TO = "rcpt_to"
    DATA = "data"  # DATA and the end of the message
    AFTER = "after"  # the message was accepted, and a report came later

    @property
    def before_recipient(self) -> bool:
        """True if the server did not know a recipient yet, so its refusal cannot be about one (RFC 5321, 3.3)."""
        return self in _BEFORE_RECIPIENT


_BEFORE_RECIPIENT = frozenset({Stage.CONNECT, Stage.HELO, Stage.AUTH, Stage.MAIL_FROM})


_STAGE_OF_COMMAND = {
    "CONNECT": Stage.CONNECT,
    "BANNER": Stage.CONNECT,
    "STARTTLS": Stage.CONNECT,
    "EHLO": Stage.HELO,
    "HELO": Stage.HELO,
    "LHLO": Stage.HELO,
    "AUTH": Stage.AUTH,
    "MAIL": Stage.MAIL_FROM,
    "RCPT": Stage.RCPT_TO,
    "DATA": Stage.DATA,
    "EOD": Stage.DATA,
    "BDAT": Stage.DATA,
    ".": Stage.DATA,
}


def stage_of_command(command: str | None) -> Stage:
    """The stage of an SMTP command such as `RCPT TO:<jane@example.org>`, `MAIL` or `.`; UNKNOWN for other texts."""
    words = (command or "").split(None, 1)
    return _STAGE_OF_COMMAND.get(words[0].upper(), Stage.UNKNOWN) if words else Stage.UNKNOWN


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """One reply. All texts are in lower case, on one line."""

    speaker: Speaker
    stage: Stage
    smtp_code: int | None  # in the innermost reply, otherwise in the report
    enhanced_status: str | None
    text: str  # of the innermost reply
    last_line: str  # of a reply of several lines; "" if it has only one
    tokens: frozenset[str]  # all in the text that may be a word: they show at once which wordings cannot match
    recipient: str = ""  # "" if unknown
    sender: str = ""
    caption: str = ""  # what stands around the reply
    remote_host: str = ""  # the host that refused, as the vendor or the report names it
