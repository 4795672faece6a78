"""A server's reply, taken apart: who speaks, at which stage of the SMTP dialogue, with which codes and words."""

from enum import StrEnum

from msgspec import Struct


class Speaker(StrEnum):
    """Who said the words that decide."""

    REMOTE = "remote"  # the receiving server, quoted by the sending one
    SENDING_MTA = "sending_mta"  # the sending server speaks for itself: no reply was quoted


class Stage(StrEnum):
    """Which step of the SMTP dialogue was refused (RFC 5321, 3 and 4.1)."""

    UNKNOWN = "unknown"
    LOOKUP = "lookup"  # before any dialogue: DNS
    CONNECT = "connect"  # TCP, the greeting, STARTTLS
    HELO = "helo"  # EHLO and HELO
    AUTH = "auth"  # our login
    MAIL_FROM = "mail_from"
    RCPT_TO = "rcpt_to"
    DATA = "data"  # DATA and the end of the message
    AFTER = "after"  # the message was accepted, and a report came back later

    @property
    def before_recipient(self) -> bool:
        """True if the server had not been told any recipient, so that its refusal can blame none (RFC 5321, 3.3)."""
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
    """The stage at which an SMTP command is sent: `RCPT TO:<jane@example.org>`, `MAIL`, `.`; UNKNOWN for any other."""
    words = (command or "").split(None, 1)
    return _STAGE_OF_COMMAND.get(words[0].upper(), Stage.UNKNOWN) if words else Stage.UNKNOWN


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """One reply as it was read. All texts are in lower case and one line."""

    speaker: Speaker
    stage: Stage
    smtp_code: int | None  # of the innermost speaker, otherwise as the report states it
    enhanced_status: str | None
    text: str  # the innermost speaker's words, as they came
    last_line: str  # the last line of a reply of several lines; "" where it has one
    tokens: frozenset[str]  # everything in the text that may be a word, to see at once which wordings cannot fit
    recipient: str = ""  # "" where unknown
    sender: str = ""
    caption: str = ""  # what stands around the words
    remote_host: str = ""  # the host that spoke, as the vendor or the report names it
